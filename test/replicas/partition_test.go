package replicas

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// forwarding makes this test binary a forwarder: from an address to a Unix socket, both in the variable.
const forwarding = "LANYARD_TEST_FORWARD"

// forward is what the test binary does in a network namespace of its own. A socket's path is no part of a network.
func forward(order string) {
	from, to, _ := strings.Cut(order, " ")
	l, err := net.Listen("tcp", from)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("ready")
	for {
		c, err := l.Accept()
		if err != nil {
			os.Exit(1)
		}
		go func() {
			defer c.Close()
			up, err := net.Dial("unix", to)
			if err != nil {
				return
			}
			defer up.Close()
			go func() {
				_, _ = io.Copy(up, c)
				up.Close()
			}()
			_, _ = io.Copy(c, up)
		}()
	}
}

// faraway is a network in which the database is: what happens on the way to it happens without a word.
type faraway struct {
	w    *world
	link string
}

// ip runs ip(8).
func (w *world) ip(args ...string) {
	w.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		w.Fatalf("ip %s: %v %s", strings.Join(args, " "), err, out)
	}
}

// faraway makes a network namespace with the database in it, and the database's address there.
func (w *world) faraway() (address string, f *faraway) {
	w.Helper()
	if os.Getuid() != 0 {
		w.Skip("a network namespace takes root")
	}
	harness.Need(w, "ip")
	n := os.Getpid() % 250
	name, link := fmt.Sprintf("ly-far-%d", os.Getpid()), fmt.Sprintf("lyf%d", os.Getpid())
	here, there := fmt.Sprintf("10.213.%d.1", n), fmt.Sprintf("10.213.%d.2", n)
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" && os.Getenv("LANYARD_NETNS") != "no" {
			w.Fatalf("this machine makes no network namespaces (LANYARD_NETNS=no skips what needs one): %v %s", err, out)
		}
		w.Skipf("this machine makes no network namespaces: %v %s", err, out)
	}
	w.Cleanup(func() { w.ip("netns", "delete", name) }) // and the link with it
	w.ip("link", "add", link, "type", "veth", "peer", "name", "there", "netns", name)
	w.ip("address", "add", here+"/30", "dev", link)
	w.ip("link", "set", link, "up")
	w.ip("-n", name, "address", "add", there+"/30", "dev", "there")
	w.ip("-n", name, "link", "set", "there", "up")

	u, err := url.Parse(w.database)
	if err != nil {
		w.Fatal(err)
	}
	q := u.Query()
	self, err := os.Executable()
	if err != nil {
		w.Fatal(err)
	}
	const port = "5432"
	cmd := exec.Command("ip", "netns", "exec", name, self)
	cmd.Env = append(os.Environ(), forwarding+"="+net.JoinHostPort(there, port)+" "+filepath.Join(q.Get("host"), ".s.PGSQL.5432"))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := io.ReadFull(out, make([]byte, len("ready"))); err != nil {
		w.Fatalf("the forwarder in the namespace: %v", err)
	}
	q.Set("host", there)
	q.Set("port", port)
	u.RawQuery = q.Encode()
	return u.String(), &faraway{w, link}
}

// lost makes every packet to and from the database disappear, without a word to either side.
func (f *faraway) lost()  { f.w.Helper(); f.w.ip("link", "set", f.link, "down") }
func (f *faraway) found() { f.w.Helper(); f.w.ip("link", "set", f.link, "up") }

// TestNetworkBetweenReplicasCut: the packets between one replica and the database, and so the other replica, are lost
// without a word. It denies as one that was told; the other goes on, and what happened there reaches the first when the
// network is back.
func TestNetworkBetweenReplicasCut(t *testing.T) {
	w := newWorld(t)
	address, way := w.faraway()
	a := w.start("a", options{})
	b := w.start("b", options{database: address})
	ada, linus := w.signIn(b, "ada"), w.signIn(b, "linus")
	open := w.stream(b, ada)
	time.Sleep(1500 * time.Millisecond) // each has seen the other in the list of replicas

	way.lost()
	cut := time.Now()
	if done, err := a.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeUser, ID: "linus"}); err != nil || !done.Recorded {
		t.Errorf("revoke at the other replica: %+v, %v", done, err)
	}
	w.eventually("b refuses new access", func() bool {
		status, _ := w.get(b, ada, "/api/v1/me")
		return status == http.StatusServiceUnavailable
	})
	refused := time.Since(cut)
	closed := w.closes(open).Sub(cut)
	t.Logf("MEASURED without a packet from its database, a replica refused after %.1f s and closed after %.1f s", refused.Seconds(), closed.Seconds())
	if refused < 1500*time.Millisecond || closed < 4500*time.Millisecond {
		t.Error("too early")
	}
	if status, _ := w.get(a, ada, "/api/v1/me"); status != http.StatusOK {
		t.Errorf("at the other one ada gets %d", status)
	}
	if status, _ := w.get(b, linus, "/api/v1/me"); status == http.StatusOK {
		t.Error("who was revoked at the other one is let in here")
	}
	if !a.leads() {
		w.eventually("the one that is left leads", a.leads)
	}
	way.found()
	back := time.Now()
	w.eventually("b allows again", func() bool {
		status, _ := w.get(b, ada, "/api/v1/me")
		return status == http.StatusOK
	})
	t.Logf("MEASURED with the network back, it allowed after %.1f s", time.Since(back).Seconds())
	if status, _ := w.get(b, linus, "/api/v1/me"); status != http.StatusUnauthorized {
		t.Errorf("who was revoked meanwhile gets %d", status)
	}
	v, err := b.Operator.VerifyAudit(w.context())
	if err != nil || !v.OK {
		t.Errorf("the audit log: %+v %v", v, err)
	}
}
