package laptop

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server answers as the data paths do, and notes what came.
type server struct {
	*httptest.Server
	last *http.Request
	body string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		s.last, s.body = r, string(body)
		if strings.HasSuffix(r.URL.Path, "/ended") {
			w.Header().Set("WWW-Authenticate", "DPoP")
			problem.Write(w, problem.New(problem.SignInNeeded, "The session has ended."))
		}
		if strings.HasSuffix(r.URL.Path, "/unknown") { // an app that has users of its own
			w.Header().Set("WWW-Authenticate", "Basic")
			http.Error(w, "Who are you?", http.StatusUnauthorized)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func open(t *testing.T, s *server, only string) (*Door, *error) {
	t.Helper()
	var lost error
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	d, err := Open(t.Context(), Config{URL: s.URL, Server: transport, Only: only, Lost: func(err error) { lost = err }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.Close() })
	return d, &lost
}

func ask(t *testing.T, r *http.Request) (int, string) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func request(t *testing.T, d *Door, method, path, body string) *http.Request {
	t.Helper()
	r, err := http.NewRequest(method, d.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set(KeyHeader, d.Key)
	return r
}

// TestAttack22OnlyWhoKnowsTheKeyComesThroughTheDoor: other users of the machine, and web pages that somebody's browser shows, reach
// the same loopback.
func TestAttack22OnlyWhoKnowsTheKeyComesThroughTheDoor(t *testing.T) {
	s := newServer(t)
	d, _ := open(t, s, "/git/git.example.test/payments/api")
	const in = "/git/git.example.test/payments/api/info/refs"
	for name, change := range map[string]func(*http.Request){
		"no key":        func(r *http.Request) { r.Header.Del(KeyHeader) },
		"another key":   func(r *http.Request) { r.Header.Set(KeyHeader, d.Key+"x") },
		"two keys":      func(r *http.Request) { r.Header.Add(KeyHeader, d.Key) },
		"another name":  func(r *http.Request) { r.Host = "evil.example.test" },
		"localhost":     func(r *http.Request) { r.Host = "localhost:" + r.URL.Port() },
		"a page":        func(r *http.Request) { r.Header.Set("Origin", "https://evil.example.test") },
		"a browser":     func(r *http.Request) { r.Header.Set("Sec-Fetch-Site", "none") },
		"a cookie":      func(r *http.Request) { r.Header.Set("Cookie", "a=b") },
		"a proxy":       func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.1") },
		"another":       func(r *http.Request) { r.URL.Path = "/git/git.example.test/payments/api-2/info/refs" },
		"an app":        func(r *http.Request) { r.URL.Path = "/r/ledger/" },
		"the API":       func(r *http.Request) { r.URL.Path = "/api/v1/me" },
		"the tokens":    func(r *http.Request) { r.URL.Path = "/oauth/token" },
		"above, hidden": func(r *http.Request) { r.URL.Path = "/git/git.example.test/../../api/v1/me" },
	} {
		r := request(t, d, http.MethodGet, in, "")
		change(r)
		if status, body := ask(t, r); status != http.StatusForbidden && status != http.StatusNotFound || s.last != nil {
			t.Errorf("%s: %d %s", name, status, body)
			s.last = nil
		}
	}
	if status, body := ask(t, request(t, d, http.MethodGet, in+"?service=git-upload-pack", "")); status != http.StatusOK || s.last == nil {
		t.Errorf("who knows it: %d %s", status, body)
	}
}

// The key ends at the door, and so does what the program shows as its own identity; the rest passes as it came.
func TestDoorPasses(t *testing.T) {
	s := newServer(t)
	d, lost := open(t, s, "")
	big := strings.Repeat("x", 3<<20)
	for _, body := range []string{"", "small", big} {
		r := request(t, d, http.MethodPost, "/r/ledger/a%20b?c=%2f", body)
		r.Header.Set("Authorization", "Basic c2VjcmV0")
		r.Header.Set("DPoP", "theirs")
		r.Header.Set("X-Theirs", "kept")
		if len(body) > 1<<20 { // as Git sends a pack
			r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewBufferString(body)), -1, nil
		}
		if status, said := ask(t, r); status != http.StatusOK {
			t.Fatalf("%d %s", status, said)
		}
		if s.body != body {
			t.Errorf("%d bytes came as %d", len(body), len(s.body))
		}
		h := s.last.Header
		if h.Get(KeyHeader) != "" || h.Get("Authorization") != "" || h.Get("DPoP") != "" || h.Get("X-Theirs") != "kept" {
			t.Errorf("the server got %v", h)
		}
		if s.last.RequestURI != "/r/ledger/a%20b?c=%2f" {
			t.Errorf("the server was asked for %s", s.last.RequestURI)
		}
	}
	status, body := ask(t, request(t, d, http.MethodGet, "/git/host/ended", ""))
	if status != http.StatusForbidden || !strings.Contains(body, "The session has ended. Sign in again: lanyard login "+s.URL) {
		t.Errorf("a session that ended: %d %s", status, body)
	}
	if problem.KindOf(*lost) != problem.SignInNeeded {
		t.Errorf("lost: %v", *lost)
	}
	s.Close()
	if status, body := ask(t, request(t, d, http.MethodGet, "/git/host/away", "")); status != http.StatusServiceUnavailable {
		t.Errorf("no server: %d %s", status, body)
	}
}

// TestAttack17AnAppsRefusalEndsNoSession: an app's 401 is the program's matter, and nobody is told to sign in again for it.
func TestAttack17AnAppsRefusalEndsNoSession(t *testing.T) {
	s := newServer(t)
	d, lost := open(t, s, "")
	if status, body := ask(t, request(t, d, http.MethodGet, "/r/ledger/unknown", "")); status != http.StatusUnauthorized || body != "Who are you?\n" {
		t.Errorf("%d %s", status, body)
	}
	if *lost != nil {
		t.Errorf("lost: %v", *lost)
	}
}
