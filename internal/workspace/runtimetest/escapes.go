package runtimetest

import (
	"bytes"
	"cmp"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// EscapeHarness is what Escapes needs of a runtime.
type EscapeHarness struct {
	Harness
	Probe  string                // the program of sandbox/testdata/probe
	Change func(*workspace.Spec) // image, user; may be nil
	// Root says that the workspace's user is called root inside. It may change what is the container's own.
	Root bool
	// Hidden are paths of the host that are not inside, such as the runtime's own socket and other workspaces' files.
	Hidden func(other identity.WorkspaceID) []string
	// Own are attempts that make sense for this runtime alone; More looks at what only it can say of a workspace.
	Own  func(*Prison) []Attempt
	More func(*testing.T, *Prison)
	// NoMeans are attempts for which this runtime leaves no means even where they would be harmless.
	NoMeans []string
}

// Prison is a running workspace, another beside it, and things of the host that they must not reach.
type Prison struct {
	*Server
	ID, Other identity.WorkspaceID
	h         EscapeHarness
	planted   string // a file that every user of the host may read
	port      string // of a listener on the host's loopback
	abstract  string // name of a listener without a path
}

// Escapes tries to get out of a workspace, each way for real, with a control beside it: the same by the same means where it must
// work, so that no attempt fails for want of the means.
func Escapes(t *testing.T, h EscapeHarness) {
	p := newPrison(t, h)
	own := p.Shell(t, p.ID, "sleep 1000 >/dev/null 2>&1 & echo $!")
	for name, attempts := range map[string][]Attempt{
		"Files": p.files(own), "Processes": p.processes(own), "Network": p.network(t), "Kernel": p.kernel(),
	} {
		t.Run(name, func(t *testing.T) { p.run(t, attempts) })
	}
	if h.Own != nil {
		t.Run("Own", func(t *testing.T) { p.run(t, h.Own(p)) })
	}
	if h.More != nil {
		t.Run("More", func(t *testing.T) { h.More(t, p) })
	}
	t.Run("Signals", p.signals)
	t.Run("Secrets", p.secrets)
	if !h.Root {
		t.Run("SetUserID", p.setUserID)
	}
}

func newPrison(t *testing.T, h EscapeHarness) *Prison {
	t.Helper()
	p := &Prison{h: h, ID: identity.NewWorkspaceID(), Other: identity.NewWorkspaceID()}
	t.Setenv("LANYARD_TEST_SECRET", "planted-in-the-server's-environment")
	dir, err := os.MkdirTemp("", "planted")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p.planted = filepath.Join(dir, "planted")
	if err := os.WriteFile(p.planted, []byte("planted"), 0o644); err != nil {
		t.Fatal(err)
	}
	leaked, err := unix.Open(p.planted, unix.O_RDONLY, 0) // without close-on-exec, as a careless parent leaves one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(leaked) })
	p.Server = NewServer(t, h.Harness)
	p.Server.Change = h.Change
	p.Start(t, p.ID)
	p.Start(t, p.Other)
	p.Shell(t, p.Other, "echo other > /workspace/secret; chmod 644 /workspace/secret")
	p.port = listen(t, "tcp", "127.0.0.1:0")
	p.abstract = "@lanyard-test-" + p.ID.Label()
	listen(t, "unix", p.abstract)
	p.install(t)
	return p
}

// listen accepts on the host and returns the port.
func listen(t *testing.T, network, address string) string {
	t.Helper()
	l, err := net.Listen(network, address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// install puts the probe into the workspace by way of the agent.
func (p *Prison) install(t *testing.T) {
	t.Helper()
	f, err := os.Open(p.h.Probe)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var said bytes.Buffer
	code, err := p.Agent(p.ID).Exec(Context(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "cat > ~/probe && chmod +x ~/probe"}},
		agentapi.Streams{Stdin: f, Stderr: &said})
	if err != nil || code != 0 {
		t.Fatalf("%d, %v, %s", code, err, said.String())
	}
	if got := p.probe(t, "none"); got != "ok" {
		t.Fatalf("the probe does not work inside: %s", got)
	}
}

// probe makes one attempt inside.
func (p *Prison) probe(t *testing.T, attempt string) string {
	t.Helper()
	return p.Shell(t, p.ID, "~/probe "+attempt)
}

// Attempt is one way out, in the probe's words, what must come of it, and a control: the same by the same means where it must work.
type Attempt struct {
	Try     string
	Want    string // regular expression
	Inside  string // control in the workspace
	Outside string // control on the host, as its root
	Result  string // of the controls; empty means "ok"
}

func (p *Prison) run(t *testing.T, attempts []Attempt) {
	t.Helper()
	before := p.Hub.Status(p.ID)
	for _, a := range attempts {
		t.Run(strings.ReplaceAll(a.Try, os.TempDir(), "TMP"), func(t *testing.T) {
			if got := p.probe(t, a.Try); !regexp.MustCompile("^(" + a.Want + ")$").MatchString(got) {
				t.Errorf("%s: %s, want %s", a.Try, got, a.Want)
			}
			want := cmp.Or(a.Result, "ok")
			if a.Inside != "" && !p.noMeans(a.Try) {
				if got := p.probe(t, a.Inside); got != want {
					t.Errorf("the control %s inside: %s, want %s", a.Inside, got, want)
				}
			}
			if a.Outside != "" && os.Geteuid() == 0 {
				out, err := exec.Command(p.h.Probe, strings.Fields(a.Outside)...).CombinedOutput()
				if got := strings.TrimSpace(string(out)); err != nil || got != want {
					t.Errorf("the control %s outside: %s, %v, want %s", a.Outside, got, err, want)
				}
			}
		})
	}
	if now := p.Hub.Status(p.ID); now != before {
		t.Fatalf("the agent is another: %+v, was %+v", now, before)
	}
}

func (p *Prison) noMeans(try string) bool {
	for _, prefix := range p.h.NoMeans {
		if strings.HasPrefix(try, prefix) {
			return true
		}
	}
	return false
}

// signals sends every signal to process 1, in every way that says differently where it comes from; -1 is a thread of it.
func (p *Prison) signals(t *testing.T) {
	before := p.Hub.Status(p.ID)
	for _, way := range []string{"kill 1", "sigqueue 1", "sigqueue -1", "sigqueue-high 1", "tgsigqueue 1", "pidfd-signal 1", "setsig 1"} {
		got := p.Shell(t, p.ID, "for s in $(seq 64); do ~/probe "+way+" $s; done")
		if !regexp.MustCompile(`^((ok|EPERM|EINVAL|ESRCH|ENOSYS)\n?){64}$`).MatchString(got) {
			t.Errorf("%s: %s", way, got)
		}
		if now := p.Hub.Status(p.ID); now != before {
			t.Fatalf("%s ended the agent: %+v, was %+v", way, now, before)
		}
	}
	// The means work: the same signals end a process of the workspace's own.
	for _, way := range []string{"kill %s 15", "sigqueue %s 15", "tgsigqueue %s 15", "pidfd-signal %s 15", "kill %s 11"} {
		victim := p.Shell(t, p.ID, "sleep 1000 >/dev/null 2>&1 & echo $!")
		if got := p.probe(t, fmt.Sprintf(way, victim)); got != "ok" {
			t.Errorf("control %s: %s", way, got)
		}
		p.Shell(t, p.ID, "for i in $(seq 100); do kill -0 "+victim+" 2>/dev/null || exit 0; sleep 0.1; done; exit 1")
	}
}

// secrets looks for what the server and the other workspace have.
func (p *Prison) secrets(t *testing.T) {
	got := p.Shell(t, p.ID, "env; cat /proc/[0-9]*/environ /proc/self/mountinfo 2>/dev/null | tr '\\0' '\\n'; ls -l /proc/self/fd; find / -xdev -name secret -path '*workspace*' 2>/dev/null; true")
	for _, secret := range []string{"LANYARD_TEST_SECRET", p.Other.Label(), "/workspace/secret", p.planted} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is inside: %s", secret, got)
		}
	}
	if got := p.Shell(t, p.ID, "cat /proc/net/dev | tail -n +3 | cut -d: -f1"); strings.TrimSpace(got) != "lo" {
		t.Errorf("interfaces: %s", got)
	}
	if r := p.Exec(t, p.ID, "unshare", "-Ur", "id", "-u"); r.Code == 0 {
		t.Errorf("a user namespace: %+v", r)
	}
	var said bytes.Buffer // at a terminal of its own a process may not type for another
	if _, err := p.Agent(p.ID).Exec(Context(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "~/probe tiocsti"}, TTY: true}, agentapi.Streams{Stdout: &said}); err != nil || strings.TrimSpace(said.String()) != "EPERM" {
		t.Errorf("TIOCSTI at a terminal: %q, %v", said.String(), err)
	}
	status := p.Shell(t, p.ID, "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/1/status /proc/self/status | tr -s '\\t' ' '")
	for _, who := range []string{"1", "self"} {
		for _, line := range []string{"CapPrm: 0000000000000000", "CapEff: 0000000000000000", "CapBnd: 0000000000000000", "CapAmb: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
			if !strings.Contains(status, fmt.Sprintf("/proc/%s/status:%s", who, line)) {
				t.Errorf("process %s lacks %q:\n%s", who, line, status)
			}
		}
	}
}

// setUserID tries the programs that become root elsewhere.
func (p *Prison) setUserID(t *testing.T) {
	for _, script := range []string{"su -c 'id -u' </dev/null", "su root -c 'id -u' </dev/null", "sudo -n id -u", "mount -t tmpfs none /tmp && id -u", "newgrp root </dev/null && id -u", "pkexec id -u"} {
		if r := p.Exec(t, p.ID, "/bin/sh", "-c", script); r.Code == 0 {
			t.Errorf("%s: %s", script, r.Output)
		}
	}
}
