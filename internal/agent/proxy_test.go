package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// startProxy starts the loopback listener in front of a tunnel to server, without an agent's process around it.
func startProxy(t *testing.T, server http.Handler) (address string) {
	t.Helper()
	dir, err := os.MkdirTemp("", "prx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	hub := tunnel.NewHub(tunnel.HubConfig{Dir: dir, Handler: server, Log: slog.New(slog.DiscardHandler)})
	folder, err := hub.Listen(testContext(t), identity.NewWorkspaceID(), os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	conn, err := tunnel.Dial(testContext(t), tunnel.Peer{Socket: filepath.Join(folder, tunnel.SocketName)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		if err := hub.Shutdown(t.Context()); err != nil && !errors.Is(err, t.Context().Err()) {
			t.Error(err)
		}
	})
	return serveProxy(t, conn.Transport())
}

func serveProxy(t *testing.T, upstream http.RoundTripper) (address string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(newForward(upstream, newRefusals(t.TempDir(), slog.New(slog.DiscardHandler)), slog.New(slog.DiscardHandler)), http.NotFoundHandler(), l.Addr().(*net.TCPAddr).Port, slog.New(slog.DiscardHandler))
	done := make(chan error, 1)
	go func() { done <- p.Serve(l) }()
	t.Cleanup(func() {
		p.Close()
		<-done
	})
	return l.Addr().String()
}

// raw sends a request as it is written and returns the answer; the connection stays open until the test ends.
func raw(t *testing.T, address, request string) (*http.Response, net.Conn) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	if _, err := io.WriteString(c, strings.ReplaceAll(strings.ReplaceAll(request, "HOST", address), "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%s: %v", request, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	return resp, c
}

func TestProxyPassesTheRequestUnchanged(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Got", r.RequestURI)
		names := make([]string, 0)
		for name := range r.Header {
			names = append(names, name)
		}
		slices.Sort(names)
		w.Header().Set("X-Names", strings.Join(names, " "))
		w.WriteHeader(http.StatusTeapot)
	}))
	for _, target := range []string{
		"/git/git.example.test/payments/api/info/refs?service=git-upload-pack",
		"/r/ledger/a%2Fb/..;/c%5c//d?x=1;y=2&z=%zz&&",
		"/r/ledger/%61?",
		"/r/ledger/a^b|c\"d",
		"/r/ledger/../../x",
		"/git/h/caf\xc3\xa9",
	} {
		resp, _ := raw(t, address, "GET "+target+" HTTP/1.1\nHost: HOST\nConnection: close, X-Hop\nX-Hop: 1\nX-Forwarded-For: 1.2.3.4\nX_Forwarded_Host: h\nX-Real-Ip: 1.2.3.4\nGit-Protocol: version=2\nSec-Fetch-Mode: cors\n\n")
		if resp.StatusCode != http.StatusTeapot || resp.Header.Get("X-Got") != target {
			t.Errorf("%s arrived as %s (%s)", target, resp.Header.Get("X-Got"), resp.Status)
		}
		if got := resp.Header.Get("X-Names"); got != "Git-Protocol Sec-Fetch-Mode" {
			t.Errorf("headers that arrived: %s", got)
		}
	}
}

// TestAppsByHost: a client that cannot be given a path, as gRPC's, names the app by its host, also by HTTP/2; what it sends
// and is sent streams both ways, trailers included.
func TestAppsByHost(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil {
			t.Error(err)
		}
		w.Header().Set("X-Got", r.RequestURI)
		w.Header().Set("Trailer", "X-End")
		w.WriteHeader(http.StatusOK)
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintln(w, "heard "+lines.Text())
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-End", "of "+r.Trailer.Get("X-Mine"))
	}))
	_, port, _ := net.SplitHostPort(address)
	for _, http2 := range []bool{false, true} {
		transport := &http.Transport{Protocols: new(http.Protocols), DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, address)
		}}
		transport.Protocols.SetHTTP1(!http2)
		transport.Protocols.SetUnencryptedHTTP2(http2)
		t.Cleanup(transport.CloseIdleConnections)
		body, say := io.Pipe()
		r, err := http.NewRequestWithContext(testContext(t), http.MethodPost, "http://ledger.localhost:"+port+"/books.Books/Talk?x=1", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Trailer = http.Header{"X-Mine": nil}
		go func() { _, _ = io.WriteString(say, "one\n") }()
		resp, err := (&http.Client{Transport: transport}).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		heard := bufio.NewScanner(resp.Body)
		for _, word := range []string{"one", "two", "three"} {
			if !heard.Scan() || heard.Text() != "heard "+word {
				t.Fatalf("HTTP/2 %t: %q %v", http2, heard.Text(), heard.Err())
			}
			if next := map[string]string{"one": "two", "two": "three"}[word]; next != "" {
				_, _ = io.WriteString(say, next+"\n")
			}
		}
		r.Trailer.Set("X-Mine", "talk")
		say.Close()
		if heard.Scan() || heard.Err() != nil || resp.Trailer.Get("X-End") != "of talk" || resp.Header.Get("X-Got") != "/r/ledger/books.Books/Talk?x=1" {
			t.Errorf("HTTP/2 %t: %q %v, %v for %s", http2, heard.Text(), heard.Err(), resp.Trailer, resp.Header.Get("X-Got"))
		}
		resp.Body.Close()
	}
	for _, host := range []string{"Ledger.localhost:" + port, "ledger.localhost", "ledger.localhost:1", "a.ledger.localhost:" + port, ".localhost:" + port, "ledger.localhost.evil.example:" + port, "-x.localhost:" + port} {
		if resp, _ := raw(t, address, "GET /x HTTP/1.1\nHost: "+host+"\n\n"); resp.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s", host, resp.Status)
		}
	}
}

