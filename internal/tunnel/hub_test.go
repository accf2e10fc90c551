package tunnel

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shortDir is a folder whose sockets' paths are short, which t.TempDir does not promise.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "tun")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func newHub(t *testing.T, dir string, h http.Handler) *Hub {
	t.Helper()
	if h == nil {
		h = http.NotFoundHandler()
	}
	hub := NewHub(HubConfig{Dir: dir, Handler: h, Build: "test", Log: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := hub.Shutdown(ctx); err != nil {
			t.Errorf("shutdown: %v", err)
		}
	})
	return hub
}

func dial(t *testing.T, dir string, h http.Handler) *Conn {
	t.Helper()
	c, err := Dial(testContext(t), Peer{Socket: filepath.Join(dir, SocketName), Build: "peer", Start: "one", Handler: h})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func listen(t *testing.T, hub *Hub, id identity.WorkspaceID) string {
	t.Helper()
	dir, err := hub.Listen(testContext(t), id, os.Getuid())
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func get(t *testing.T, rt http.RoundTripper, url string) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(testContext(t), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := rt.RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return string(b), err
}

func TestRequestsBothWays(t *testing.T) {
	hub := newHub(t, shortDir(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, ok := WorkspaceFrom(r.Context())
		fmt.Fprintf(w, "%s %v %s", id, ok, r.RequestURI)
	}))
	a, b := identity.NewWorkspaceID(), identity.NewWorkspaceID()
	agent := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprintf(w, "agent %s", r.URL.Path) })
	for _, id := range []identity.WorkspaceID{a, b} {
		if hub.Connected(id) {
			t.Fatal("connected before anybody dialled")
		}
		c := dial(t, listen(t, hub, id), agent)
		got, err := get(t, c.Transport(), "http://server/a%2Fb?c")
		if want := string(id) + " true /a%2Fb?c"; err != nil || got != want {
			t.Fatalf("server answered %q, %v; want %q", got, err, want)
		}
		if err := hub.Wait(testContext(t), id); err != nil {
			t.Fatal(err)
		}
		got, err = get(t, hub.Client(id), "http://anything/v1/x")
		if err != nil || got != "agent /v1/x" {
			t.Fatalf("agent answered %q, %v", got, err)
		}
		if s := hub.Status(id); s.Build != "peer" || s.Start != "one" {
			t.Fatalf("status %+v", s)
		}
	}
}

func TestUnknownIsUnavailable(t *testing.T) {
	hub := newHub(t, shortDir(t), nil)
	id := identity.NewWorkspaceID()
	check := func(what string, err error) {
		t.Helper()
		if problem.KindOf(err) != problem.Unavailable {
			t.Errorf("%s: %v, want Unavailable", what, err)
		}
	}
	_, err := hub.Dial(t.Context(), id)
	check("dial unknown", err)
	check("wait unknown", hub.Wait(testContext(t), id))
	dir := listen(t, hub, id)
	_, err = hub.Dial(t.Context(), id)
	check("dial before connected", err)
	short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	check("wait in vain", hub.Wait(short, id))
	c := dial(t, dir, nil)
	if err := hub.Wait(testContext(t), id); err != nil {
		t.Fatal(err)
	}
	hub.Close(id)
	<-c.Done()
	_, err = hub.Dial(t.Context(), id)
	check("dial closed", err)
}

