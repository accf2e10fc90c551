// Package prebuild_test has prebuilds made by a whole server, in sandboxes, and starts workspaces from them.
package prebuild_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const repo = "https://legacy.example.test/payments/legacy"

type world struct{ *harness.World }

// newWorld starts the sample world, in which the repository that has a credential of the server's own gets prebuilds.
func newWorld(t *testing.T, flags ...string) world {
	t.Helper()
	w := world{harness.StartOn(t, func(string) {}, flags...)}
	w.asEver(t)
	return w
}

// asEver has prebuilds made of main and of wip/*, and waits until that is in force.
func (w world) asEver(t *testing.T) {
	t.Helper()
	w.wants(t, `{branches: [main, "wip/*"]}`)
	w.Eventually("the project's file is in force", func() bool {
		_, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo + "/tree/polled"})
		return err != nil && (strings.Contains(err.Error(), "There is no branch polled") || strings.Contains(err.Error(), "has no prebuilds of the branch polled"))
	})
}

// wants writes which prebuilds there are into the project's file.
func (w world) wants(t *testing.T, prebuilds string) {
	t.Helper()
	path := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, after, _ := strings.Cut(string(text), "- url: "+repo+"\n")
	if line, rest, _ := strings.Cut(after, "\n"); strings.HasPrefix(line, "    prebuilds:") {
		after = rest
	}
	if err := os.WriteFile(path, []byte(before+"- url: "+repo+"\n    prebuilds: "+prebuilds+"\n"+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// commit puts files on a branch of the repository at the Git server, on top of another commit, and returns the commit.
func (w world) commit(t *testing.T, branch, on string, files map[string]string) string {
	t.Helper()
	tree := t.TempDir()
	git := func(args ...string) string {
		cmd := exec.CommandContext(t.Context(), "git", args...)
		cmd.Env = append(os.Environ(), "GIT_DIR="+filepath.Join(w.Data, "legacy", "payments/legacy.git"), "GIT_WORK_TREE="+tree, "GIT_INDEX_FILE="+filepath.Join(tree, ".index"),
			"GIT_CONFIG_NOSYSTEM=1", "HOME="+tree, "GIT_AUTHOR_NAME=Ada", "GIT_AUTHOR_EMAIL=ada@contoso.example", "GIT_COMMITTER_NAME=Ada", "GIT_COMMITTER_EMAIL=ada@contoso.example")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git("read-tree", on)
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(tree, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		git("add", "-f", "--", name)
	}
	id := git("commit-tree", "-p", on, "-m", "What is made", git("write-tree"))
	git("update-ref", "refs/heads/"+branch, id)
	return id
}

// made has a prebuild made and waits until it is, or has failed.
func (w world) made(t *testing.T, branch string) api.Prebuild {
	t.Helper()
	p, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo + "/tree/" + branch})
	if err != nil {
		t.Fatal(err)
	}
	return w.ended(t, p.ID)
}

func (w world) ended(t *testing.T, id string) (p api.Prebuild) {
	t.Helper()
	w.Eventually("the prebuild has ended", func() bool {
		var err error
		if p, err = w.As("grace").Prebuild(w.Context(), id); err != nil {
			t.Fatal(err)
		}
		return p.Ended != nil
	})
	t.Logf("%s %s %s: %s\n%s", p.ID, p.Ref, p.State, p.Message, p.Log)
	return p
}

// workspace starts one that ends with the test.
func (w world) workspace(t *testing.T, branch string) api.Workspace {
	t.Helper()
	ws := w.Workspace("ada", repo+"/tree/"+branch)
	t.Cleanup(func() {
		if err := w.As("ada").ForceDeleteWorkspace(w.Context(), ws.ID); err != nil {
			t.Error(err)
		}
	})
	return ws
}

// says waits until a line in the workspace prints what is wanted.
func (w world) says(t *testing.T, ws api.Workspace, line, want string) {
	t.Helper()
	got := ""
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		var err error
		if got, _, err = w.TryExec(w.Context(), "ada", ws, line); err != nil {
			t.Fatal(err)
		}
		if got == want {
			return
		}
	}
	t.Fatalf("%s says\n%q\nand not\n%q", line, got, want)
}

const tasks = `tasks:
  - name: make
    init: |
      mkdir made && echo built > made/out && touch ../ran
      for other in https://git.example.test/payments/api https://git.example.test/payments/assets; do
        git ls-remote $other && touch made/leak
      done
      git push origin HEAD:refs/heads/wip/mine && touch made/pushed
      curl -fs --max-time 5 http://127.0.0.1:7070/r/ledger/ && touch made/app
      lanyard token --audience reports && touch made/token
      lanyard env list && touch made/env
      true
    command: cat made/out > /tmp/seen
`

// Tasks of a prebuild try what a person may; what others prepared for a branch of theirs, or in a fork, nobody else begins with.
func TestAttack30PrebuildsPoisonNobody(t *testing.T) {
	w := newWorld(t, "--running", "2")
	first := w.commit(t, "main", "main", map[string]string{".gitpod.yml": tasks, ".gitignore": "made\n"})
	var kept api.Prebuild
	t.Run("made and used", func(t *testing.T) { kept = w.madeAndUsed(t, first) })
	if t.Failed() {
		return
	}
	t.Run("a branch after it", func(t *testing.T) { w.after(t, kept) })
	t.Run("another branch's", w.poisoned)
	t.Run("a fork's", w.forked)
	t.Run("a push", w.pushed)
	t.Run("a poll and a schedule", w.paced)
	t.Run("room for a workspace", w.aside)
	t.Run("one that fails", func(t *testing.T) { w.fails(t, first, kept) })
	t.Run("deleting", func(t *testing.T) { w.deletes(t, kept) })
	t.Run("a server that is killed", w.killed)
}

// What a prebuild's tasks try to reach they do not, and a workspace begins with what they made.
func (w world) madeAndUsed(t *testing.T, commit string) api.Prebuild {
	if _, err := w.As("ada").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo}); err == nil || !strings.Contains(err.Error(), "repo:maintain") && !strings.Contains(err.Error(), "maintainer") {
		t.Errorf("a developer had one made: %v", err)
	}
	p := w.made(t, "main")
	if p.State != "done" || p.Commit != commit || p.Size == 0 {
		t.Fatalf("%+v", p)
	}
	ws := w.workspace(t, "main")
	if ws.Prebuild != p.ID {
		t.Errorf("the workspace began with %q", ws.Prebuild)
	}
	w.says(t, ws, "cat made/out; ls made; ls ..", "built\nout\nlegacy\n")
	w.says(t, ws, "git rev-parse HEAD; git rev-parse --abbrev-ref HEAD@{upstream}; git status --porcelain", commit+"\norigin/main\n")
	w.says(t, ws, "cat /tmp/seen", "built\n") // command ran, init did not: /workspace/ran is not there
	return p
}

