package feature

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func installer(password string) *Installer {
	return New(Config{Transport: http.DefaultTransport, Credential: func(context.Context, string) (string, string, error) {
		if password == "" {
			return "", "", nil
		}
		return "lanyard", password, nil
	}})
}

var base = workspace.Ready{Image: workspace.Image{Ref: "base@sha256:" + strings.Repeat("0", 64)}, User: "vscode", Metadata: `[{"remoteUser": "vscode"}]`}

// TestPrepare orders features of a registry and of a folder, with what they need, and writes what is built.
func TestPrepare(t *testing.T) {
	s := newShelf(t, "")
	digest := s.push("features/common:1", simple("common", ""))
	s.push("features/node:1", simple("node", `, "installsAfter": ["`+s.host+`/features/common"], "containerEnv": {"PATH": "/opt/node/bin:${PATH}"},
		"options": {"version": {"type": "string", "default": "lts"}, "yarn-too": {"type": "boolean", "default": true}}, "postCreateCommand": "node --version"`))
	s.push("features/app:1", simple("app", `, "dependsOn": {"`+s.host+`/features/runtime:1": {"level": 2}}`))
	s.push("features/runtime:1", simple("runtime", `, "capAdd": ["SYS_PTRACE"], "mounts": [{"type": "volume", "source": "r", "target": "/r"}]`))
	var said []string
	o := Order{
		Base: base, First: []string{"./.devcontainer/mine"},
		Features: []devfile.Feature{
			{Ref: s.host + "/features/node:1", Options: map[string]string{"version": "20"}},
			{Ref: s.host + "/features/app:1"}, {Ref: s.host + "/features/common:1"}, {Ref: "./.devcontainer/mine"},
		},
		Folder: folders(t, map[string]map[string]string{".devcontainer/mine": simple("mine", "")}),
	}
	p, err := installer("").Prepare(t.Context(), o, func(step string) { said = append(said, step) })
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, f := range p.Installed {
		ids = append(ids, f.ID)
		if f.ID == "common" && f.Digest != digest {
			t.Errorf("%+v", f)
		}
	}
	// Mine comes before all others since the file says so; app waits for runtime, node for common.
	if got := strings.Join(ids, " "); got != "mine common runtime app node" {
		t.Errorf("the order is %s", got)
	}
	if len(said) != 4 {
		t.Errorf("told %q", said)
	}
	files := unpack(t, p)
	docker := files["Dockerfile"]
	for _, want := range []string{
		"FROM base@sha256:", "USER root\n", "COPY 4 /tmp/lanyard-feature-4/\nRUN sh /tmp/lanyard-feature-4/lanyard-install.sh\n",
		"ENV PATH=\"/opt/node/bin:${PATH}\"\n", "USER vscode\n", "LABEL devcontainer.metadata=\"[{\\\"remoteUser\\\"",
	} {
		if !strings.Contains(docker, want) {
			t.Errorf("%q is missing in\n%s", want, docker)
		}
	}
	for _, want := range []string{"export VERSION='20'\n", "export YARN_TOO='true'\n", "export _REMOTE_USER='vscode'\n"} {
		if !strings.Contains(files["4/lanyard-install.sh"], want) {
			t.Errorf("%q is missing in\n%s", want, files["4/lanyard-install.sh"])
		}
	}
	if !strings.Contains(files["2/lanyard-install.sh"], "export LEVEL='2'\n") {
		t.Error(files["2/lanyard-install.sh"])
	}
	plan, err := (&devfile.Plan{}).On(p.Metadata, devfile.About{Checkout: "/workspace/app"})
	if err != nil || plan.User != "vscode" || len(plan.Lifecycle) != 1 || !strings.HasSuffix(plan.Lifecycle[0].From, "/features/node:1") || len(plan.Volumes) != 1 {
		t.Errorf("%+v, %v", plan, err)
	}
	again, err := installer("").Prepare(t.Context(), o, nil)
	if err != nil || again.Key != p.Key {
		t.Errorf("the same features have another key: %v", err)
	}
	o.Features[0].Options["version"] = "22"
	if other, err := installer("").Prepare(t.Context(), o, nil); err != nil || other.Key == p.Key {
		t.Errorf("other features have the same key: %v", err)
	}
}

