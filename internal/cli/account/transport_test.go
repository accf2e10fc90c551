package account

import (
	"crypto/x509"
	"encoding/base64"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/problem"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// nonces is a server that takes the nonce it gave last.
type nonces struct {
	mu     sync.Mutex
	nonce  string
	asked  []string
	bodies []string
}

func (n *nonces) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	n.mu.Lock()
	n.asked = append(n.asked, r.Proto+" "+r.URL.Path)
	good := n.nonce != "" && strings.Contains(proofOf(r), `"nonce":"`+n.nonce+`"`)
	if !good {
		n.nonce = "nonce-" + time.Now().Format(time.RFC3339Nano)
		w.Header().Set("DPoP-Nonce", n.nonce)
		problem.Write(w, problem.New(problem.SignInNeeded, "The proof needs a nonce."))
	}
	n.mu.Unlock()
	if !good {
		return
	}
	if r.URL.Path == "/socket" {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			_ = c.Close(websocket.StatusNormalClosure, "")
		}
		return
	}
	body, _ := io.ReadAll(r.Body) // what came is compared
	n.mu.Lock()
	defer n.mu.Unlock()
	n.bodies = append(n.bodies, string(body))
}

// stale makes the server take another nonce from now on.
func (n *nonces) stale() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nonce = "another"
}

func proofOf(r *http.Request) string {
	parts := strings.Split(r.Header.Get("DPoP"), ".")
	if len(parts) != 3 {
		return ""
	}
	return decoded(parts[1])
}

func newTransport(t *testing.T, n http.Handler) (*httptest.Server, *Transport, *time.Time) {
	t.Helper()
	s := httptest.NewUnstartedServer(n)
	s.EnableHTTP2 = true
	s.StartTLS()
	t.Cleanup(s.Close)
	client := HTTP()
	general := client.Transport.(*http.Transport)
	general.TLSClientConfig.RootCAs = x509.NewCertPool()
	general.TLSClientConfig.RootCAs.AddCert(s.Certificate())
	now := time.Now()
	store := &Store{Dir: t.TempDir(), HTTP: client, Now: func() time.Time { return now }}
	v, err := newSecret()
	if err != nil {
		t.Fatal(err)
	}
	v.Access, v.Ends = "access", now.Add(time.Hour)
	c := Context{URL: s.URL}
	if c.Kept, err = store.save(c.URL, v); err != nil {
		t.Fatal(err)
	}
	transport := store.Transport(c)
	t.Cleanup(transport.CloseIdleConnections)
	return s, transport, &now
}

// A WebSocket goes by HTTP/1.1 whatever the rest goes by.
func TestTransportUpgrades(t *testing.T) {
	n := &nonces{}
	s, transport, _ := newTransport(t, n)
	resp, err := (&http.Client{Transport: transport}).Get(s.URL + "/page")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	c, _, err := websocket.Dial(t.Context(), s.URL+"/socket", &websocket.DialOptions{HTTPClient: &http.Client{Transport: transport}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(t.Context()); websocket.CloseStatus(err) != websocket.StatusNormalClosure {
		t.Error(err)
	}
	if first, last := n.asked[0], n.asked[len(n.asked)-1]; first != "HTTP/2.0 /page" || last != "HTTP/1.1 /socket" {
		t.Errorf("it was asked by %v", n.asked)
	}
}

// What can be sent once only, such as the pack of a push, is not refused for an old nonce.
func TestTransportSendsOnceWithAGoodNonce(t *testing.T) {
	n := &nonces{}
	s, transport, now := newTransport(t, n)
	send := func() int {
		t.Helper()
		r, err := http.NewRequest(http.MethodPost, s.URL+"/push", io.MultiReader(strings.NewReader("a pa"), strings.NewReader("ck")))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for range 3 {
		if status := send(); status != http.StatusOK {
			t.Fatalf("a push: %d", status)
		}
	}
	if len(n.asked) != 4 { // a nonce once, and three pushes
		t.Errorf("it was asked %v", n.asked)
	}
	n.stale()
	*now = now.Add(nonceGood)
	if status := send(); status != http.StatusOK || len(n.bodies) != 4 || n.bodies[3] != "a pack" {
		t.Errorf("a push with an old nonce: %d %q", status, n.bodies)
	}
}

// TestAttack17AnAppsNonceIsNotLearned: what an app refuses is passed on as it is, and its nonce stands in no proof for the server.
func TestAttack17AnAppsNonceIsNotLearned(t *testing.T) {
	var asked []string
	s, transport, _ := newTransport(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, proofOf(r))
		w.Header().Set("DPoP-Nonce", "the-app's")
		w.Header().Set(problem.Header, "not-found")
		w.WriteHeader(http.StatusUnauthorized)
	}))
	for range 2 {
		resp, err := (&http.Client{Transport: transport}).Get(s.URL + "/r/ledger/")
		if err != nil || resp.StatusCode != http.StatusUnauthorized {
			t.Fatal(resp, err)
		}
		resp.Body.Close()
	}
	resp, err := (&http.Client{Transport: transport}).Post(s.URL+"/r/ledger/", "text/plain", io.MultiReader(strings.NewReader("once")))
	if err != nil || resp.StatusCode != http.StatusUnauthorized {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if proofs := strings.Join(asked, " "); len(asked) != 4 || strings.Contains(proofs, "nonce") { // one asked for a nonce
		t.Errorf("%d requests with %s", len(asked), proofs)
	}
}

func decoded(part string) string {
	text, err := base64.RawURLEncoding.DecodeString(part)
	if err != nil {
		return ""
	}
	return string(text)
}
