package laptop

import (
	"bufio"
	"encoding/json"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/creack/pty"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// counts listens on a port of a workspace's loopback, and says to each connection how many bytes it sent, when it has sent all.
const counts = `setsid perl -MIO::Socket::INET -e '
my $l = IO::Socket::INET->new(LocalAddr => "127.0.0.1", LocalPort => 3000, Listen => 50, ReuseAddr => 1) or die $!;
$SIG{CHLD} = "IGNORE";
while (my $c = $l->accept) { next if fork; my $n = 0; while (my $r = sysread($c, my $b, 65536)) { $n += $r } print $c "$n bytes\n"; exit }
' >/tmp/counts.log 2>&1 </dev/null &
for i in $(seq 100); do (: </dev/tcp/127.0.0.1/3000) 2>/dev/null && exit 0; sleep 0.1; done; exit 1`

// running is a command that goes on.
type running struct {
	t     *testing.T
	cmd   *exec.Cmd
	out   *bufio.Scanner
	err   harness.Buffer
	ended chan struct{}
}

func (m machine) start(args ...string) *running {
	m.t.Helper()
	r := &running{t: m.t, cmd: m.program("", m.World.Program(), args...), ended: make(chan struct{})}
	read, write := io.Pipe()
	r.cmd.Stdout, r.cmd.Stderr = write, &r.err
	if err := r.cmd.Start(); err != nil {
		m.t.Fatal(err)
	}
	go func() {
		defer close(r.ended)
		_ = r.cmd.Wait() // how it ended is its exit status
		write.Close()
	}()
	m.t.Cleanup(func() {
		_ = r.cmd.Process.Kill() // gone already is as good
		<-r.ended
	})
	r.out = bufio.NewScanner(read)
	return r
}

// status waits for the end.
func (r *running) status() int {
	r.t.Helper()
	select {
	case <-r.ended:
	case <-time.After(harness.Wait):
		r.t.Fatalf("%v goes on: %s", r.cmd.Args, &r.err)
	}
	return r.cmd.ProcessState.ExitCode()
}

// locals are the addresses that port-forward --json says, by port.
func (r *running) locals(n int) map[int]string {
	r.t.Helper()
	all := map[int]string{}
	for range n {
		var f struct {
			Port  int
			Local string
		}
		if !r.out.Scan() || json.Unmarshal(r.out.Bytes(), &f) != nil {
			r.t.Fatalf("port-forward said %q: %s", r.out.Text(), &r.err)
		}
		all[f.Port] = f.Local
	}
	go func() { // what else it says is dropped
		for r.out.Scan() {
		}
	}()
	return all
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(harness.Wait)); err != nil {
		t.Fatal(err)
	}
	return c.(*net.TCPConn)
}