func unpack(t *testing.T, p Prepared) map[string]string {
	t.Helper()
	from, err := p.Build().Context(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for r := tar.NewReader(from); ; {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		out[h.Name] = string(data)
	}
}

// TestScript runs what the image's build runs, with a shell of this machine.
func TestScript(t *testing.T) {
	if _, err := exec.LookPath("sh"); err != nil {
		t.Skip("this machine has no sh")
	}
	n := &node{found: &found{ref: "x", options: map[string]string{"greeting": "it's $HOME\n`id`", "2nd": "b"}}}
	folder := t.TempDir()
	text := strings.ReplaceAll(script(n, "0", "", "nobody-here"), "/tmp/lanyard-feature-0", folder+"/f")
	if err := os.Mkdir(filepath.Join(folder, "f"), 0o755); err != nil {
		t.Fatal(err)
	}
	install := "#!/bin/sh\nprintf '%s|%s|%s|%s|%s' \"$GREETING\" \"$_ND\" \"$_CONTAINER_USER\" \"$_CONTAINER_USER_HOME\" \"$_REMOTE_USER\"\n. ./devcontainer-features.env\nprintf '|%s' \"$GREETING\"\n"
	if err := os.WriteFile(filepath.Join(folder, "f/install.sh"), []byte(install), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh")
	cmd.Stdin = strings.NewReader(text)
	out, err := cmd.CombinedOutput()
	const greeting = "it's $HOME\n`id`"
	if want := greeting + "|b|root|/root|nobody-here|" + greeting; err != nil || string(out) != want {
		t.Errorf("%q, %v\nwant %q", out, err, want)
	}
	if _, err := os.Stat(filepath.Join(folder, "f")); err == nil {
		t.Error("the feature's files are still there")
	}
}

// TestRefused names the feature and what is wrong with it.
func TestRefused(t *testing.T) {
	s := newShelf(t, "")
	link := func() []byte {
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		_ = w.WriteHeader(&tar.Header{Name: "install.sh", Typeflag: tar.TypeSymlink, Linkname: "/etc/passwd"})
		_ = w.Close()
		return b.Bytes()
	}()
	const media = "application/vnd.devcontainers.layer.v1+tar"
	s.push("f/privileged:1", simple("dind", `, "privileged": true`))
	s.push("f/capability:1", simple("vpn", `, "capAdd": ["NET_ADMIN"]`))
	s.push("f/socket:1", simple("dood", `, "mounts": ["source=/var/run/docker.sock,target=/var/run/docker-host.sock,type=bind"]`))
	s.push("f/one:1", simple("one", `, "dependsOn": {"`+s.host+`/f/two:1": {}}`))
	s.push("f/two:1", simple("two", `, "dependsOn": {"`+s.host+`/f/one:1": {}}`))
	s.push("f/after-a:1", simple("a", `, "installsAfter": ["`+s.host+`/f/after-b"]`))
	s.push("f/after-b:1", simple("b", `, "installsAfter": ["`+s.host+`/f/after-a"]`))
	s.push("f/bare:1", map[string]string{"install.sh": ""})
	s.push("f/empty:1", map[string]string{"devcontainer-feature.json": `{"id": "x"}`})
	s.push("f/env:1", simple("env", `, "containerEnv": {"A": "b\nRUN id"}`))
	s.push("f/up:1", map[string]string{"../../install.sh": ""})
	s.pushArchive("f/link:1", link, media)
	s.pushArchive("f/junk:1", []byte(strings.Repeat("x", 2000)), media)
	s.pushArchive("f/image:1", archive(t, simple("x", "")), "application/vnd.oci.image.layer.v1.tar")
	for ref, want := range map[string]string{
		"f/privileged:1": "asks for `privileged`, which is refused", "f/capability:1": "`capAdd: NET_ADMIN`", "f/socket:1": "`mounts: /var/run/docker.sock`",
		"f/one:1": "need each other", "f/bare:1": "has no devcontainer-feature.json", "f/empty:1": "has no install.sh", "f/env:1": "sets the variable \"A\"",
		"f/up:1": "is no path in it", "f/link:1": "is no plain file", "f/junk:1": "archive cannot be read", "f/image:1": "it is no feature", "f/absent:1": "has no feature",
	} {
		_, err := installer("").Prepare(t.Context(), Order{Base: base, Features: []devfile.Feature{{Ref: s.host + "/" + ref}}}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), strings.Split(ref, ":")[0]) {
			t.Errorf("%s: %v\nwant %s", ref, err, want)
		}
	}
	_, err := installer("").Prepare(t.Context(), Order{Base: base, Features: []devfile.Feature{{Ref: s.host + "/f/after-a:1"}, {Ref: s.host + "/f/after-b:1"}}}, nil)
	if err == nil || !strings.Contains(err.Error(), "want to come after each other") {
		t.Error(err)
	}
	_, err = installer("").Prepare(t.Context(), Order{Base: base, Features: []devfile.Feature{{Ref: "registry.example.test/f/x:1"}}}, nil)
	if err == nil {
		t.Error("a registry that is not there gives a feature")
	}
}

// TestCredentialsAndLock pulls with a password that stays out of every word, and what a lock pins.
func TestCredentialsAndLock(t *testing.T) {
	const password = "correct-horse"
	s := newShelf(t, password)
	first := s.push("f/x:1", simple("x", `, "description": "first"`))
	s.push("f/x:1", simple("x", `, "description": "second"`))
	o := Order{Base: base, Features: []devfile.Feature{{Ref: s.host + "/f/x:1"}}}
	if _, err := installer("").Prepare(t.Context(), o, nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("without a password: %v", err)
	}
	if _, err := installer("wrong-"+password).Prepare(t.Context(), o, nil); problem.KindOf(err) != problem.Denied || strings.Contains(err.Error(), password) {
		t.Errorf("with a wrong one: %v", err)
	}
	o.Lock = []byte(`{"features": {"` + s.host + `/f/x:1": {"version": "1.0.0", "resolved": "` + s.host + `/f/x@` + first + `", "integrity": "` + first + `"}}}`)
	p, err := installer(password).Prepare(t.Context(), o, nil)
	if err != nil || p.Installed[0].Digest != first {
		t.Errorf("%+v, %v", p.Installed, err)
	}
	o.Lock = []byte(`{"features": {"` + s.host + `/f/x:1": {"resolved": "evil.example.test/f/x@` + first + `"}}}`)
	if _, err := installer(password).Prepare(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "no digest of it") {
		t.Error(err)
	}
}