// A cut in the middle of an answer must be an error for the reader: this is what ending a lease rests on.
func TestCutAnswerIsAnError(t *testing.T) {
	hub := newHub(t, shortDir(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/long":
			_, _ = io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		case "/cut", "/cut-length":
			if r.URL.Path == "/cut-length" {
				w.Header().Set("Content-Length", "100")
			}
			_, _ = io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	c := dial(t, listen(t, hub, identity.NewWorkspaceID()), nil)
	req, _ := http.NewRequestWithContext(testContext(t), "GET", "http://s/long", nil)
	long, err := c.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/cut", "/cut-length"} {
		got, err := get(t, c.Transport(), "http://s"+path)
		if got != "begin" || !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: read %q, %v; want an unexpected EOF", path, got, err)
		}
	}
	select {
	case <-c.Done():
		t.Fatal("cutting one stream ended the tunnel")
	default:
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(long.Body, got); err != nil || string(got) != "begin" {
		t.Errorf("the other stream: %q, %v", got, err)
	}
	long.Body.Close()
}

// A reader that stands still must not hold up the other streams of its tunnel.
func TestStalledStreamHoldsNobodyUp(t *testing.T) {
	hub := newHub(t, shortDir(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/flood" {
			_, _ = io.WriteString(w, "quick")
			return
		}
		block := make([]byte, 64<<10)
		for r.Context().Err() == nil {
			if _, err := w.Write(block); err != nil {
				return
			}
		}
	}))
	c := dial(t, listen(t, hub, identity.NewWorkspaceID()), nil)
	ctx, cancel := context.WithCancel(testContext(t))
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", "http://s/flood", nil)
	resp, err := c.Transport().RoundTrip(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	for range 50 {
		if got, err := get(t, c.Transport(), "http://s/quick"); got != "quick" || err != nil {
			t.Fatalf("%q, %v", got, err)
		}
	}
}

func TestNewerConnectionReplacesOlder(t *testing.T) {
	hub := newHub(t, shortDir(t), nil)
	id := identity.NewWorkspaceID()
	dir := listen(t, hub, id)
	old := dial(t, dir, nil)
	if err := hub.Wait(testContext(t), id); err != nil {
		t.Fatal(err)
	}
	dial(t, dir, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "new") }))
	select {
	case <-old.Done():
	case <-testContext(t).Done():
		t.Fatal("the older connection stayed")
	}
	if got, err := get(t, hub.Client(id), "http://w/"); got != "new" || err != nil {
		t.Fatalf("%q, %v", got, err)
	}
}

func TestRestartedServerIsFoundInTheSameFolder(t *testing.T) {
	dir := shortDir(t)
	id := identity.NewWorkspaceID()
	first := newHub(t, dir, nil)
	folder := listen(t, first, id)
	before, err := os.Stat(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Shutdown(testContext(t)); err != nil {
		t.Fatal(err)
	}
	second := newHub(t, dir, nil)
	if again := listen(t, second, id); again != folder {
		t.Fatalf("folder %s, was %s", again, folder)
	}
	after, err := os.Stat(folder)
	if err != nil || !os.SameFile(before, after) {
		t.Fatalf("another folder stands in its place (%v)", err)
	}
	dial(t, folder, nil)
	if err := second.Wait(testContext(t), id); err != nil {
		t.Fatal(err)
	}
	if err := second.Remove(id); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(folder); !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("the folder of a deleted workspace is still there (%v)", err)
	}
}

