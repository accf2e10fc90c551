package agent

import (
	"errors"
	"net/http"
	"net/http/cgi"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const sampleURL = "https://git.example.test/payments/api"

// gitServer serves a sample repository below /git/git.example.test/, as the gateway would; its hashes come back.
func gitServer(t *testing.T) (h http.Handler, first, second string) {
	t.Helper()
	root := t.TempDir()
	work, bare := filepath.Join(root, "work"), filepath.Join(root, "payments", "api")
	git := func(dir string, args ...string) string {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_SYSTEM=/dev/null",
			"GIT_AUTHOR_NAME=a", "GIT_AUTHOR_EMAIL=a@example.test", "GIT_COMMITTER_NAME=a", "GIT_COMMITTER_EMAIL=a@example.test")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git(root, "init", "-q", "-b", "main", work)
	for _, name := range []string{"one", "two"} {
		if err := os.WriteFile(filepath.Join(work, name), []byte(name), 0o644); err != nil {
			t.Fatal(err)
		}
		git(work, "add", name)
		git(work, "commit", "-q", "-m", name)
	}
	first, second = git(work, "rev-parse", "HEAD~1"), git(work, "rev-parse", "HEAD")
	git(work, "branch", "topic/one", first)
	git(work, "branch", "deadbeef", first)
	git(work, "tag", "v1", first)
	git(root, "clone", "-q", "--bare", work, bare)
	git(bare, "config", "http.receivepack", "true")
	backend := &cgi.Handler{
		Path: filepath.Join(git(root, "--exec-path"), "git-http-backend"),
		Root: "/git/git.example.test",
		Env:  []string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"},
	}
	return backend, first, second
}

func setupOf(w *world, url, ref string) agentapi.Setup {
	return agentapi.Setup{
		Name: "api", Repository: &agentapi.Repository{URL: url, Ref: ref}, GitHosts: []string{"git.example.test"},
		Author:    agentapi.Author{Name: `Jörg "J" O'Neil \ Söhne`, Mail: "joerg@contoso.example"},
		GitConfig: []agentapi.GitSetting{{Key: "alias.st", Value: "status # no comment"}, {Key: "branch.a.b.rebase", Value: "true"}},
		Env:       map[string]string{"GIT_CONFIG_SYSTEM": w.gitSystem, "LANYARD_WORKSPACE_ID": string(w.id)},
	}
}

func TestSetupClonesOnce(t *testing.T) {
	server, _, second := gitServer(t)
	w := newWorld(t, server)
	var said []string
	if err := w.agent().Setup(testContext(t), setupOf(w, sampleURL, ""), func(p agentapi.Progress) { said = append(said, p.Phase+": "+p.Text) }); err != nil {
		t.Fatal(err)
	}
	if all := strings.Join(said, "\n"); !strings.Contains(all, "clone: git clone "+sampleURL) || !strings.Contains(all, "remote: Total ") {
		t.Errorf("progress: %s", all)
	}
	for script, want := range map[string]string{
		"git rev-parse HEAD":                     second,
		"git symbolic-ref --short HEAD":          "main",
		"git config remote.origin.url":           sampleURL,
		"git config user.name":                   `Jörg "J" O'Neil \ Söhne`,
		"git config user.email":                  "joerg@contoso.example",
		"git config alias.st":                    "status # no comment",
		"git config branch.a.b.rebase":           "true",
		"pwd":                                    w.workspace("api"),
		"echo $LANYARD_WORKSPACE_ID":             string(w.id),
		"echo $GITPOD_REPO_ROOT":                 w.workspace("api"),
		"git status --porcelain":                 "",
		"ls -A ..":                               "api",
		"stat -c %a ~/.config/lanyard/gitconfig": "644",
		"git ls-remote git@git.example.test:payments/api main | cut -f1": second,
	} {
		if code, out := w.exec(script); code != 0 || strings.TrimSuffix(out, "\n") != want {
			t.Errorf("%s: %d %q, want %q", script, code, out, want)
		}
	}
	// A clone and a push by hand, through the loopback address.
	if code, out := w.exec("cd .. && git clone -q " + sampleURL + " again && cd again && echo x > x && git add x && git commit -qm x && git push -q origin HEAD:refs/heads/pushed && git ls-remote origin pushed | grep ."); code != 0 {
		t.Errorf("%d %s", code, out)
	}
	// Again, with something of the person's in the checkout: nothing is cloned, nothing is lost.
	w.exec("echo mine > mine; git config --global user.name Person")
	said = nil
	if err := w.agent().Setup(testContext(t), setupOf(w, sampleURL, ""), func(p agentapi.Progress) { said = append(said, p.Phase) }); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(strings.Join(said, " "), "clone") {
		t.Errorf("cloned again: %v", said)
	}
	if _, out := w.exec("cat mine; git config user.name"); out != "mine\nPerson\n" {
		t.Errorf("%q", out)
	}
	if s, err := w.agent().Status(testContext(t)); err != nil || s.Name != "api" || !s.Ready {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestSetupChecksOutTheRef(t *testing.T) {
	server, first, _ := gitServer(t)
	for name, ref := range map[string]string{"branch": "topic/one", "tag": "v1", "commit": first, "short commit": first[:10], "branch like a commit": "deadbeef"} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, server)
			if err := w.agent().Setup(testContext(t), setupOf(w, sampleURL, ref), nil); err != nil {
				t.Fatal(err)
			}
			if _, out := w.exec("git rev-parse HEAD"); strings.TrimSpace(out) != first {
				t.Errorf("HEAD is %s, want %s", out, first)
			}
		})
	}
}

