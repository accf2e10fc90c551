package sandbox

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/runtimetest"
)

// built are the programs that tests run inside, made once by TestMain.
var built struct {
	agent, probe string
	missing      string // why there can be no sandbox here
}

func TestMain(m *testing.M) { os.Exit(run(m)) }

// envBuilt names the folder of the programs for a run of this test as another user.
const envBuilt = "LANYARD_TEST_BUILT"

func run(m *testing.M) int {
	if dir := os.Getenv(envBuilt); dir != "" {
		built.agent, built.probe = filepath.Join(dir, "lanyard-agent"), filepath.Join(dir, "probe")
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "sbxbin")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if _, err := exec.LookPath("bwrap"); err != nil {
		built.missing = "bubblewrap is not installed"
	} else if err := build(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := m.Run()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

func build(dir string) error {
	built.agent, built.probe = filepath.Join(dir, "lanyard-agent"), filepath.Join(dir, "probe")
	for out, pkg := range map[string]string{built.agent: "../../../cmd/lanyard-agent", built.probe: "./testdata/probe"} {
		cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		if err := cmd.Run(); err != nil {
			return fmt.Errorf("build %s: %w", pkg, err)
		}
	}
	return nil
}

// need skips a test that this machine cannot run, and says why.
func need(t *testing.T) {
	t.Helper()
	if built.missing != "" {
		t.Skip(built.missing)
	}
}

// dataFolder is a data folder that workspaces' users can walk to; t.TempDir is not.
func dataFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sbx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o711); err != nil {
		t.Fatal(err)
	}
	return dir
}

func config(data string) Config {
	return Config{Data: data, AgentPath: built.agent, Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
}

func harness(t *testing.T) runtimetest.Harness {
	t.Helper()
	need(t)
	data := dataFolder(t)
	return runtimetest.Harness{
		Open: func(t *testing.T) workspace.Runtime {
			r, err := New(config(data))
			if err != nil {
				t.Fatal(err)
			}
			return r
		},
		Sockets: filepath.Join(data, "run"),
	}
}

func TestConformance(t *testing.T) { runtimetest.Run(t, harness) }

// The same for a server that is not root: workspaces then run as its own user.
func TestConformanceAsOrdinaryUser(t *testing.T) {
	need(t)
	if os.Geteuid() != 0 {
		t.Skip("TestConformance ran as an ordinary user already")
	}
	if testing.Short() {
		t.Skip("-short: a second run of the suite")
	}
	asOrdinaryUser(t, "TestConformance", "TestConformance/StartsAndRunsCommands")
}

// asOrdinaryUser runs a test of this binary as a user who is not root, and wants one of its parts to pass.
func asOrdinaryUser(t *testing.T, test, part string, env ...string) {
	t.Helper()
	const user = 209999
	home, err := os.MkdirTemp("", "sbxuser")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(home)
	if err := os.Chown(home, user, user); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(built.agent), 0o755); err != nil {
		t.Fatal(err)
	}
	self := filepath.Join(home, "sandbox.test") // where go test puts the binary, other users may not walk
	if err := copyFile(os.Args[0], self); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, "-test.run=^"+test+"$", "-test.v")
	cmd.Dir = home
	cmd.Env = append(env, "PATH="+os.Getenv("PATH"), "TMPDIR="+home, "HOME="+home, envBuilt+"="+filepath.Dir(built.agent))
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}}
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "PASS: "+part) {
		t.Fatalf("%v\n%s", err, out)
	}
}

func copyFile(from, to string) error {
	b, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, b, 0o755)
}