// Ports of a workspace and shells in it, from a laptop, and how they end with the access that they rest on.
func testPorts(t *testing.T, w *harness.World) {
	m := newMachine(t, w, "ada")
	m.SignIn()
	ws := w.Workspace("ada", payments)
	w.Must("ada", ws, counts)
	f := m.start("port-forward", "--json", ws.ID, "3000:0", "3001:0", "7070:0")
	local := f.locals(3)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			c := dial(t, local[3000])
			n := (i + 1) * 100_000
			if _, err := c.Write(make([]byte, n)); err != nil {
				t.Error(err)
			}
			if err := c.CloseWrite(); err != nil { // the other direction goes on
				t.Error(err)
			}
			if said, err := io.ReadAll(c); err != nil || strings.TrimSpace(string(said)) != strconv.Itoa(n)+" bytes" {
				t.Errorf("%d bytes: %q %v", n, said, err)
			}
		})
	}
	all.Wait()
	for port, why := range map[int]string{3001: "Nothing listens on port 3001", 7070: "Lanyard's own"} {
		if said, err := io.ReadAll(dial(t, local[port])); len(said) > 0 {
			t.Errorf("port %d answered %q %v", port, said, err)
		}
		w.Eventually("port-forward says why", func() bool { return strings.Contains(f.err.String(), why) })
	}
	if out, status := m.in("", w.Program(), "port-forward", ws.ID, "0"); status != 2 {
		t.Errorf("port 0: %d %s", status, out)
	}
	stranger := newMachine(t, w, "barbara")
	stranger.SignIn()
	if out, status := stranger.in("", w.Program(), "port-forward", ws.ID, "3000:0"); status != 3 || !strings.Contains(out, "only-owners-open") {
		t.Errorf("a stranger: %d %s", status, out)
	}
	testShells(t, m, ws)

	// A restart of the server ends what is open, and nothing else.
	w.Kill()
	w.Run()
	w.Eventually("ports are forwarded again", func() bool {
		c, err := net.Dial("tcp", local[3000])
		if err != nil {
			return false
		}
		defer c.Close()
		if c.SetDeadline(time.Now().Add(10*time.Second)) != nil || c.(*net.TCPConn).CloseWrite() != nil {
			return false
		}
		said, err := io.ReadAll(c)
		return err == nil && string(said) == "0 bytes\n"
	})

	// What is open ends with the access.
	open := dial(t, local[3000])
	if _, err := open.Write([]byte("some")); err != nil {
		t.Fatal(err)
	}
	w.Eventually("the connection is carried", func() bool {
		list, err := w.As("ada").Leases(w.Context(), "")
		n := 0
		for _, l := range list.Open {
			if l.Action == "workspace:open" {
				n++
			}
		}
		return err == nil && n >= 2
	})
	shell := m.shell(ws)
	if err := w.Operator.Throttle(w.Context(), 64<<10); err != nil {
		t.Fatal(err)
	}
	clone := m.start("git", "clone", "https://git.example.test/payments/assets", "assets", "--", "--progress")
	w.Eventually("the clone flows", func() bool { return strings.Contains(clone.err.String(), "Receiving objects") })
	if done, err := w.Operator.Revoke(w.Context(), api.Revoke{Kind: api.RevokeUser, ID: "ada"}); err != nil || done.Sessions == 0 {
		t.Fatalf("revoke: %+v %v", done, err)
	}
	if _, err := io.ReadAll(open); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Errorf("the open connection stays: %v", err)
	}
	if status := f.status(); status != 3 || !strings.Contains(f.err.String(), "Lanyard closed this") {
		t.Errorf("port-forward ended with %d: %s", status, &f.err)
	}
	if status := clone.status(); status == 0 {
		t.Errorf("git took the clone for whole: %s", &clone.err)
	}
	if err := w.Operator.Throttle(w.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if status := shell.status(); status != 126 {
		t.Errorf("the shell ended with %d: %s", status, &shell.said)
	}
}

// testShells opens shells in a workspace.
func testShells(t *testing.T, m machine, ws api.Workspace) {
	if out, status := m.in("", m.World.Program(), "ssh", ws.ID, "--", "sh", "-c", "pwd; exit 7"); status != 7 || !strings.Contains(out, "/workspace/api") {
		t.Errorf("a command: %d %s", status, out)
	}
	piped := m.program("", m.World.Program(), "ssh", ws.ID)
	piped.Stdin = strings.NewReader("cd /tmp\npwd\nexit 5\n")
	if out, _ := piped.CombinedOutput(); piped.ProcessState.ExitCode() != 5 || strings.TrimSpace(string(out)) != "/tmp" {
		t.Errorf("without a terminal: %d %s", piped.ProcessState.ExitCode(), out)
	}
	s := m.shell(ws)
	if _, err := s.keys.Write([]byte("stty size; exit 3\r")); err != nil {
		t.Fatal(err)
	}
	if status := s.status(); status != 3 || !strings.Contains(s.said.String(), "40 160") {
		t.Errorf("a shell: %d %s", status, &s.said)
	}
}

// shell is `lanyard ssh` on a terminal.
type shell struct {
	*running
	keys io.Writer
	said harness.Buffer
}

func (m machine) shell(ws api.Workspace) *shell {
	m.t.Helper()
	cmd := m.program("", m.World.Program(), "ssh", ws.ID)
	terminal, err := pty.StartWithSize(cmd, &pty.Winsize{Rows: 40, Cols: 160})
	if err != nil {
		m.t.Fatal(err)
	}
	s := &shell{running: &running{t: m.t, cmd: cmd, ended: make(chan struct{})}, keys: terminal}
	read := make(chan struct{})
	go func() {
		defer close(read)
		_, _ = io.Copy(&s.said, terminal) // until the command has closed its side
	}()
	go func() {
		defer close(s.ended)
		_ = cmd.Wait() // how it ended is its exit status
		<-read
	}()
	m.t.Cleanup(func() {
		_ = cmd.Process.Kill() // gone already is as good
		<-s.ended
		terminal.Close()
	})
	m.World.Eventually("the shell is there", func() bool { return strings.Contains(s.said.String(), "$") || strings.Contains(s.said.String(), "#") })
	return s
}