// A branch that goes on from what was built begins with it, and has what is new.
func (w world) after(t *testing.T, kept api.Prebuild) {
	id := w.commit(t, "feature", "main", map[string]string{"new.txt": "new\n"})
	ws := w.workspace(t, "feature")
	if ws.Prebuild != kept.ID {
		t.Errorf("the workspace began with %q", ws.Prebuild)
	}
	w.says(t, ws, "cat made/out new.txt; git rev-parse HEAD; git rev-parse --abbrev-ref HEAD@{upstream}", "built\nnew\n"+id+"\norigin/feature\n")
}

// A push through the gateway has one made.
func (w world) pushed(t *testing.T) {
	ws := w.workspace(t, "main")
	w.Must("ada", ws, "git checkout -q -b wip/pushed && git commit -q --allow-empty -m more && git push -q origin wip/pushed")
	var id string
	w.Eventually("the push has one made", func() bool {
		all, err := w.As("ada").Prebuilds(w.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range all {
			if p.Ref == "refs/heads/wip/pushed" && p.Cause == "push" {
				id = p.ID
			}
		}
		return id != ""
	})
	if p := w.ended(t, id); p.State != "done" {
		t.Errorf("%+v", p)
	}
}

// One that failed is told, and no workspace begins with it.
func (w world) fails(t *testing.T, on string, kept api.Prebuild) {
	w.commit(t, "wip/broken", on, map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'echo about to fail; exit 3'}]\n"})
	p := w.made(t, "wip/broken")
	if p.State != "failed" || !strings.Contains(p.Message, "init failed with status 3") || !strings.Contains(p.Log, "about to fail") {
		t.Fatalf("%+v", p)
	}
	if ws := w.workspace(t, "wip/broken"); ws.Prebuild != kept.ID {
		t.Errorf("the workspace began with %q", ws.Prebuild)
	}
}