func TestSetupSaysWhatGitSays(t *testing.T) {
	server, _, _ := gitServer(t)
	w := newWorld(t, server)
	for url, want := range map[string]string{sampleURL: "Remote branch absent not found", "https://git.example.test/payments/none": "not found"} {
		err := w.agent().Setup(testContext(t), setupOf(w, url, "absent"), nil)
		if problem.KindOf(err) != problem.BadUpstream || !strings.Contains(problem.Message(err), want) {
			t.Errorf("%s: %v", url, err)
		}
	}
	if entries, err := os.ReadDir(w.workspace()); err != nil || len(entries) != 0 {
		t.Errorf("a failed clone left %v (%v)", entries, err)
	}
	if err := w.agent().Setup(testContext(t), setupOf(w, sampleURL, ""), nil); err != nil {
		t.Errorf("after the failures: %v", err)
	}
}

// Nothing that comes from a URL becomes an option of Git, a command, or a path elsewhere.
func TestAttack29SetupRefusesOptions(t *testing.T) {
	w := newWorld(t, nil)
	canary := filepath.Join(w.root, "canary")
	for what, change := range map[string]func(*agentapi.Setup){
		"option as address":  func(s *agentapi.Setup) { s.Repository.URL = "--upload-pack=touch " + canary },
		"ext transport":      func(s *agentapi.Setup) { s.Repository.URL = "ext::sh -c touch% " + canary },
		"local path":         func(s *agentapi.Setup) { s.Repository.URL = "/etc" },
		"file address":       func(s *agentapi.Setup) { s.Repository.URL = "file:///etc" },
		"ssh option":         func(s *agentapi.Setup) { s.Repository.URL = "ssh://-oProxyCommand=touch/x" },
		"password":           func(s *agentapi.Setup) { s.Repository.URL = "https://user:secret@git.example.test/x" },
		"line break":         func(s *agentapi.Setup) { s.Repository.URL = sampleURL + "\n--upload-pack=x" },
		"option as ref":      func(s *agentapi.Setup) { s.Repository.Ref = "--upload-pack=touch " + canary },
		"short option":       func(s *agentapi.Setup) { s.Repository.Ref = "-u" },
		"control in ref":     func(s *agentapi.Setup) { s.Repository.Ref = "main\x1b[c" },
		"name upwards":       func(s *agentapi.Setup) { s.Name = ".." },
		"name elsewhere":     func(s *agentapi.Setup) { s.Name = "../home/x" },
		"name as option":     func(s *agentapi.Setup) { s.Name = "-x" },
		"host with a quote":  func(s *agentapi.Setup) { s.GitHosts = []string{"x\"]\n[core]\n\tsshCommand = touch " + canary} },
		"setting's new line": func(s *agentapi.Setup) { s.GitConfig = []agentapi.GitSetting{{Key: "core\n.x", Value: "y"}} },
		"variable's name":    func(s *agentapi.Setup) { s.Env = map[string]string{"A=B": "c"} },
	} {
		s := setupOf(w, sampleURL, "")
		change(&s)
		err := w.agent().Setup(testContext(t), s, nil)
		var p *problem.Error
		if !errors.As(err, &p) {
			t.Errorf("%s: %v", what, err)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the password is in the error: %v", what, err)
		}
	}
	if _, err := os.Stat(canary); err == nil {
		t.Error("something ran a command")
	}
	if entries, err := os.ReadDir(w.workspace()); err != nil || len(entries) != 0 {
		t.Errorf("left: %v (%v)", entries, err)
	}
	// A value with a line break stays a value.
	s := setupOf(w, sampleURL, "")
	s.Repository = nil
	s.Author.Name = "x\n[core]\n\tsshCommand = touch " + canary
	if err := w.agent().Setup(testContext(t), s, nil); err != nil {
		t.Fatal(err)
	}
	if code, out := w.exec("git config core.sshCommand"); code == 0 {
		t.Errorf("a name became a setting: %s", out)
	}
}

// A clone comes without submodules, and what a checkout's hooks would do is up to the person.
func TestAttack30CloneTakesNoSubmodules(t *testing.T) {
	server, _, _ := gitServer(t)
	w := newWorld(t, server)
	if err := w.agent().Setup(testContext(t), setupOf(w, sampleURL, ""), nil); err != nil {
		t.Fatal(err)
	}
	if _, out := w.exec("git config --get submodule.recurse; git config --get submodule.active; ls .git/modules 2>/dev/null; ls .git/hooks | grep -v sample"); out != "" {
		t.Errorf("%q", out)
	}
}
