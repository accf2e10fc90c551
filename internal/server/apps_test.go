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
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/web"
)

// appFront is a front with sites of apps. It answers with the app's name, the peer's address and the length of the body.
func appFront(t *testing.T, bodyWithin time.Duration, trusted ...string) *httptest.Server {
	t.Helper()
	h := &hosts{url: "https://lanyard.example.test", pagesHost: "lanyard.example.test", terminals: terminalHosts{".spaces.example.test"}, bodyWithin: bodyWithin}
	var err error
	if h.apps, err = newAppHosts(h.url, "apps.example.test"); err != nil {
		t.Fatal(err)
	}
	for _, network := range trusted {
		h.proxies = append(h.proxies, netip.MustParsePrefix(network))
	}
	h.app = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, err := io.Copy(io.Discard, r.Body)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			w.WriteHeader(http.StatusRequestTimeout)
			return
		}
		name, _ := h.apps.app(strings.ToLower(r.Host))
		fmt.Fprint(w, name, " ", web.ClientIP(r), " ", n)
	})
	s := httptest.NewUnstartedServer(nil)
	s.Config = newHTTPServer(h, slog.New(slog.DiscardHandler))
	s.Start()
	t.Cleanup(s.Close)
	return s
}

// TestAttack22EveryAppHasItsName: the host names the app, exactly, and nothing else does.
func TestAttack22EveryAppHasItsName(t *testing.T) {
	s := appFront(t, time.Minute)
	for host, want := range map[string]string{
		"ledger.apps.example.test": "ledger", "LEDGER.apps.example.test": "ledger",
		"apps.example.test": "", "a.ledger.apps.example.test": "", "ledger.apps.example.test.": "", "ledger.apps.example.test:1": "",
		"ledger.apps.example.test.example.net": "", ".apps.example.test": "", "ledger@apps.example.test": "", "ledgerapps.example.test": "",
	} {
		resp := ask(t, s, "GET / HTTP/1.1\r\nHost: "+host+"\r\nX-Forwarded-Host: ledger.apps.example.test\r\n\r\n")
		body, _ := io.ReadAll(resp.Body)
		if got, _, _ := strings.Cut(string(body), " "); resp.StatusCode == http.StatusOK != (want != "") || want != "" && got != want {
			t.Errorf("%q is %s %q", host, resp.Status, body)
		}
	}
	for domain, want := range map[string]string{"localhost": "app-ledger.localhost:8080", "dev.localhost": "app-ledger.dev.localhost:8080", "apps.example.test": "ledger.apps.example.test:8080", "": ""} {
		h, err := newAppHosts("http://lanyard.localhost:8080", domain)
		if err != nil || h.host("ledger") != want {
			t.Errorf("%s: %q %v", domain, h.host("ledger"), err)
		}
		if name, ok := h.app(want); ok != (want != "") || ok && name != "ledger" {
			t.Errorf("%s is %q", want, name)
		}
	}
}

// TestAttack04WhoSaysWhereARequestComesFrom: the connection does, unless its peer is a proxy that is trusted by name; then
// the last address that no such proxy has.
func TestAttack04WhoSaysWhereARequestComesFrom(t *testing.T) {
	for _, c := range []struct {
		trusted   []string
		said, got string
	}{
		{nil, "198.51.100.7", "127.0.0.1"}, {[]string{"10.0.0.0/8"}, "198.51.100.7", "127.0.0.1"},
		{[]string{"127.0.0.1/32"}, "198.51.100.7", "198.51.100.7"}, {[]string{"127.0.0.0/8"}, "", "127.0.0.1"},
		{[]string{"127.0.0.1/32", "10.0.0.0/8"}, "203.0.113.9, 198.51.100.7, 10.1.2.3", "198.51.100.7"},
		{[]string{"127.0.0.1/32"}, "203.0.113.9\r\nX-Forwarded-For: 198.51.100.7", "198.51.100.7"},
		{[]string{"127.0.0.1/32"}, "203.0.113.9, nonsense", "127.0.0.1"}, {[]string{"127.0.0.1/32"}, "::ffff:198.51.100.7", "198.51.100.7"},
		{[]string{"127.0.0.1/32"}, "2001:db8::1%eth0", "2001:db8::1"},
	} {
		resp := ask(t, appFront(t, time.Minute, c.trusted...), "GET / HTTP/1.1\r\nHost: ledger.apps.example.test\r\nForwarded: for=192.0.2.1\r\nX-Real-IP: 192.0.2.1\r\nX-Forwarded-For: "+c.said+"\r\n\r\n")
		body, _ := io.ReadAll(resp.Body)
		if got := strings.Fields(string(body)); len(got) != 3 || got[1] != c.got {
			t.Errorf("%v told %q: %q", c.trusted, c.said, body)
		}
	}
}

// TestBodiesOfAppsKeepAPace: a large body may take its time as long as it comes; one that hardly comes is given up.
func TestBodiesOfAppsKeepAPace(t *testing.T) {
	s := appFront(t, 300*time.Millisecond)
	send := func(size, each int, pause time.Duration) (int, string) {
		conn, err := net.Dial("tcp", s.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "POST / HTTP/1.1\r\nHost: ledger.apps.example.test\r\nContent-Length: %d\r\nConnection: close\r\n\r\n", size)
		go func() {
			part := make([]byte, each)
			for sent := 0; sent < size; sent += each {
				if _, err := conn.Write(part); err != nil {
					return
				}
				time.Sleep(pause)
			}
		}()
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if status, body := send(20*bodyPace, bodyPace, 50*time.Millisecond); status != http.StatusOK || !strings.HasSuffix(body, fmt.Sprint(" ", 20*bodyPace)) {
		t.Errorf("a body that comes: %d %s", status, body)
	}
	if status, body := send(20*bodyPace, 1, 50*time.Millisecond); status != http.StatusRequestTimeout {
		t.Errorf("a body that comes byte by byte: %d %s", status, body)
	}
}
