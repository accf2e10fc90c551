package runtimetest

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
	// NoMeans are attempts for which this runtime leaves no means even where they would be harmless.
	NoMeans []string
}

// Prison is a running workspace, another beside it, and things of the host that they must not reach.
type Prison struct {
	*Server
	h         EscapeHarness
	id, other identity.WorkspaceID
	planted   string // a file that every user of the host may read
	port      string // of a listener on the host's loopback
	abstract  string // name of a listener without a path
}

// Escapes tries to get out of a workspace, each way for real, with a control beside it: the same by the same means where it must
// work, so that no attempt fails for want of the means.
func Escapes(t *testing.T, h EscapeHarness) {
	p := newPrison(t, h)
	own := p.Shell(t, p.id, "sleep 1000 >/dev/null 2>&1 & echo $!")
	for name, attempts := range map[string][]Attempt{
		"Files": p.files(own), "Processes": p.processes(own), "Network": p.network(t), "Kernel": p.kernel(),
	} {
		t.Run(name, func(t *testing.T) { p.run(t, attempts) })
	}
	t.Run("Signals", p.signals)
	t.Run("Secrets", p.secrets)
	if !h.Root {
		t.Run("SetUserID", p.setUserID)
	}
}

func newPrison(t *testing.T, h EscapeHarness) *Prison {
	t.Helper()
	p := &Prison{h: h, id: identity.NewWorkspaceID(), other: identity.NewWorkspaceID()}
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
	p.Server = NewServer(t, h.Harness)
	p.Server.Change = h.Change
	p.Start(t, p.id)
	p.Start(t, p.other)
	p.Shell(t, p.other, "echo other > /workspace/secret; chmod 644 /workspace/secret")
	p.port = listen(t, "tcp", "127.0.0.1:0")
	p.abstract = "@lanyard-test-" + p.id.Label()
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
	code, err := p.Agent(p.id).Exec(Context(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "cat > ~/probe && chmod +x ~/probe"}},
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
	return p.Shell(t, p.id, "~/probe "+attempt)
}

// Attempt is one way out, and what must come of it.
type Attempt struct {
	try    string
	want   string // regular expression
	inside string // control
	result string // of the control; empty means "ok"
}

func (p *Prison) run(t *testing.T, attempts []Attempt) {
	t.Helper()
	before := p.Hub.Status(p.id)
	for _, a := range attempts {
		t.Run(strings.ReplaceAll(a.try, os.TempDir(), "TMP"), func(t *testing.T) {
			if got := p.probe(t, a.try); !regexp.MustCompile("^(" + a.want + ")$").MatchString(got) {
				t.Errorf("%s: %s, want %s", a.try, got, a.want)
			}
			if a.inside == "" || p.noMeans(a.try) {
				return
			}
			want := a.result
			if want == "" {
				want = "ok"
			}
			if got := p.probe(t, a.inside); got != want {
				t.Errorf("the control %s: %s, want %s", a.inside, got, want)
			}
		})
	}
	if now := p.Hub.Status(p.id); now != before {
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
	before := p.Hub.Status(p.id)
	for _, way := range []string{"kill 1", "sigqueue 1", "sigqueue -1", "sigqueue-high 1", "tgsigqueue 1", "pidfd-signal 1", "setsig 1"} {
		got := p.Shell(t, p.id, "for s in $(seq 64); do ~/probe "+way+" $s; done")
		if !regexp.MustCompile(`^((ok|EPERM|EINVAL|ESRCH|ENOSYS)\n?){64}$`).MatchString(got) {
			t.Errorf("%s: %s", way, got)
		}
		if now := p.Hub.Status(p.id); now != before {
			t.Fatalf("%s ended the agent: %+v, was %+v", way, now, before)
		}
	}
	victim := p.Shell(t, p.id, "sleep 1000 >/dev/null 2>&1 & echo $!")
	if got := p.probe(t, "kill "+victim+" 15"); got != "ok" {
		t.Errorf("control: %s", got)
	}
	p.Shell(t, p.id, "for i in $(seq 100); do kill -0 "+victim+" 2>/dev/null || exit 0; sleep 0.1; done; exit 1")
}

// secrets looks for what the server and the other workspace have.
func (p *Prison) secrets(t *testing.T) {
	got := p.Shell(t, p.id, "env; cat /proc/[0-9]*/environ /proc/self/mountinfo 2>/dev/null | tr '\\0' '\\n'; ls -l /proc/self/fd; find / -xdev -name secret -path '*workspace*' 2>/dev/null; true")
	for _, secret := range []string{"LANYARD_TEST_SECRET", p.other.Label(), "/workspace/secret"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is inside: %s", secret, got)
		}
	}
	if got := p.Shell(t, p.id, "cat /proc/net/dev | tail -n +3 | cut -d: -f1"); strings.TrimSpace(got) != "lo" {
		t.Errorf("interfaces: %s", got)
	}
	if r := p.Exec(t, p.id, "unshare", "-Ur", "id", "-u"); r.Code == 0 {
		t.Errorf("a user namespace: %+v", r)
	}
	var said bytes.Buffer // at a terminal of its own a process may not type for another
	if _, err := p.Agent(p.id).Exec(Context(t), agentapi.ExecRequest{Argv: []string{"/bin/sh", "-c", "~/probe tiocsti"}, TTY: true}, agentapi.Streams{Stdout: &said}); err != nil || strings.TrimSpace(said.String()) != "EPERM" {
		t.Errorf("TIOCSTI at a terminal: %q, %v", said.String(), err)
	}
	status := p.Shell(t, p.id, "grep -E '^(Cap|NoNewPrivs|Seccomp)' /proc/1/status /proc/self/status | tr -s '\\t' ' '")
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
		if r := p.Exec(t, p.id, "/bin/sh", "-c", script); r.Code == 0 {
			t.Errorf("%s: %s", script, r.Output)
		}
	}
}
