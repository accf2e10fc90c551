package start_test

import (
	"net/http"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/image/imagetest"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestSandbox(t *testing.T) {
	c := plant(t)
	w := world{harness.Start(t)}
	t.Run("tasks and repositories", w.tasks)
	t.Run("a broken file", w.broken)
	t.Run("a merge request", w.mergeRequest)
	registry := imagetest.Serve(t, "", "")
	ref := pushBase(t, registry)
	t.Run("TestAttack30HostileRepositories", func(t *testing.T) { c.hostile(t, w, ref) })
	t.Run("images", func(t *testing.T) { w.images(t, registry, ref) })
	t.Run("a person's own credential", func(t *testing.T) { w.ownCredential(t, registry) })
	t.Run("a slow image", w.slowImage)
	t.Run("needs", w.needs)
	t.Run("places", w.places)
	t.Run("users", func(t *testing.T) { w.users(t, ref) })
}

func (w world) tasks(t *testing.T) {
	w.commit(t, "tasks", map[string]string{
		".gitpod.yml": `tasks:
  - before: export GREETING=hello
    init: echo $GREETING >> ../init
    command: echo $TICKET >> ../command
  - name: second
    command: echo $FLAVOUR > /tmp/second
    env: {FLAVOUR: sweet, GITPOD_HOST: stolen}
additionalRepositories:
  - url: ` + host + `payments/assets
    checkoutLocation: media
  - url: ` + host + `shop/web
vscode: {extensions: [golang.go]}
`,
		".devcontainer/devcontainer.json": `{"image": "debian:12"}`,
	})
	const link = "TICKET=a%20b/" + host + repo + "/tree/tasks"
	if _, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: link}); err == nil || !strings.Contains(err.Error(), "variables in the workspace: TICKET") {
		t.Fatal("variables that nobody confirmed:", err)
	}
	ws, said := w.begin(t, api.Order{ContextURL: link, Confirmed: true})
	if ws.Phase != "running" || ws.Plan != ".gitpod.yml" {
		t.Fatalf("%+v", ws)
	}
	for _, part := range []string{
		"Using .gitpod.yml; .devcontainer/devcontainer.json has no effect.",
		".gitpod.yml:11: " + host + "shop/web is left out: a workspace reaches the repositories of its own project (payments)",
		"git clone " + host + "payments/assets",
	} {
		if !strings.Contains(said, part) {
			t.Errorf("nothing says %q", part)
		}
	}
	w.says(t, ws, "cat /workspace/init /workspace/command /tmp/second; ls /workspace", "hello\na b\nsweet\napi\n")
	w.says(t, ws, "ls -d /workspace/media/.git; echo $TICKET $GITPOD_REPO_ROOTS $GITPOD_WORKSPACE_CONTEXT_URL", "/workspace/media/.git\na b /workspace/api,/workspace/media "+host+repo+"/tree/tasks\n")
	w.says(t, ws, `echo "$GITPOD_TASKS $GITPOD_HOST"`, `[{"name":"Task 1","before":"export GREETING=hello",`)
	w.says(t, ws, `echo "$GITPOD_TASKS $GITPOD_HOST"`, "] "+w.Info.URL+"\n")

	// What the workspace is stays what it was: a file that says something else by now is a new workspace's.
	w.commit(t, "tasks", map[string]string{".gitpod.yml": "tasks: [{command: 'echo other > /workspace/other'}]\n"})
	w.again(t, ws)
	w.says(t, ws, "cat /workspace/init; cat /workspace/command; ls /workspace", "hello\na b\na b\napi\ncommand\ninit\nmedia\n")
}

// again stops a workspace and starts it.
func (w world) again(t *testing.T, ws api.Workspace) {
	t.Helper()
	r := w.As("ada")
	if _, err := r.StopWorkspace(w.Context(), ws.ID); err != nil {
		t.Fatal(err)
	}
	w.follow(t, ws)
	ws, err := r.StartWorkspace(w.Context(), ws.ID)
	if err != nil {
		t.Fatal(err)
	}
	if ws, _ = w.follow(t, ws); ws.Phase != "running" {
		t.Fatal(ws.Message)
	}
}

