package devfile

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/image/feature"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// TestFeaturesInTheReferencesOrder resolves features of a real registry as Lanyard does and as the reference program does.
func TestFeaturesInTheReferencesOrder(t *testing.T) {
	needReference(t)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.Replace(strings.TrimPrefix(server.URL, "http://"), "127.0.0.1", "localhost", 1)
	at := func(ids ...string) (refs []string) {
		for _, id := range ids {
			refs = append(refs, host+"/features/"+id+":1") // without a tag the reference takes the port for one
		}
		return refs
	}
	for id, says := range map[string]map[string]any{
		"common": {},
		"git":    {"installsAfter": at("common")},
		"node":   {"installsAfter": at("common", "git")},
		"app":    {"dependsOn": map[string]any{at("runtime")[0]: map[string]any{"level": "2"}, at("git")[0]: map[string]any{}}},
		"runtime": {"installsAfter": at("node"),
			"options": map[string]any{"level": map[string]any{"type": "string", "default": "1"}}},
		"zsh": {"dependsOn": map[string]any{at("common")[0]: map[string]any{}}},
	} {
		says["id"], says["version"] = id, "1.0.0"
		publish(t, at(id)[0], says)
	}
	for name, c := range map[string]struct {
		features []string
		first    []string
	}{
		"alone":       {features: []string{"git"}},
		"after":       {features: []string{"node", "git", "common"}},
		"needed":      {features: []string{"app", "node", "zsh"}},
		"all":         {features: []string{"zsh", "runtime", "app", "node", "git", "common"}},
		"first":       {features: []string{"common", "git", "zsh", "node"}, first: []string{"zsh"}},
		"first twice": {features: []string{"runtime", "zsh", "app"}, first: []string{"runtime", "app"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			features := map[string]any{}
			order := feature.Order{Base: workspace.Ready{Image: workspace.Image{Ref: "base"}}, First: at(c.first...)}
			for _, ref := range at(c.features...) {
				features[ref] = map[string]any{}
				order.Features = append(order.Features, devfile.Feature{Ref: ref})
			}
			file := map[string]any{"image": "debian:12", "features": features}
			if c.first != nil {
				file["overrideFeatureInstallOrder"] = order.First
			}
			want := referenceOrder(t, file)
			prepared, err := feature.New(feature.Config{Transport: http.DefaultTransport}).Prepare(t.Context(), order, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, f := range prepared.Installed {
				ref, _, _ := strings.Cut(f.Ref, ":1")
				got = append(got, ref+"@"+f.Digest)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the reference (-) installs in another order (+):\n%s", diff)
			}
		})
	}
}

// referenceOrder asks the reference program in which order it installs the features of a devcontainer.json.
func referenceOrder(t *testing.T, file map[string]any) (order []string) {
	t.Helper()
	folder := t.TempDir()
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, ".devcontainer.json"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "node", "node_modules/@devcontainers/cli/devcontainer.js", "features", "resolve-dependencies", "--workspace-folder", folder)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s%s", err, out, &stderr)
	}
	var answer struct {
		InstallOrder []struct{ ID string }
	}
	if err := json.Unmarshal(out[bytes.IndexByte(out, '{'):], &answer); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, f := range answer.InstallOrder {
		order = append(order, f.ID)
	}
	return order
}

// publish pushes a feature as the specification says
// (https://containers.dev/implementors/features-distribution/#oci-registry).
func publish(t *testing.T, ref string, says map[string]any) {
	t.Helper()
	description, err := json.Marshal(says)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	for _, f := range []struct{ name, text string }{{"devcontainer-feature.json", string(description)}, {"install.sh", "#!/bin/sh\n"}} {
		if err := w.WriteHeader(&tar.Header{Name: "./" + f.name, Mode: 0o755, Size: int64(len(f.text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.text); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer := static.NewLayer(archive.Bytes(), "application/vnd.devcontainers.layer.v1+tar")
	image, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.devcontainers"), mutate.Addendum{Layer: layer})
	if err != nil {
		t.Fatal(err)
	}
	image, ok := mutate.Annotations(image, map[string]string{"dev.containers.metadata": string(description)}).(v1.Image)
	if !ok {
		t.Fatal("an image with annotations is an image")
	}
	parsed, err := name.ParseReference(ref)
	if err == nil {
		err = remote.Write(parsed, image, remote.WithContext(t.Context()))
	}
	if err != nil {
		t.Fatal(fmt.Errorf("push %s: %w", ref, err))
	}
}
