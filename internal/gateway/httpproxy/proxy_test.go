package httpproxy

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/dev/ledger"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/gatewaytest"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

const issuer = "https://lanyard.example.test"

// scene is the ledger and an app that repeats what it gets, behind a gateway.
type scene struct {
	*gatewaytest.World
	proxy *Proxy
	keys  *token.Keys
	mu    sync.Mutex
	seen  *http.Request // by the app "echo"
	uri   string
	hold  chan struct{} // closed when the app is asked for /hold
}

type keyRows []token.Key

func (r *keyRows) Keys(context.Context, string) ([]token.Key, error) { return *r, nil }
func (r *keyRows) AddKey(_ context.Context, k token.Key) error       { *r = append(*r, k); return nil }

const sample = `resources:
  - app: ledger
    url: http://ledger.example.test
    assertion: {audience: ledger}
  - app: echo
    url: https://echo.example.test/base
    assertion: {audience: echo}
  - app: gone
    url: http://gone.example.test
`

func newScene(t testing.TB) *scene {
	t.Helper()
	return newSceneOf(t, sample)
}

func newSceneOf(t testing.TB, resources string) *scene {
	t.Helper()
	s := &scene{World: gatewaytest.New(t, resources)}
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	if s.keys, err = token.Open(t.Context(), token.Config{Rows: &keyRows{}, Sealer: sealer, Kinds: []string{token.Assertion}}); err != nil {
		t.Fatal(err)
	}
	published := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		json.NewEncoder(w).Encode(s.keys.JWKS())
	}))
	books := httptest.NewServer(ledger.New(ledger.Config{
		Issuer: issuer, JWKS: published.URL, Audience: "ledger", Client: published.Client(),
	}))
	echo := httptest.NewServer(http.HandlerFunc(s.echo))
	t.Cleanup(func() {
		published.Close()
		books.CloseClientConnections()
		books.Close()
		echo.CloseClientConnections()
		echo.Close()
	})
	address := func(s *httptest.Server) upstream.Address { return upstream.Address(s.Listener.Addr().String()) }
	up := upstream.New(upstream.Config{
		Names: map[string]upstream.Address{
			"ledger.example.test": address(books), "echo.example.test": address(echo), "gone.example.test": "127.0.0.1:1",
		},
		Log: s.Log,
	})
	t.Cleanup(up.Close)
	s.proxy = New(Config{Access: s.Engine, Facts: s.Engine.Facts, Upstream: up, Keys: s.keys, Issuer: issuer, Log: s.Log})
	return s
}

func (s *scene) routes() []web.Route {
	return gateway.Routes(gateway.Protocols{
		App: s.proxy.Serve,
		Git: func(http.ResponseWriter, *http.Request) error { return errors.New("no Git here") },
	})
}

func (s *scene) serve(t testing.TB, person string) *httptest.Server {
	return s.Serve(t, s.Workspace(person), s.routes()...)
}

func (s *scene) echo(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.seen, s.uri = r, r.RequestURI
	s.mu.Unlock()
	switch r.URL.Path {
	case "/base/websocket":
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer conn.CloseNow()
		for {
			kind, message, err := conn.Read(r.Context())
			if err != nil || conn.Write(r.Context(), kind, message) != nil {
				return
			}
		}
	case "/base/early": // answers before it has read the request
		if http.NewResponseController(w).EnableFullDuplex() != nil {
			return
		}
		w.WriteHeader(http.StatusOK)
		http.NewResponseController(w).Flush()
		io.Copy(w, r.Body)
	case "/base/hold":
		close(s.hold)
		<-r.Context().Done()
	case "/base/hints":
		w.Header().Set("Set-Cookie", "a=b")
		w.WriteHeader(http.StatusEarlyHints)
		w.Header().Del("Set-Cookie")
		io.WriteString(w, "ok")
	case "/base/refuses": // as if it were Lanyard
		h := w.Header()
		h.Set("DPoP-Nonce", "the-app's")
		h.Set("LANYARD-PROBLEM", "sign-in-needed")
		h.Set("Lanyard-Request-Id", "another")
		h.Set("WWW-Authenticate", "Basic")
		h.Set("Trailer", "DPoP-Nonce, Lanyard-Problem")
		w.WriteHeader(http.StatusUnauthorized)
		io.WriteString(w, "Who are you?")
		h.Set(http.TrailerPrefix+"Lanyard-Late", "x")
	case "/base/moved":
		http.Redirect(w, r, "/base/here?x=1", http.StatusFound)
	default:
		h := w.Header()
		h.Set("Set-Cookie", "a=b")
		h.Set("Access-Control-Allow-Origin", "*")
		h.Set("Content-Security-Policy", "default-src *")
		h.Set("X-Own", "kept")
		io.WriteString(w, "ok")
	}
}

