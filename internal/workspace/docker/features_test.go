package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/image/feature"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// TestFeaturesAreBuilt has the engine build what features make of an image, and looks into the result.
func TestFeaturesAreBuilt(t *testing.T) {
	r := open(t, dataFolder(t))
	ctx := t.Context()
	base, err := r.Pull(ctx, workspace.PullOrder{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	tool := map[string]string{
		"devcontainer-feature.json": `{"id": "tool", "version": "1.2.0", "options": {"greeting": {"type": "string", "default": "hello"}},
			"containerEnv": {"PATH": "/opt/tool/bin:${PATH}", "COST": "5$"}, "postCreateCommand": "tool"}`,
		"install.sh": "#!/usr/bin/env bash\nset -euo pipefail\nmkdir -p /opt/tool/bin\nprintf '#!/bin/sh\\necho \"%s %s %s\"\\n' \"$GREETING\" \"$_REMOTE_USER\" \"$_REMOTE_USER_HOME\" >/opt/tool/bin/tool\nchmod +x /opt/tool/bin/tool\ntest \"$(id -u)\" = 0\n",
	}
	order := feature.Order{
		Base: base, User: "vscode", Features: []devfile.Feature{{Ref: "./.devcontainer/tool", Options: map[string]string{"greeting": `it's "so"`}}},
		Folder: func(context.Context, string) (io.ReadCloser, error) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for name, text := range tool {
				if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
					return nil, err
				}
				if _, err := io.WriteString(w, text); err != nil {
					return nil, err
				}
			}
			return io.NopCloser(&b), w.Close()
		},
	}
	prepared, err := feature.New(feature.Config{Transport: http.DefaultTransport}).Prepare(ctx, order, nil)
	if err != nil {
		t.Fatal(err)
	}
	build := prepared.Build()
	build.ID = identity.NewWorkspaceID()
	build.Endpoint = func(context.Context, int) (string, error) {
		dir := dataFolder(t)
		return dir, os.Chmod(dir, 0o755)
	}
	var said []string
	ready, err := r.Build(ctx, build, func(line string) { said = append(said, line) })
	if err != nil {
		t.Fatalf("%v\n%s", err, strings.Join(said, "\n"))
	}
	if !strings.HasPrefix(ready.Env["PATH"], "/opt/tool/bin:/") || ready.Env["COST"] != "5$" {
		t.Errorf("the environment is %q", ready.Env)
	}
	plan, err := (&devfile.Plan{}).On(ready.Metadata, devfile.About{Checkout: "/workspace/app"})
	if err != nil || len(plan.Lifecycle) != 1 || plan.Lifecycle[0].From != "./.devcontainer/tool" {
		t.Errorf("%q gives %+v, %v", ready.Metadata, plan, err)
	}
	// What the tool says shows who it was installed for. A second image on top of the first runs it, and fails with its words.
	order.Base, tool["install.sh"] = ready, "#!/bin/sh\ntool\nexit 3\n"
	if prepared, err = feature.New(feature.Config{Transport: http.DefaultTransport}).Prepare(ctx, order, nil); err != nil {
		t.Fatal(err)
	}
	failing := prepared.Build()
	failing.ID, failing.Endpoint = build.ID, build.Endpoint
	_, err = r.Build(ctx, failing, nil)
	if err == nil || !strings.Contains(err.Error(), `it's so vscode /home/vscode`) || !strings.Contains(err.Error(), "The feature ./.devcontainer/tool could not be installed") {
		t.Errorf("a feature that fails: %v", err)
	}
}