func TestHelloIsBoundedAndVersioned(t *testing.T) {
	for _, c := range []struct {
		peer, current int
		want          bool
	}{{1, 1, true}, {1, 2, true}, {1, 3, false}, {2, 1, false}, {0, 1, false}, {-1, 0, false}} {
		if got := accepts(c.peer, c.current); got != c.want {
			t.Errorf("accepts(%d, %d) = %v", c.peer, c.current, got)
		}
	}
	hub := newHub(t, shortDir(t), nil)
	id := identity.NewWorkspaceID()
	socket := filepath.Join(listen(t, hub, id), SocketName)
	for name, line := range map[string]string{
		"future":  `{"protocol":99,"build":"next"}` + "\n",
		"no JSON": "GET / HTTP/1.1\r\n",
		"endless": strings.Repeat("x", helloBytes+1),
	} {
		c, err := net.Dial("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(20 * time.Second))
		if _, err := io.WriteString(c, line); err != nil {
			t.Fatal(err)
		}
		answer, _ := bufio.NewReader(c).ReadBytes('\n')
		var h Hello
		if name == "future" && (json.Unmarshal(answer, &h) != nil || !strings.Contains(h.Error, "speaks 99")) {
			t.Errorf("%s: answer %q", name, answer)
		}
		if name != "future" && len(answer) > 0 {
			t.Errorf("%s: answer %q", name, answer)
		}
		c.Close()
	}
	if hub.Connected(id) {
		t.Error("a refused peer counts as connected")
	}
}

func TestSocketOfAnotherUserIsRefused(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("giving a folder to another user takes root")
	}
	hub := newHub(t, shortDir(t), nil)
	id := identity.NewWorkspaceID()
	const uid = 210001
	dir, err := hub.Listen(testContext(t), id, uid)
	if err != nil {
		t.Fatal(err)
	}
	folder, err := os.Stat(dir)
	if err != nil || folder.Mode().Perm() != 0o750 {
		t.Errorf("folder mode %v, %v", folder.Mode(), err)
	}
	socket, err := os.Stat(filepath.Join(dir, SocketName))
	if err != nil || socket.Mode().Perm() != 0o660 {
		t.Errorf("socket mode %v, %v", socket.Mode(), err)
	}
	// We are root, so the file's mode does not stop us; the kernel's word on who connected must.
	c, err := Dial(testContext(t), Peer{Socket: filepath.Join(dir, SocketName)})
	if err == nil {
		c.Close()
		t.Fatal("a peer of another user was accepted")
	}
	if hub.Connected(id) {
		t.Error("connected")
	}
}

func TestTooLongAPathIsRefused(t *testing.T) {
	hub := newHub(t, filepath.Join(shortDir(t), strings.Repeat("d", 90)), nil)
	_, err := hub.Listen(testContext(t), identity.NewWorkspaceID(), os.Getuid())
	if problem.KindOf(err) != problem.Invalid {
		t.Fatalf("%v", err)
	}
}

// Requests go by plain connections as long as there are some to be had, and by streams beyond them; both end with the
// tunnel.
func TestPlainConnectionsAreBoundedAndEndWithTheTunnel(t *testing.T) {
	hub := newHub(t, shortDir(t), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		id, _ := WorkspaceFrom(r.Context())
		_, _ = io.WriteString(w, string(id))
		w.(http.Flusher).Flush()
		if r.URL.Path == "/hold" {
			<-r.Context().Done()
		}
	}))
	id := identity.NewWorkspaceID()
	c := dial(t, listen(t, hub, id), nil)
	var held []*http.Response
	for range maxPlain + 5 {
		req, _ := http.NewRequestWithContext(testContext(t), "GET", "http://s/hold", nil)
		resp, err := c.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		held = append(held, resp)
	}
	hub.mu.Lock()
	plain := len(hub.doors[id].plain)
	hub.mu.Unlock()
	if plain != maxPlain || c.plain.Load() != maxPlain {
		t.Errorf("%d plain connections at the server, %d at the peer; want %d", plain, c.plain.Load(), maxPlain)
	}
	if got, err := get(t, c.Transport(), "http://s/"); got != string(id) || err != nil {
		t.Fatalf("beyond the plain ones: %q, %v", got, err)
	}
	hub.Close(id)
	for i, resp := range held {
		if _, err := io.ReadAll(resp.Body); err == nil {
			t.Fatalf("answer %d ended as if it were whole", i)
		}
	}
	eventually(t, func() bool { return c.plain.Load() == 0 })
}

// A process of the workspace cannot have plain connections without the tunnel.
func TestPlainConnectionNeedsATunnel(t *testing.T) {
	hub := newHub(t, shortDir(t), nil)
	id := identity.NewWorkspaceID()
	socket := filepath.Join(listen(t, hub, id), SocketName)
	raw, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	hub.mu.Lock()
	d := hub.doors[id]
	hub.mu.Unlock()
	done := make(chan error, 1)
	go func() {
		_, err := introduce(raw, Hello{Protocol: Protocol, Plain: true})
		done <- err
	}()
	eventually(t, func() bool { hub.mu.Lock(); defer hub.mu.Unlock(); return len(d.pending) == 0 })
	hub.Close(id)
	if err := <-done; err == nil {
		t.Error("a plain connection without a tunnel")
	}
}
