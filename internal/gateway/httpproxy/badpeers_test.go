package httpproxy

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
)

// raw is an app that does with each connection whatever it likes, once the request's head has come.
func raw(t testing.TB, app func(net.Conn, *http.Request)) *httptest.Server {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	var mu sync.Mutex
	var open []net.Conn
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			open = append(open, conn)
			mu.Unlock()
			serving.Go(func() {
				defer conn.Close()
				if r, err := http.ReadRequest(bufio.NewReaderSize(conn, 16)); err == nil {
					app(conn, r)
				}
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		mu.Lock()
		for _, conn := range open {
			conn.Close()
		}
		mu.Unlock()
		serving.Wait()
	})
	return &httptest.Server{URL: "http://" + l.Addr().String()}
}

// forever blocks until the connection is closed.
func forever(conn net.Conn) { _, _ = io.Copy(io.Discard, conn) }

const impatient = "    timeouts: {dial: 1s, answer: 500ms, idle: 700ms}\n"

// TestBadApps: an app that lies, stalls, dies or never ends is an error that says so, within bounded time, and never an
// answer that looks whole.
func TestBadApps(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\n"
	for name, c := range map[string]struct {
		app    func(net.Conn, *http.Request)
		status int // 200: the answer begins, and is an error before its end
	}{
		"says nothing":             {func(c net.Conn, _ *http.Request) { forever(c) }, 504},
		"closes at once":           {func(net.Conn, *http.Request) {}, 502},
		"resets":                   {func(c net.Conn, _ *http.Request) { _ = c.(*net.TCPConn).SetLinger(0) }, 502},
		"speaks something else":    {func(c net.Conn, _ *http.Request) { io.WriteString(c, "SSH-2.0-OpenSSH_9.2\r\n") }, 502},
		"half a head":              {func(c net.Conn, _ *http.Request) { io.WriteString(c, ok+"X: y\r\n"); forever(c) }, 504},
		"promises more than comes": {func(c net.Conn, _ *http.Request) { io.WriteString(c, ok+"Content-Length: 100\r\n\r\nshort") }, 200},
		"stalls in the body": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Content-Length: 100\r\n\r\nshort")
			forever(c)
		}, 200},
		"stalls in a chunk": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n5\r\nshort")
			forever(c)
		}, 200},
		"ends in a chunk": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n50\r\nshort")
		}, 200},
		"breaks its chunks": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Transfer-Encoding: chunked\r\n\r\n5\r\nshort\r\nnonsense\r\n")
		}, 200},
		"resets in the body": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Content-Length: 100\r\n\r\nshort")
			time.Sleep(50 * time.Millisecond)
			_ = c.(*net.TCPConn).SetLinger(0)
		}, 200},
		"two lengths": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"Content-Length: 5\r\nContent-Length: 6\r\n\r\nshort!")
		}, 502},
		"a length below nothing": {func(c net.Conn, _ *http.Request) { io.WriteString(c, ok+"Content-Length: -5\r\n\r\nshort") }, 502},
		"an encoding unknown":    {func(c net.Conn, _ *http.Request) { io.WriteString(c, ok+"Transfer-Encoding: secret\r\n\r\nshort") }, 502},
		"no status":              {func(c net.Conn, _ *http.Request) { io.WriteString(c, "HTTP/1.1 042 Odd\r\nContent-Length: 0\r\n\r\n") }, 502},
		"headers without an end": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok)
			endless(c, "X-%d: "+strings.Repeat("y", 1000)+"\r\n")
		}, 502},
		"one header without an end": {func(c net.Conn, _ *http.Request) {
			io.WriteString(c, ok+"X: ")
			endless(c, strings.Repeat("y", 1000)+"%.0d")
		}, 502},
		"interim answers without an end": {func(c net.Conn, _ *http.Request) {
			endless(c, "HTTP/1.1 103 Early Hints\r\nLink: </%d.css>; rel=preload\r\n\r\n")
		}, 502},
	} {
		t.Run(name, func(t *testing.T) {
			server := behind(t, raw(t, c.app), impatient).serve(t, gatewaytest.Ada)
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
			defer cancel()
			r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/r/app/x", nil)
			resp, err := client(t).Do(r)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			body, err := io.ReadAll(resp.Body)
			if resp.StatusCode != c.status || ctx.Err() != nil {
				t.Fatalf("%s %q %v", resp.Status, body, err)
			}
			if c.status == http.StatusOK && err == nil {
				t.Errorf("%q was ended as if it were whole", body)
			}
			if c.status != http.StatusOK && (err != nil || resp.Header.Get("Content-Type") != "application/problem+json" || !strings.Contains(strings.ToLower(string(body)), "the app app")) {
				t.Errorf("%q %v", body, err)
			}
		})
	}
	if resp, body := get(t, behind(t, raw(t, func(c net.Conn, _ *http.Request) {
		io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nshort and much more than it said")
	}), impatient).serve(t, gatewaytest.Ada).URL+"/r/app/x"); resp.StatusCode != http.StatusOK || body != "short" {
		t.Errorf("an app that says less than it sends: %s %q", resp.Status, body)
	}
}