func (w world) deletes(t *testing.T, kept api.Prebuild) {
	if err := w.As("ada").DeletePrebuild(w.Context(), kept.ID); err == nil {
		t.Error("a developer deleted one")
	}
	if err := w.As("grace").DeletePrebuild(w.Context(), kept.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.As("grace").Prebuild(w.Context(), kept.ID); err == nil {
		t.Error("it is there")
	}
	if ws := w.workspace(t, "main"); ws.Prebuild != "" {
		t.Errorf("the workspace began with %q", ws.Prebuild)
	}
	w.commit(t, "wip/long", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'sleep 300'}]\n"})
	long, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo + "/tree/wip/long"})
	if err != nil {
		t.Fatal(err)
	}
	w.Eventually("it is being made", func() bool {
		p, err := w.As("grace").Prebuild(w.Context(), long.ID)
		return err == nil && p.State == "running"
	})
	if err := w.As("grace").DeletePrebuild(w.Context(), long.ID); err != nil {
		t.Fatal(err)
	}
	if p := w.made(t, "main"); p.State != "done" { // which waits for nothing
		t.Errorf("%+v", p)
	}
	if _, err := w.As("grace").Prebuild(w.Context(), long.ID); err == nil {
		t.Error("what was deleted while it was made is there")
	}
}

// A server that dies while one is made leaves neither its workspace nor a prebuild that could be used, and goes on with those
// that wait.
func (w world) killed(t *testing.T) {
	w.commit(t, "wip/slow", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'sleep 300'}]\n"})
	w.commit(t, "wip/next", "main", map[string]string{".gitpod.yml": "tasks: [{name: make, init: 'true'}]\n"})
	var ids []string
	for _, branch := range []string{"wip/slow", "wip/next"} {
		p, err := w.As("grace").RunPrebuild(w.Context(), api.RunPrebuild{ContextURL: repo + "/tree/" + branch})
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, p.ID)
	}
	folders := func() map[string]bool {
		all, err := os.ReadDir(filepath.Join(w.Data, "server", "sandbox", "w"))
		if err != nil {
			t.Fatal(err)
		}
		names := map[string]bool{}
		for _, f := range all {
			names[f.Name()] = true
		}
		return names
	}
	w.Eventually("it is being made", func() bool {
		p, err := w.As("grace").Prebuild(w.Context(), ids[0])
		return err == nil && p.State == "running" && len(folders()) > 0
	})
	during := folders()
	w.Kill()
	w.Run()
	if p := w.ended(t, ids[0]); p.State != "failed" || !strings.Contains(p.Message, "stopped") {
		t.Errorf("%+v", p)
	}
	if p := w.ended(t, ids[1]); p.State != "done" {
		t.Errorf("%+v", p)
	}
	w.Eventually("their workspaces are gone", func() bool {
		for name := range folders() {
			if during[name] {
				return false
			}
		}
		return len(folders()) == 0
	})
}

// The same in a container of an engine, from the image of these tests.
func TestDocker(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("starts an engine: LANYARD_SLOW=1 runs it; the sandbox is tested always, and both runtimes by one suite")
	}
	e := harness.Docker(t)
	t.Setenv("DOCKER_HOST", "unix://"+e.Socket)
	w := newWorld(t, "--runtime", "docker", "--image", e.Image)
	commit := w.commit(t, "main", "main", map[string]string{".gitpod.yml": tasks, ".gitignore": "made\n"})
	w.madeAndUsed(t, commit)
}