func (w world) broken(t *testing.T) {
	w.commit(t, "broken", map[string]string{".devcontainer/devcontainer.json": "{\n  // no\n  \"privileged\": true,\n  \"mounts\": [\"type=bind,source=/,target=/host\"]\n}\n"})
	o := api.Order{ContextURL: host + repo + "/tree/broken"}
	ws, _ := w.begin(t, o)
	if ws.Phase != "stopped" || !strings.Contains(ws.Message, ".devcontainer/devcontainer.json:3:") || !strings.Contains(ws.Message, "privileged") ||
		!strings.Contains(ws.Message, "devcontainer.json:4:") || !strings.Contains(ws.Message, "--file none") {
		t.Errorf("%s: %s", ws.Phase, ws.Message)
	}
	o.File = "none"
	if ws, _ := w.begin(t, o); ws.Phase != "running" {
		t.Error("without the file:", ws.Message)
	}
	// A start that failed is tried again on what the branch says by then.
	w.commit(t, "broken", map[string]string{".devcontainer/devcontainer.json": `{"containerEnv": {"MENDED": "yes"}}`})
	ws, err := w.As("ada").StartWorkspace(w.Context(), ws.ID)
	if err != nil {
		t.Fatal(err)
	}
	if ws, _ = w.follow(t, ws); ws.Phase != "running" {
		t.Fatal("mended:", ws.Message)
	}
	w.says(t, ws, "echo $MENDED", "yes")
}

// mergeRequest: the branch of a merge request is checked out, so that what is done for it can be pushed.
func (w world) mergeRequest(t *testing.T) {
	id := w.commit(t, "feature", map[string]string{"feature.txt": "begun\n"})
	w.git(t, t.TempDir(), "update-ref", "refs/merge-requests/7/head", id)
	ws, _ := w.begin(t, api.Order{ContextURL: host + repo + "/-/merge_requests/7"})
	if ws.Phase != "running" {
		t.Fatal(ws.Message)
	}
	w.says(t, ws, "git branch --show-current; echo $LANYARD_COMMIT", "feature\n"+id)
	w.Must("ada", ws, "echo done >> feature.txt && git commit -qam 'Finish the feature' && git push -q")
	if pushed := w.git(t, t.TempDir(), "rev-parse", "feature"); pushed == id {
		t.Error("nothing was pushed")
	}
	alone := w.git(t, t.TempDir(), "commit-tree", "-p", "main", "-m", "From elsewhere", "main^{tree}")
	w.git(t, t.TempDir(), "update-ref", "refs/pull/8/head", alone)
	ws, _ = w.begin(t, api.Order{ContextURL: host + repo + "/pull/8"})
	w.says(t, ws, "git branch --show-current; git rev-parse HEAD", "pull/8\n"+alone)
}

// pushBase puts the base image into a registry.
func pushBase(t *testing.T, r *imagetest.Registry) string {
	t.Helper()
	return pushBaseAs(t, r, "team/base:1")
}

func pushBaseAs(t *testing.T, r *imagetest.Registry, as string) string {
	t.Helper()
	return r.Push(t, as, imagetest.FromTar(t, harness.BaseImage(t), v1.Config{Env: []string{"PATH=/usr/local/bin:/usr/bin:/bin", "FROM_IMAGE=yes"}}))
}

// images: three files of the parsers' tests, with the base image of these tests in the place of their own.
func (w world) images(t *testing.T, registry *imagetest.Registry, ref string) {
	w.commit(t, "sandbox-1", map[string]string{".gitpod.yml": "image: " + ref + "\n" + sample(t, "gitpod/env-types.yml")})
	w.commit(t, "sandbox-2", map[string]string{".devcontainer.json": sample(t, "devcontainer/lifecycle.json", "debian:12", ref, "npm start", "touch /tmp/started",
		"npm run types", "true", `"bash", "scripts/db.sh", "--seed"`, `"touch", "/tmp/seeded"`, "apt-get update", "true", "make deps", "true")})
	w.commit(t, "sandbox-3", map[string]string{".devcontainer/devcontainer.json": sample(t, "devcontainer/workspace-folder.json", "debian:12", ref), "services/api/main.go": "package main\n"})

	one := w.runs(t, "sandbox-1")
	w.says(t, one, "cat /etc/debian_version; echo $FROM_IMAGE $PORT $GREETING", "yes 8080 hello, world")
	if !strings.Contains(one.Image, "@sha256:") {
		t.Errorf("the image is %q", one.Image)
	}
	two := w.runs(t, "sandbox-2")
	w.says(t, two, "ls /tmp/started /tmp/seeded /tmp/starts", "/tmp/seeded\n/tmp/started\n/tmp/starts")
	three := w.runs(t, "sandbox-3")
	w.says(t, three, "pwd; echo $ROOT $HERE", "/workspace/api/services/api\n/workspace/api api")

	spoil := func(rw http.ResponseWriter, _ *http.Request) bool {
		http.Error(rw, "gone", http.StatusInternalServerError)
		return true
	}
	registry.Spoil.Store(&spoil)
	defer registry.Spoil.Store(nil)
	ws, _ := w.begin(t, api.Order{ContextURL: host + repo + "/tree/sandbox-1"})
	if ws.Phase != "stopped" || !strings.Contains(ws.Message, "Getting the image "+ref+" failed") {
		t.Errorf("a registry that fails: %s: %s", ws.Phase, ws.Message)
	}
}