func TestProxyServesOnlyWhatItPassesOn(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { t.Errorf("%s arrived", r.RequestURI) }))
	for _, target := range []string{"/", "/v1/exec", "/api/v1/me", "/git", "/gitx/", "//git/", "/%67it/x", "/../git/", "http://HOST/git/x", "*"} {
		resp, _ := raw(t, address, "GET "+target+" HTTP/1.1\nHost: HOST\n\n")
		if resp.StatusCode != http.StatusNotFound && resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %s", target, resp.Status)
		}
	}
}

// A page in a browser inside the workspace must not act as the workspace, neither from another origin nor under a
// name that it made point here.
func TestAttack22LoopbackRefusesPages(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "in") }))
	_, port, _ := net.SplitHostPort(address)
	for head, want := range map[string]int{
		"Host: HOST":                                     http.StatusOK,
		"Host: localhost:" + port:                        http.StatusOK,
		"Host: HOST\nSec-Fetch-Mode: cors":               http.StatusOK, // Node's fetch
		"Host: rebound.example.test:" + port:             http.StatusForbidden,
		"Host: rebound.example.test":                     http.StatusForbidden,
		"Host: 127.0.0.1":                                http.StatusForbidden,
		"Host: LOCALHOST:" + port:                        http.StatusForbidden,
		"Host: localhost.:" + port:                       http.StatusForbidden,
		"Host: 127.1:" + port:                            http.StatusForbidden,
		"Host: [::1]:" + port:                            http.StatusForbidden,
		"Host: ":                                         http.StatusForbidden,
		"Host: HOST\nOrigin: http://HOST":                http.StatusForbidden,
		"Host: HOST\nOrigin: null":                       http.StatusForbidden,
		"Host: HOST\nOrigin:":                            http.StatusForbidden,
		"Host: HOST\nsec-fetch-site: same-origin":        http.StatusForbidden,
		"Host: HOST\nSec-Fetch-Site: none":               http.StatusForbidden,
		"Host: HOST\nForwarded: for=127.0.0.1;host=HOST": http.StatusForbidden,
	} {
		resp, _ := raw(t, address, "GET /r/ledger/ HTTP/1.1\n"+head+"\n\n")
		if resp.StatusCode != want {
			t.Errorf("%q: %s, want %d", head, resp.Status, want)
		}
		if want != http.StatusOK && !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Errorf("%q: refused with %s", head, resp.Header.Get("Content-Type"))
		}
	}
}

func TestProxyStreamsBothWays(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rc := http.NewResponseController(w)
		_ = rc.EnableFullDuplex()
		lines := bufio.NewScanner(r.Body)
		for lines.Scan() {
			fmt.Fprintf(w, "echo %s\n", lines.Text())
			_ = rc.Flush()
		}
	}))
	pr, pw := io.Pipe()
	req, err := http.NewRequestWithContext(testContext(t), "POST", "http://"+address+"/r/x/", pr)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _, _ = io.WriteString(pw, "one\n") }()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for _, word := range []string{"one", "two", "three"} {
		if !lines.Scan() || lines.Text() != "echo "+word {
			t.Fatalf("%q, %v", lines.Text(), lines.Err())
		}
		next := map[string]string{"one": "two\n", "two": "three\n"}[word]
		if next == "" {
			pw.Close()
		} else if _, err := io.WriteString(pw, next); err != nil {
			t.Fatal(err)
		}
	}
	if lines.Scan() || lines.Err() != nil {
		t.Errorf("after the end: %q, %v", lines.Text(), lines.Err())
	}
}

