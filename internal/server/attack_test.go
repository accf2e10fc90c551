package server

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// sites is a front whose sites say which they are and what they were sent.
func sites(t *testing.T, bodyWithin time.Duration) *httptest.Server {
	t.Helper()
	named := func(name string) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Site", name)
			if r.URL.Path == "/ignore" {
				return
			}
			body, err := io.ReadAll(r.Body)
			if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
				panic(http.ErrAbortHandler)
			}
			_, _ = w.Write(body) // the test sees it if this fails
		})
	}
	h := &hosts{url: "https://lanyard.example.test", pagesHost: "lanyard.example.test", pages: named("pages"), machine: named("machine"),
		terminal: named("terminal"), terminals: terminalHosts{".spaces.example.test"}, bodyWithin: bodyWithin,
		others: map[string]http.Handler{"tenant.example.test": named("tenant")}}
	s := httptest.NewUnstartedServer(nil)
	s.Config = newHTTPServer(h, slog.New(slog.DiscardHandler))
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func ask(t *testing.T, s *httptest.Server, text string) *http.Response {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return resp
}

// TestAttack22EverySiteHasItsName: a request is served by the site that its Host names, exactly, and by none when it names
// another: a name that an attacker's DNS leads here is nobody's.
func TestAttack22EverySiteHasItsName(t *testing.T) {
	s := sites(t, time.Minute)
	for host, want := range map[string]string{
		"lanyard.example.test": "pages", "LANYARD.example.test": "pages",
		"t-aaaaaaaaaaaaaaaa.spaces.example.test": "terminal", "tenant.example.test": "tenant",
		"rebound.example.net": "", "lanyard.example.test.": "", "lanyard.example.test.example.net": "", "xlanyard.example.test": "",
		"lanyard.example.test:8080": "", "lanyard.example.test@example.net": "", "127.0.0.1:1": "", "[::1]": "", "": "",
		"spaces.example.test": "", "t-aaaaaaaaaaaaaaaa.spaces.example.test.example.net": "", "t-aaaaaaaaaaaaaaaa.x.spaces.example.test": "",
		"t-..aaaaaaaaaaaaaa.spaces.example.test": "", "t-aaaaaaaaaaaaaaa.spaces.example.test": "", "aaaaaaaaaaaaaaaa.spaces.example.test": "",
		"8080-aaaaaaaaaaaaaaaa.spaces.example.test": "",
	} {
		resp := ask(t, s, "POST / HTTP/1.1\r\nHost: "+host+"\r\nContent-Length: 0\r\nX-Forwarded-Host: lanyard.example.test\r\nForwarded: host=lanyard.example.test\r\n\r\n")
		if got := resp.Header.Get("Site"); got != want || want == "" && resp.StatusCode != http.StatusMisdirectedRequest && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("host %q is served by %q (%s), want %q", host, got, resp.Status, want)
		}
	}
	for target, want := range map[string]string{
		"/git/x": "machine", "/%67it/x": "machine", "/r/x": "machine", "/hooks/graph": "machine", "/.well-known/x": "machine", "/oauth/token": "machine",
		"/oauth/authorize": "pages", "/gitx": "pages", "/api/v1/me": "pages", "//git/x": "pages", "/x?/git/": "pages",
		"http://tenant.example.test/git/x": "tenant", "http://rebound.example.net/": "",
	} {
		resp := ask(t, s, "POST "+target+" HTTP/1.1\r\nHost: lanyard.example.test\r\nContent-Length: 0\r\n\r\n")
		if got := resp.Header.Get("Site"); got != want {
			t.Errorf("%s is served by %q, want %q", target, got, want)
		}
	}
}

// TestAttack33ConnectionsAreNotHeld: nobody holds a connection by sending nothing, a header or a body, byte by byte.
func TestAttack33ConnectionsAreNotHeld(t *testing.T) {
	front := newHTTPServer(http.NotFoundHandler(), slog.New(slog.DiscardHandler))
	if front.ReadHeaderTimeout <= 0 || front.ReadHeaderTimeout > 30*time.Second || front.IdleTimeout <= 0 || front.MaxHeaderBytes > 64<<10 || bodyWithin > time.Minute {
		t.Error("headers, bodies or idle connections are not bounded")
	}
	s := sites(t, 50*time.Millisecond)
	for _, path := range []string{"/", "/ignore"} { // the second is answered before the body is read
		for _, length := range []string{"Content-Length: 1000", "Transfer-Encoding: chunked"} {
			conn, err := net.Dial("tcp", s.Listener.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: lanyard.example.test\r\n%s\r\n\r\n3\r\n", path, length)
			_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
			if _, err := io.Copy(io.Discard, conn); err != nil { // until the server closes it
				t.Errorf("%s, %s: the connection is held: %v", path, length, err)
			}
			conn.Close()
		}
	}
}

// The bound of a body is over with the body: what follows on the connection has its own.
func TestBoundEndsWithTheBody(t *testing.T) {
	s := sites(t, 200*time.Millisecond)
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	answers := bufio.NewReader(conn)
	for range 3 {
		body := strings.Repeat("x", 1000)
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: lanyard.example.test\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(resp.Body); string(got) != body || err != nil {
			t.Fatalf("%d bytes, %v", len(got), err)
		}
		time.Sleep(300 * time.Millisecond) // longer than the bound
	}
}

// TestAttack15NoPageForgetsCookies: a page of somebody else's, which can make a browser ask a workspace's host for a
// picture, does not make it forget the cookies of every workspace.
func TestAttack15NoPageForgetsCookies(t *testing.T) {
	decided := problem.Wrap(access.Reason{Code: access.NoRole, Text: "no role"}, problem.Denied, "Not allowed.")
	nowhere := problem.New(problem.NotFound, "There is nothing at this address.")
	for _, c := range []struct {
		path   string
		cookie bool
		err    error
		want   bool
	}{
		{"/", false, decided, false}, {"/picture.png", false, nowhere, false}, {"/", false, nowhere, false},
		{"/picture.png", true, nowhere, false}, {"/", true, decided, true}, {"/_lanyard/terminal", true, decided, true}, {"/", true, nowhere, true},
		{"/", true, problem.New(problem.SignInNeeded, "Sign in first."), false},
	} {
		r := httptest.NewRequest(http.MethodGet, c.path, nil)
		if c.cookie {
			r.AddCookie(&http.Cookie{Name: session.CookieName, Value: "x"})
		}
		if got := lost(r, c.err); got != c.want {
			t.Errorf("%s, cookie %t, %v: %t", c.path, c.cookie, c.err, got)
		}
	}
}
