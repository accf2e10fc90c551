package start_test

import (
	"archive/tar"
	"bytes"
	"net/http"
	"os"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestDocker starts six of the files that the parsers are tested with, with the base image of these tests in the place of
// their own: two images, two Dockerfiles, a feature of a registry, and none of these.
func TestDocker(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("builds and starts six containers for a minute: set LANYARD_SLOW=1 (make test-all)")
	}
	e := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+e.Socket)
	c := plant(t)
	w := world{harness.StartOn(t, func(string) {}, "--runtime", "docker", "--image", e.Image)}
	t.Run("TestAttack30HostileRepositories", func(t *testing.T) {
		c.hostile(t, w, e.Image)
		t.Run("Dockerfiles", func(t *testing.T) { c.builds(t, w, e.Image) })
	})
	registry := imagetest.Serve(t, "", "")
	ref := e.Image // the engine has it already
	registry.Push(t, "features/node:1", aFeature(t, map[string]string{
		"devcontainer-feature.json": `{"id": "node", "version": "1.0.0", "options": {"version": {"type": "string", "default": "none"}}, "containerEnv": {"NODE_HOME": "/opt/node"}}`,
		"install.sh":                "#!/bin/sh\nmkdir -p /opt/node && echo \"$VERSION for $_REMOTE_USER\" > /opt/node/version\n",
	}))
	tool := func(name string) string {
		return "RUN printf '#!/bin/sh\\necho " + name + " \"$@\" >> /tmp/ran\\n' > /usr/local/bin/" + name + " && chmod 755 /usr/local/bin/" + name + "\n"
	}
	w.commit(t, "docker-1", map[string]string{".gitpod.yml": sample(t, "gitpod/rust-wasm.yml", "registry.example.test/images/rust", ref, "rustup target add wasm32-unknown-unknown", "id -un > /tmp/who",
		"cargo build --release", "echo built", "cargo watch -x test", "echo watched")})
	w.commit(t, "docker-2", map[string]string{".gitpod.yml": sample(t, "gitpod/go-service.yml"), ".gitpod.Dockerfile": "FROM " + ref + "\n" + tool("go") + "USER gitpod\n"})
	w.commit(t, "docker-3", map[string]string{
		".devcontainer/devcontainer.json": sample(t, "devcontainer/dockerfile-context.json"),
		"docker/dev.Dockerfile":           "FROM " + ref + " AS dev\nCOPY docker/motd /etc/motd\n" + tool("npm"), "docker/motd": "built here\n",
	})
	w.commit(t, "docker-4", map[string]string{".devcontainer.json": sample(t, "devcontainer/users.json", "debian:12", ref)})
	w.commit(t, "docker-5", map[string]string{".devcontainer/devcontainer.json": sample(t, "devcontainer/go.json", "registry.example.test/devcontainers/go:1-1.26-bookworm", ref,
		"ghcr.io/devcontainers/features/node:1", registry.Host+"/features/node:1", "go version && go mod download", "cat /opt/node/version > /tmp/ran")})
	w.commit(t, "docker-6", map[string]string{".gitpod.yml": sample(t, "gitpod/git-settings.yml")})
	for branch, says := range map[string][2]string{
		"docker-1": {"cat /tmp/who", "gitpod"},
		"docker-2": {"cat /tmp/ran; id -un", "go mod download\ngo build ./...\ngo test ./...\ngo run ./cmd/server\ngitpod"},
		"docker-3": {"cat /etc/motd /tmp/ran; echo $TZ", "built here\nnpm ci\nnpm run watch\nUTC"},
		"docker-4": {"id -u; cat /etc/debian_version", "1000\n12"},
		"docker-5": {"cat /tmp/ran; echo $NODE_HOME; id -un", "lts for vscode\n/opt/node\nvscode"},
		"docker-6": {"git config alias.st; git log --oneline | head -1", "status -sb\n"},
	} {
		t.Run(branch, func(t *testing.T) { w.says(t, w.runs(t, branch), says[0], says[1]) })
	}
	t.Run("users", func(t *testing.T) { w.users(t, ref) })
	t.Run("a Dockerfile that fails", func(t *testing.T) {
		w.commit(t, "docker-7", map[string]string{".gitpod.yml": "image: {file: Dockerfile}\n", "Dockerfile": "FROM " + ref + "\nRUN echo this is said && exit 3\n"})
		ws, said := w.begin(t, api.Order{ContextURL: host + repo + "/tree/docker-7"})
		if ws.Phase != "stopped" || !strings.Contains(ws.Message, "Building the image of Dockerfile failed") || !strings.Contains(said, "this is said") {
			t.Errorf("%s: %s", ws.Phase, ws.Message)
		}
	})
	t.Run("again without the registry", func(t *testing.T) { // what was built is started again as it is
		ws := w.runs(t, "docker-5")
		gone := func(rw http.ResponseWriter, _ *http.Request) bool {
			http.Error(rw, "gone", http.StatusInternalServerError)
			return true
		}
		registry.Spoil.Store(&gone)
		w.again(t, ws)
		w.says(t, ws, "cat /opt/node/version; git status --short --branch", "lts for vscode\n## docker-5")
	})
}

// aFeature is a feature as registries have them (https://containers.dev/implementors/features-distribution/).
func aFeature(t *testing.T, files map[string]string) v1.Image {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range files {
		if err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(text)), Typeflag: tar.TypeReg}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	im, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), "application/vnd.devcontainers"),
		mutate.Addendum{Layer: static.NewLayer(b.Bytes(), "application/vnd.devcontainers.layer.v1+tar")})
	if err != nil {
		t.Fatal(err)
	}
	return im
}