// endless writes until the peer is gone.
func endless(c net.Conn, format string) {
	for n := 0; ; n++ {
		if _, err := fmt.Fprintf(c, format, n); err != nil {
			return
		}
	}
}

// TestAnswerBeforeTheBody: an app that refuses a large body without reading it is heard by who is still sending.
func TestAnswerBeforeTheBody(t *testing.T) {
	server := behind(t, raw(t, func(c net.Conn, _ *http.Request) {
		io.WriteString(c, "HTTP/1.1 413 Content Too Large\r\nContent-Length: 8\r\nConnection: close\r\n\r\ntoo much")
		_ = c.(*net.TCPConn).CloseWrite()
		time.Sleep(100 * time.Millisecond)
	}), "").serve(t, gatewaytest.Ada)
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	const size = 6 << 20
	fmt.Fprintf(conn, "POST /r/app/x HTTP/1.1\r\nHost: lanyard.example.test\r\nContent-Length: %d\r\n\r\n", size)
	part := make([]byte, 64<<10)
	for range size / len(part) { // as a client that does not listen before it has sent all
		if _, err := conn.Write(part); err != nil {
			t.Fatalf("the connection was closed while it was sent on: %v", err)
		}
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge || string(body) != "too much" {
		t.Errorf("%s %q %v", resp.Status, body, err)
	}
}

// TestBadClients: who does not read, does not send, or goes away takes little memory, and not for long.
func TestBadClients(t *testing.T) {
	var mu sync.Mutex
	begun, ended := 0, 0 // requests, as the app saw them
	app := answering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		begun++
		mu.Unlock()
		defer func() { mu.Lock(); ended++; mu.Unlock() }()
		if r.Method == http.MethodPost {
			io.Copy(io.Discard, r.Body)
			return
		}
		part := make([]byte, 64<<10)
		for { // as much as is taken
			if _, err := w.Write(part); err != nil {
				return
			}
		}
	})
	app.Start()
	s := behind(t, app, "    timeouts: {idle: 500ms}\n")
	server := s.serve(t, gatewaytest.Ada)
	dial := func(text string) *net.TCPConn {
		conn, err := net.Dial("tcp", server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		if _, err := io.WriteString(conn, text); err != nil {
			t.Fatal(err)
		}
		return conn.(*net.TCPConn)
	}
	const head = " HTTP/1.1\r\nHost: lanyard.example.test\r\n"
	before := heap()
	const many = 100
	for range many {
		dial("GET /r/app/unread" + head + "\r\n")                                               // reads nothing
		dial("POST /r/app/unsent" + head + "Content-Length: 1000000\r\n\r\nabc")                // sends no more
		dial("POST /r/app/chunk" + head + "Transfer-Encoding: chunked\r\n\r\n100000\r\nabc")    // nor this one
		_ = dial("POST /r/app/half" + head + "Content-Length: 1000000\r\n\r\nabc").CloseWrite() // has said that it will not
		dial("POST /r/app/reset" + head + "Content-Length: 1000000\r\n\r\nabc").SetLinger(0)    // goes away
		conn := dial("GET /r/app/left" + head + "\r\n")
		_ = conn.SetLinger(0)
		conn.Close()
	}
	if grown := heap() - before; grown > many*6*256<<10 {
		t.Errorf("%d bad clients take %d KiB", many*6, grown>>10)
	}
	gatewaytest.Eventually(t, "all requests have ended", func() bool {
		return len(s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada))) == 0
	})
	gatewaytest.Eventually(t, "the app is rid of them", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return begun > 0 && begun == ended
	})
	// Who sends slowly is told so, where there is somebody to tell.
	resp, err := http.ReadResponse(bufio.NewReader(dial("POST /r/app/slow"+head+"Content-Length: 1000\r\n\r\nabc")), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("a body that does not come: %s", resp.Status)
	}
}

func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}

// TestAppThatDoesNotRead: what an app does not take is not taken from who sends it, and the request ends.
func TestAppThatDoesNotRead(t *testing.T) {
	done := make(chan struct{})
	server := behind(t, raw(t, func(net.Conn, *http.Request) { <-done }), impatient).serve(t, gatewaytest.Ada)
	t.Cleanup(func() { close(done) })
	ctx, cancel := context.WithTimeout(t.Context(), 15*time.Second)
	defer cancel()
	sent := &counting{}
	r, _ := http.NewRequestWithContext(ctx, http.MethodPost, server.URL+"/r/app/x", io.LimitReader(sent, 1<<30))
	resp, err := client(t).Do(r)
	if err == nil {
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusGatewayTimeout {
			t.Errorf("%s", resp.Status)
		}
	} else if errors.Is(err, context.DeadlineExceeded) {
		t.Fatal("the request did not end")
	}
	if n := sent.read(); n > 64<<20 {
		t.Errorf("%d MiB were taken", n>>20)
	}
}

type counting struct {
	mu sync.Mutex
	n  int64
}

func (c *counting) Read(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n += int64(len(p))
	return len(p), nil
}

func (c *counting) read() int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n
}
