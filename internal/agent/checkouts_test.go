package agent

import (
	"context"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// repositories serves repositories below /git/git.example.test/, each with one commit of files, which are executable.
func repositories(t *testing.T, all map[string]map[string]string) (h http.Handler, root string) {
	t.Helper()
	root = t.TempDir()
	git := func(args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = root
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	for name, files := range all {
		work := filepath.Join(t.TempDir(), "work")
		git("init", "-q", "-b", "main", work)
		for file, text := range files {
			if err := os.WriteFile(filepath.Join(work, file), []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		git("-C", work, "add", ".")
		git("-C", work, "commit", "-q", "-m", name)
		git("clone", "-q", "--bare", work, filepath.Join(root, name))
	}
	return &cgi.Handler{
		Path: filepath.Join(git("--exec-path"), "git-http-backend"), Root: "/git/git.example.test",
		Env: []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}, root
}

const exampleHost = "https://git.example.test/"

func TestSetupBringsMoreRepositoriesAndDotfiles(t *testing.T) {
	server, root := repositories(t, map[string]map[string]string{
		"api": {"one": "1"}, "lib": {"two": "2"},
		"dots":  {".toolrc": "mine", "readme": "no"},
		"dots2": {"install.sh": "#!/bin/sh\necho said; pwd; touch ~/installed\n"},
	})
	w := newWorld(t, server)
	s := setupOf(w, exampleHost+"api", "")
	s.More = []agentapi.Repository{{URL: exampleHost + "lib", Folder: "deep/lib"}, {URL: exampleHost + "none", Folder: "none"}}
	s.Dotfiles = &agentapi.Repository{URL: exampleHost + "dots"}
	s.Folder = w.workspace("deep", "lib")
	said := w.setup(s)
	if !strings.Contains(said, exampleHost+"none could not be cloned") {
		t.Errorf("said %s", said)
	}
	for script, want := range map[string]string{
		"pwd": w.workspace("deep", "lib"), "cat two": "2", "cat ../../api/one": "1", "ls -A ../..": "api\ndeep",
		"cat ~/.toolrc": "mine", "ls ~/readme 2>/dev/null || echo none": "none",
	} {
		if _, out := w.exec(script); strings.TrimSpace(out) != want {
			t.Errorf("%s: %q", script, out)
		}
	}
	// A pull request's commit is on a branch of its own, which follows it.
	if out, err := exec.Command("git", "-C", filepath.Join(root, "api"), "update-ref", "refs/pull/7/head", "main").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	w.endAgent(testContext(t))
	if err := os.RemoveAll(filepath.Join(w.root, "home", ".dotfiles")); err != nil {
		t.Fatal(err)
	}
	w.startAgent()
	s.Name, s.Folder, s.Repository.Ref = "pull", "", "refs/pull/7/head"
	s.Dotfiles.URL = exampleHost + "dots2"
	said = w.setup(s)
	if !strings.Contains(said, "running install.sh") {
		t.Errorf("said %s", said)
	}
	for script, want := range map[string]string{
		"git symbolic-ref --short HEAD": "pull/7", "cat one": "1", "git pull -q && git status --short": "",
		"cat ~/.dotfiles.log": "said\n" + filepath.Join(w.root, "home", ".dotfiles"), "ls ~/installed": filepath.Join(w.root, "home", "installed"),
	} {
		if code, out := w.exec(script); code != 0 || strings.TrimSpace(out) != want {
			t.Errorf("%s: %d %q", script, code, out)
		}
	}
	again := w.setup(s)
	if strings.Contains(again, "dotfiles") {
		t.Errorf("installed twice: %s", again)
	}
}

// A workspace whose disk is full starts all the same, so that somebody can make room in it.
func TestSetupWithAFullDisk(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("mounting a small disk takes root")
	}
	w := newWorld(t, nil)
	s := agentapi.Setup{Name: "api", Tasks: []agentapi.Task{{ID: "task-1", Init: "true", Then: "echo wor''ks"}}}
	home := filepath.Join(w.root, "home")
	for _, dir := range []string{home, w.workspace()} {
		if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
			t.Skipf("no small disk can be mounted: %v", err)
		}
		t.Cleanup(func() {
			w.endAgent(context.WithoutCancel(t.Context())) // it would hold the mount
			if err := unix.Unmount(dir, unix.MNT_DETACH); err != nil {
				t.Error(err)
			}
		})
	}
	w.setup(s)
	w.becomes("task-1", agentapi.TaskDone)
	w.endAgent(testContext(t))
	for _, dir := range []string{home, w.workspace()} {
		f, err := os.Create(filepath.Join(dir, "big"))
		if err != nil {
			t.Fatal(err)
		}
		for block := make([]byte, 1<<10); err == nil; {
			_, err = f.Write(block)
		}
		f.Close()
	}
	w.startAgent()
	if said := w.setup(s); !strings.Contains(said, "The disk is full") {
		t.Errorf("said %s", said)
	}
	w.becomes("task-1", agentapi.TaskDone)
	eventually(t, "the task's output is in its log", func() bool { return strings.Contains(w.log("task-1"), "works") })
	a := w.attach("main", agentapi.Size{})
	a.typed("rm ~/big; echo ro''om\n")
	a.until("room")
}