func (s *scene) last() (*http.Request, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seen, s.uri
}

func get(t testing.TB, url string) (*http.Response, string) {
	t.Helper()
	resp, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestAppLearnsWhoIsCalling(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	_, body := get(t, server.URL+"/r/ledger/whoami")
	var who ledger.Caller
	if err := json.Unmarshal([]byte(body), &who); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	if who.Name != "Ada Lovelace" || who.Object != gatewaytest.Ada || who.Project != "payments" || len(who.Roles) != 1 || who.Roles[0] != "developer" {
		t.Errorf("the ledger believes %+v", who)
	}
	resp, err := http.Post(server.URL+"/r/ledger/entries", "application/json", strings.NewReader(`{"text":"card payment 4712","amount_minor":1}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		t.Errorf("the answer is %s", resp.Status)
	}
	_, body = get(t, server.URL+"/r/ledger/entries")
	if !strings.Contains(body, `"by":"Ada Lovelace","text":"card payment 4712"`) {
		t.Errorf("the entries are %s", body)
	}
	var durable int
	for _, e := range s.Audit.Find(identity.AppCall, audit.Opened) {
		if e.Detail["method"] == "POST" && e.Detail["path"] == "/entries" {
			durable++
		}
	}
	if durable != 1 {
		t.Errorf("the audit log has %d entries for the POST", durable)
	}
	gatewaytest.Eventually(t, "the leases end", func() bool { return len(s.Engine.LeasesOf(gatewaytest.User(gatewaytest.Ada))) == 0 })
}

func TestAssertionHoldsForOneRequestOnly(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	get(t, server.URL+"/r/echo/whoami?x=1")
	seen, uri := s.last()
	if uri != "/base/whoami?x=1" || seen.Host != "echo.example.test" {
		t.Errorf("the app was asked for %s at %s", uri, seen.Host)
	}
	var a Assertion
	verify := token.Expect{Type: AssertionType, Issuer: issuer, Audience: "echo", Keys: s.keys}
	if err := verify.Verify(t.Context(), seen.Header.Get(AssertionHeader), &a); err != nil {
		t.Fatal(err)
	}
	if a.Subject != "user:"+string(gatewaytest.Tenant)+"/"+gatewaytest.Ada || a.Method != "GET" || a.Path != "/base/whoami" ||
		a.Expires-a.IssuedAt > 60 || a.Workspace == "" || a.Session == "" {
		t.Errorf("the assertion says %+v", a)
	}
	// Brought to another app, it is not believed.
	r, _ := http.NewRequest(http.MethodGet, server.URL+"/r/ledger/whoami", nil)
	r.Header.Set(AssertionHeader, seen.Header.Get(AssertionHeader))
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "Ada") {
		t.Errorf("the gateway's own assertion did not replace it: %s %s", resp.Status, body)
	}
	if s := subject(identity.UserID{Tenant: "https://idp.example.test/" + identity.TenantID(strings.Repeat("x", 200)), Object: "1"}); len(s) > 127 {
		t.Errorf("a subject of %d bytes", len(s))
	}
}

func TestRefusals(t *testing.T) {
	s := newScene(t)
	document := func(server *httptest.Server, path string) problem.Document {
		resp, body := get(t, server.URL+path)
		var d problem.Document
		if err := json.Unmarshal([]byte(body), &d); err != nil || resp.Header.Get("Content-Type") != "application/problem+json" {
			t.Fatalf("%s: %s %q", path, resp.Status, body)
		}
		return d
	}
	ada, mallory := s.serve(t, gatewaytest.Ada), s.serve(t, gatewaytest.Mallory)
	if d := document(ada, "/r/gone/x"); d.Status != http.StatusBadGateway || !strings.Contains(d.Detail, "the app gone (gone.example.test) does not answer") {
		t.Errorf("unreachable: %+v", d)
	}
	hidden, absent := document(mallory, "/r/ledger/x"), document(mallory, "/r/none/x")
	if hidden.Detail != strings.Replace(absent.Detail, "none", "ledger", 1) || hidden.Status != absent.Status || hidden.Status != http.StatusNotFound {
		t.Errorf("a stranger is told %+v and %+v", hidden, absent)
	}
	s.Leave()
	if d := document(ada, "/r/ledger/whoami"); d.Status != http.StatusNotFound && d.Status != http.StatusForbidden {
		t.Errorf("after leaving: %+v", d)
	}
	s.Join()
	if _, body := get(t, ada.URL+"/r/ledger/whoami"); !strings.Contains(body, "Ada") {
		t.Errorf("after joining again: %s", body)
	}
}

func TestAnswerIsCleaned(t *testing.T) {
	s := newScene(t)
	server := s.serve(t, gatewaytest.Ada)
	resp, body := get(t, server.URL+"/r/echo/x")
	h := resp.Header
	if body != "ok" || h.Get("X-Own") != "kept" || h.Get("Set-Cookie") != "" || h.Get("Access-Control-Allow-Origin") != "" ||
		strings.Join(h.Values("Content-Security-Policy"), ",") != "sandbox" || h.Get("X-Content-Type-Options") != "nosniff" {
		t.Errorf("%q with %v", body, h)
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	moved, err := client.Get(server.URL + "/r/echo/moved")
	if err != nil {
		t.Fatal(err)
	}
	moved.Body.Close()
	if to := moved.Header.Get("Location"); to != "/r/echo/here?x=1" {
		t.Errorf("redirected to %q", to)
	}
}

func TestEventStreamEndsWithTheReason(t *testing.T) {
	s := newScene(t)
	resp, err := http.Get(s.serve(t, gatewaytest.Ada).URL + "/r/ledger/watch")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for n := 0; n < 8 && lines.Scan(); n++ { // two events flow
	}
	if n := s.Leave(); n != 1 {
		t.Fatalf("%d leases were cut", n)
	}
	var last []string
	for lines.Scan() {
		last = append(last, lines.Text())
	}
	if err := lines.Err(); err == nil {
		t.Error("the stream ended as if it were whole")
	}
	if len(last) < 3 || last[len(last)-3] != "event: lanyard-closed" || !strings.Contains(last[len(last)-2], "payments-engineers") || last[len(last)-1] != "" {
		t.Errorf("the last lines are %q", last)
	}
}

func TestLongAnswerIsReset(t *testing.T) {
	s := newScene(t)
	resp, err := http.Get(s.serve(t, gatewaytest.Ada).URL + "/r/ledger/export")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body := bufio.NewReader(resp.Body)
	if _, err := body.ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	s.Leave()
	if _, err := io.Copy(io.Discard, body); err == nil {
		t.Error("the answer ended as if it were whole")
	}
	gatewaytest.Eventually(t, "the cut is in the audit log", func() bool { return len(s.Audit.Find(identity.AppCall, audit.Cut)) == 1 })
}

func TestWebSocketPassesAndIsCut(t *testing.T) {
	s := newScene(t)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, _, err := websocket.Dial(ctx, s.serve(t, gatewaytest.Ada).URL+"/r/echo/websocket", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.CloseNow()
	for range 3 {
		if err := conn.Write(ctx, websocket.MessageText, []byte("hello")); err != nil {
			t.Fatal(err)
		}
		if _, message, err := conn.Read(ctx); err != nil || string(message) != "hello" {
			t.Fatalf("%q, %v", message, err)
		}
	}
	s.Leave()
	if _, _, err := conn.Read(ctx); err == nil || ctx.Err() != nil {
		t.Errorf("the connection is open after the cut: %v", err)
	}
}

// TestAnswerMayBeginBeforeTheRequestEnds: the request goes on while the answer is read.
func TestAnswerMayBeginBeforeTheRequestEnds(t *testing.T) {
	s := newScene(t)
	read, write := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, s.serve(t, gatewaytest.Ada).URL+"/r/echo/early", read)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	const size = 4 << 20
	go func() {
		part := make([]byte, 64<<10)
		for range size / len(part) {
			if _, err := write.Write(part); err != nil {
				return
			}
		}
		write.Close()
	}()
	if n, err := io.Copy(io.Discard, resp.Body); n != size || err != nil {
		t.Errorf("%d of %d bytes came back: %v", n, size, err)
	}
}

// plainRequest sends a request as it stands and returns the answer.
func plainRequest(t *testing.T, server *httptest.Server, text string) (*http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("%v after %q", err, text)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp, string(body)
}

func TestCutBeforeTheAppAnswers(t *testing.T) {
	s := newScene(t)
	asked := make(chan struct{})
	s.mu.Lock()
	s.hold = asked
	s.mu.Unlock()
	go func() {
		<-asked
		s.Leave()
	}()
	resp, body := get(t, s.serve(t, gatewaytest.Ada).URL+"/r/echo/hold")
	if resp.StatusCode != http.StatusForbidden || !strings.Contains(body, "Lanyard closed this: you are no longer in the group payments-engineers") {
		t.Errorf("%s %s", resp.Status, body)
	}
}