// The client is told to continue only when the server is: a refused push is refused before its pack is sent.
func TestProxyPassesContinue(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/git/refused" {
			http.Error(w, "refused", http.StatusForbidden)
			return
		}
		b, _ := io.ReadAll(r.Body)
		_, _ = w.Write(b)
	}))
	head := " HTTP/1.1\nHost: HOST\nContent-Length: 4\nExpect: 100-continue\n\n"
	resp, _ := raw(t, address, "POST /git/refused"+head)
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("%s before the body was sent", resp.Status)
	}
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprint(c, strings.ReplaceAll(strings.ReplaceAll("POST /git/taken"+head, "HOST", address), "\n", "\r\n"))
	r := bufio.NewReader(c)
	if line, err := r.ReadString('\n'); err != nil || line != "HTTP/1.1 100 Continue\r\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_, _ = r.ReadString('\n')
	_, _ = io.WriteString(c, "body")
	taken, err := http.ReadResponse(r, nil)
	if err == nil && taken.StatusCode == http.StatusContinue { // net/http and its ReverseProxy may each say it: RFC 9110 section 15.2 lets them
		taken, err = http.ReadResponse(r, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Body.Close()
	if b, err := io.ReadAll(taken.Body); string(b) != "body" || err != nil {
		t.Errorf("%q, %v", b, err)
	}
}

func TestProxyKeepsATruncatedAnswerTruncated(t *testing.T) {
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/r/length" {
			w.Header().Set("Content-Length", "1000")
		}
		_, _ = io.WriteString(w, "begin")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	for _, path := range []string{"/r/length", "/r/chunks"} {
		resp, _ := raw(t, address, "GET "+path+" HTTP/1.1\nHost: HOST\n\n")
		if b, err := io.ReadAll(resp.Body); string(b) != "begin" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
}

func TestProxyWithoutAServer(t *testing.T) {
	address := serveProxy(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, errNoServer }))
	resp, _ := raw(t, address, "GET /git/x HTTP/1.1\nHost: HOST\n\n")
	b, _ := io.ReadAll(resp.Body)
	if resp.StatusCode != http.StatusServiceUnavailable || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") || !strings.Contains(string(b), "not reachable") {
		t.Errorf("%s %s %q", resp.Status, resp.Header.Get("Content-Type"), b)
	}
	broken := serveProxy(t, roundTripper(func(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }))
	if resp, _ := raw(t, broken, "GET /git/x HTTP/1.1\nHost: HOST\n\n"); resp.StatusCode != http.StatusBadGateway {
		t.Errorf("%s", resp.Status)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestAnAnswerThatComesEarlyIsRead: who is still sending when the answer is complete sends the rest and reads the
// answer. Closing the connection under it would take the answer away, as it did with pushes that were refused.
func TestAnAnswerThatComesEarlyIsRead(t *testing.T) {
	const words = "no, and here is why"
	address := startProxy(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			return
		}
		_ = http.NewResponseController(w).EnableFullDuplex() // as gitproxy does
		w.Header().Set("Content-Length", fmt.Sprint(len(words)))
		_, _ = io.WriteString(w, words)
		_ = http.NewResponseController(w).Flush()
		_, _ = io.CopyN(io.Discard, r.Body, 1<<20)
		panic(http.ErrAbortHandler) // the access is cut
	}))
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	const size = 20 << 20
	if _, err := fmt.Fprintf(c, "POST /git/x HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n", address, size); err != nil {
		t.Fatal(err)
	}
	part := make([]byte, 64<<10)
	for sent := 0; sent < size; sent += len(part) {
		if _, err := c.Write(part); err != nil {
			t.Fatalf("after %d bytes: %v", sent, err)
		}
	}
	answers := bufio.NewReader(c)
	resp, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != words {
		t.Errorf("%q %v", body, err)
	}
	if _, err := fmt.Fprintf(c, "GET /git/x HTTP/1.1\r\nHost: %s\r\n\r\n", address); err != nil {
		t.Fatal(err)
	}
	again, err := http.ReadResponse(answers, nil)
	if err != nil {
		t.Fatalf("the connection is of no use afterwards: %v", err)
	}
	again.Body.Close()
}
