// Package laptop tests working from somebody's own machine with the whole program: Git without a password, ports and shells of a
// workspace, and how they end.
package laptop

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	payments = "https://git.example.test/payments/api"
	shop     = "https://git.example.test/shop/web"
)

// machine is Ada's laptop, with her own Git on it.
type machine struct {
	*harness.Laptop
	t *testing.T
}

func newMachine(t *testing.T, w *harness.World, who string) machine {
	t.Helper()
	m := machine{harness.NewLaptop(w, who), t}
	m.must("git", "config", "--global", "user.name", "Somebody on a laptop")
	m.must("git", "config", "--global", "user.email", "somebody@example.test")
	return m
}

// path is PATH with the program first, as it is installed.
func (m machine) path() string {
	return m.World.Bin() + string(filepath.ListSeparator) + os.Getenv("PATH")
}

func (m machine) program(dir, name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	if dir == "" {
		cmd.Dir = m.Dir
	}
	cmd.Env = append(m.Command().Env, "PATH="+m.path(), "GIT_TERMINAL_PROMPT=0", "GIT_CONFIG_NOSYSTEM=1")
	return cmd
}

// in runs a program in a folder and returns what it said, and its exit status.
func (m machine) in(dir, name string, args ...string) (string, int) {
	m.t.Helper()
	cmd := m.program(dir, name, args...)
	out, err := cmd.CombinedOutput()
	if err != nil && cmd.ProcessState == nil {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

func (m machine) mustIn(dir, name string, args ...string) string {
	m.t.Helper()
	out, status := m.in(dir, name, args...)
	if status != 0 {
		m.t.Fatalf("%s %s: %d\n%s", name, strings.Join(args, " "), status, out)
	}
	return out
}

func (m machine) must(name string, args ...string) string {
	m.t.Helper()
	return m.mustIn("", name, args...)
}

func (m machine) lanyard(args ...string) string {
	m.t.Helper()
	return m.must(m.World.Program(), args...)
}

// world is one server for all that follows; each test is a person of it.
func TestLaptop(t *testing.T) {
	w := harness.Start(t)
	t.Run("git", func(t *testing.T) { testGit(t, w) })
	t.Run("TestAttack17StolenTokensAtDataPaths", func(t *testing.T) { testStolen(t, w) })
	t.Run("connect", func(t *testing.T) { testConnect(t, w) })
	t.Run("ports and shells", func(t *testing.T) { testPorts(t, w) }) // ends all sessions of Ada
}

// A clone that lanyard made, and one that it set up, fetch and push as the person; nothing is kept in them.
func testGit(t *testing.T, w *harness.World) {
	m := newMachine(t, w, "ada")
	if out, status := m.in("", w.Program(), "git", "clone", payments); status != 4 || !strings.Contains(out, "lanyard login") {
		t.Errorf("signed in nowhere: %d %s", status, out)
	}
	m.SignIn()
	m.lanyard("git", "clone", payments, "api")
	api := filepath.Join(m.Dir, "api")
	if out := m.mustIn(api, "git", "log", "-1", "--format=%s"); strings.TrimSpace(out) == "" {
		t.Errorf("log: %s", out)
	}
	if out := m.mustIn(api, "git", "config", "remote.origin.url"); strings.TrimSpace(out) != payments {
		t.Errorf("the remote is %s", out)
	}
	m.mustIn(api, "git", "fetch", "origin")
	m.mustIn(api, "git", "checkout", "-q", "-b", "from-a-laptop")
	if err := os.WriteFile(filepath.Join(api, "laptop.bin"), make([]byte, 3<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	m.mustIn(api, "sh", "-c", "head -c 3000000 /dev/urandom > laptop.bin && git add . && git commit -qm 'From a laptop'")
	m.mustIn(api, "git", "push", "-q", "origin", "HEAD")
	log, err := os.ReadFile(w.Info.GitLog)
	if err != nil || !strings.Contains(string(log), "push payments/api refs/heads/from-a-laptop") {
		t.Errorf("the upstream's log: %v\n%s", err, log)
	}
	if out, status := m.in("", w.Program(), "git", "clone", shop, "web"); status == 0 || !strings.Contains(out, "There is no repository") {
		t.Errorf("another project's repository: %d %s", status, out)
	}

	// What Lanyard refuses, Git says, with what to do.
	m.lanyard("git", "clone", "https://git.example.test/payments/assets", "assets", "--", "--quiet", "--depth", "1")
	m.mustIn(filepath.Join(m.Dir, "assets"), "git", "commit", "-q", "--allow-empty", "-m", "A logo")
	if out, status := m.in(filepath.Join(m.Dir, "assets"), "git", "push", "origin", "HEAD"); status == 0 || !strings.Contains(out, "lanyard request") {
		t.Errorf("a push that takes an approval: %d %s", status, out)
	}

	// What the clone says leads only through the server; nothing in it is a secret.
	config, err := os.ReadFile(filepath.Join(api, ".git", "config"))
	if err != nil || !strings.Contains(string(config), "lanyard::"+w.Info.URL+"/git/git.example.test/payments/api") {
		t.Errorf("the clone's configuration: %v\n%s", err, config)
	}
	for _, word := range []string{"Lanyard-Key", "extraHeader", "Authorization", "token"} {
		if strings.Contains(string(config), word) {
			t.Errorf("the clone's configuration holds %s:\n%s", word, config)
		}
	}

	// Set up by hand, and undone.
	m.mustIn(api, "git", "remote", "set-url", "origin", payments+".git")
	if out := m.mustIn(api, w.Program(), "git", "undo"); !strings.Contains(out, payments) {
		t.Errorf("undo: %s", out)
	}
	if out := m.mustIn(api, "git", "config", "--local", "--list"); strings.Contains(out, "lanyard") {
		t.Errorf("after undo:\n%s", out)
	}
	for range 2 { // the second time changes nothing
		if out := m.mustIn(api, w.Program(), "git", "setup"); !strings.Contains(out, "origin ("+payments+".git) goes through "+w.Info.URL) {
			t.Errorf("setup: %s", out)
		}
	}
	if out := m.mustIn(api, "git", "config", "--get-regexp", `^url\.`); strings.Count(out, "\n") != 2 {
		t.Errorf("after setting up twice:\n%s", out)
	}
	m.mustIn(api, "git", "fetch", "origin", "from-a-laptop")
	m.must("git", "init", "-q", "other")
	if out, status := m.in(filepath.Join(m.Dir, "other"), w.Program(), "git", "setup"); status != 1 || !strings.Contains(out, "No remote") {
		t.Errorf("a clone of nothing: %d %s", status, out)
	}

	m.lanyard("logout")
	if out, status := m.in(api, "git", "fetch", "origin"); status == 0 || !strings.Contains(out, "lanyard login") || strings.Contains(out, "Password") {
		t.Errorf("after logout: %d %s", status, out)
	}
}

// Programs that know nothing of Lanyard go through `lanyard connect`: with a command of its own, or all of somebody's Git while
// it runs.
func testConnect(t *testing.T, w *harness.World) {
	m := newMachine(t, w, "ada")
	m.SignIn()
	if out := m.lanyard("connect", "--", "sh", "-c", `curl -sSf -H "$LANYARD_HEADER" "$LANYARD_URL/r/ledger/whoami"`); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("the API says %s", out)
	}
	m.lanyard("connect", "--", "git", "clone", "-q", payments, "by-command")
	if out, status := m.in("", w.Program(), "connect", "--", "sh", "-c", `curl -sS "$LANYARD_URL/r/ledger/whoami"; exit 9`); status != 9 || !strings.Contains(out, "told its key") {
		t.Errorf("without the key: %d %s", status, out)
	}

	background := m.program("", w.Program(), "connect")
	said := &harness.Buffer{}
	background.Stdout, background.Stderr = said, said
	if err := background.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- background.Wait() }()
	t.Cleanup(func() { _ = background.Process.Kill() }) // gone already is as good
	w.Eventually("connected", func() bool { return strings.Contains(said.String(), "curl -H @") })
	m.must("git", "clone", "-q", payments, "in-the-background")
	m.must("env", "GIT_PROTOCOL_FROM_USER=0", "git", "ls-remote", "-q", payments) // as Git clones submodules
	line := said.String()[strings.Index(said.String(), "curl"):]
	if out := m.must("sh", "-c", strings.Replace(strings.TrimSpace(line), "/r/APP/", "/r/ledger/whoami", 1)); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("the API says %s", out)
	}
	if out, status := m.in("", w.Program(), "connect"); status != 2 || !strings.Contains(out, "runs already") {
		t.Errorf("a second one: %d %s", status, out)
	}
	_ = background.Process.Kill()
	<-ended
	m.must("git", "clone", "-q", payments, "after-it-was-killed")

	background, said = m.program("", w.Program(), "connect"), &harness.Buffer{}
	background.Stdout, background.Stderr = said, said
	if err := background.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { ended <- background.Wait() }()
	w.Eventually("connected again", func() bool { return strings.Contains(said.String(), "curl -H @") })
	_ = background.Process.Signal(os.Interrupt)
	if err := <-ended; err != nil {
		t.Errorf("connect ended with %v: %s", err, said)
	}
	if out, status := m.in("", "git", "config", "--global", "--get-all", "include.path"); status != 1 || out != "" {
		t.Errorf("what is left in the configuration: %d %s", status, out)
	}
	if left, err := filepath.Glob(filepath.Join(m.Dir, "lanyard", "connect", "*")); err != nil || len(left) != 1 { // the lock
		t.Errorf("what is left: %v %v", left, err)
	}
}
