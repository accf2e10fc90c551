package terminal

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

// ports serves a person's way to the workspace's ports.
func (s *scene) ports(t *testing.T, person string) *httptest.Server {
	return s.Serve(t, s.Browser(person), web.Route{
		Path: "/ports/{port}", Access: web.Asks("workspace:open"),
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			port, err := strconv.Atoi(r.PathValue("port"))
			if err != nil {
				return err
			}
			return s.gate.Forward(w, r, s.ws, port)
		},
	})
}

func dialPort(t *testing.T, server *httptest.Server, port int) (*websocket.Conn, *http.Response, error) {
	t.Helper()
	conn, resp, err := websocket.Dial(timeout(t), fmt.Sprintf("%s/ports/%d", server.URL, port), nil)
	if err == nil {
		t.Cleanup(func() { conn.CloseNow() })
		conn.SetReadLimit(maxFrame)
	}
	return conn, resp, err
}

// listen serves TCP connections on the workspace's loopback, which is the test's own, and returns the port.
func listen(t *testing.T, address string, serve func(*net.TCPConn)) int {
	t.Helper()
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Skipf("this machine has no %s: %v", address, err)
	}
	var all sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		all.Wait()
	})
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() {
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	return l.Addr().(*net.TCPAddr).Port
}

// local is a connection of a laptop's, both of its ends.
func local(t *testing.T) (program, ours *net.TCPConn) {
	t.Helper()
	accepted := make(chan *net.TCPConn, 1)
	port := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		accepted <- c
		<-t.Context().Done()
	})
	c, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c.(*net.TCPConn), <-accepted
}

func TestForwardCarriesBothDirections(t *testing.T) {
	s := newScene(t)
	server := s.ports(t, gatewaytest.Ada)
	for _, address := range []string{"127.0.0.1:0", "[::1]:0"} {
		t.Run(address, func(t *testing.T) {
			port := listen(t, address, func(c *net.TCPConn) {
				all, err := io.ReadAll(c) // until the other side has sent all
				if err != nil {
					t.Error(err)
				}
				_, _ = fmt.Fprintf(c, "%d bytes", len(all))
				_, _ = c.Write(bytes.Repeat([]byte("y"), 3<<20))
			})
			program, ours := local(t)
			conn, _, err := dialPort(t, server, port)
			if err != nil {
				t.Fatal(err)
			}
			carried := make(chan error, 1)
			go func() { carried <- agentapi.Carry(timeout(t), conn, ours) }()
			if _, err := program.Write(make([]byte, 2<<20)); err != nil {
				t.Fatal(err)
			}
			if err := program.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			said, err := io.ReadAll(program)
			if err != nil || !strings.HasPrefix(string(said), fmt.Sprintf("%d bytes", 2<<20)) || bytes.Count(said, []byte("y")) < 3<<20 {
				t.Errorf("%d bytes came back: %v", len(said), err)
			}
			if err := <-carried; err != nil {
				t.Errorf("it ended with %v", err)
			}
		})
	}
	gatewaytest.Eventually(t, "the leases end", func() bool { return len(s.Engine.LeasesOf(s.ws.Owner)) == 0 })
	if opened := s.Audit.Find(identity.WorkspaceOpen, audit.Opened); len(opened) == 0 {
		t.Error("nothing is in the audit log")
	}
}

func TestForwardSaysWhyNot(t *testing.T) {
	s := newScene(t)
	server := s.ports(t, gatewaytest.Ada)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().(*net.TCPAddr).Port
	l.Close()
	answer := func(resp *http.Response) string {
		if resp == nil {
			return "no answer"
		}
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return err.Error()
		}
		return resp.Status + " " + string(body)
	}
	if _, resp, err := dialPort(t, server, free); err == nil || !strings.Contains(answer(resp), fmt.Sprintf("Nothing listens on port %d", free)) {
		t.Errorf("a free port: %v", err)
	}
	stranger := s.ports(t, gatewaytest.Linus)
	if _, resp, err := dialPort(t, stranger, free); err == nil || resp == nil || resp.StatusCode/100 != 4 {
		t.Errorf("somebody else's workspace: %v %v", resp, err)
	}
}

// What is forwarded ends with the access, and whoever holds the right to forward is told why.
func TestForwardIsCut(t *testing.T) {
	s := newScene(t)
	server := s.ports(t, gatewaytest.Ada)
	arrived := make(chan struct{})
	over := make(chan struct{})
	port := listen(t, "127.0.0.1:0", func(c *net.TCPConn) {
		close(arrived)
		_, _ = io.Copy(io.Discard, c)
		close(over)
	})
	holding, _, err := dialPort(t, server, 0)
	if err != nil {
		t.Fatal(err)
	}
	conn, _, err := dialPort(t, server, port)
	if err != nil {
		t.Fatal(err)
	}
	<-arrived
	if opened := s.Audit.Find(identity.WorkspaceOpen, audit.Opened); len(opened) == 0 || opened[0].Detail["forward"] != "ports" {
		t.Errorf("the audit log has %v", opened)
	}
	s.Leave()
	if _, closed := rest(t, holding); closed.Code != closedByLanyard || !strings.Contains(closed.Reason, "payments-engineers") {
		t.Errorf("who holds the right is told %v", closed)
	}
	if _, closed := rest(t, conn); closed.Code != closedByLanyard {
		t.Errorf("the connection ended with %v", closed)
	}
	select {
	case <-over:
	case <-timeout(t).Done():
		t.Error("the workspace's side stays open")
	}
}
