package laptop

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/account"
	"github.com/lanyardhq/lanyard/test/harness"
)

// listener hears what the command line sends, as one who has broken into what lies between.
type listener struct {
	http.RoundTripper
	heard http.Header
}

func (l *listener) RoundTrip(r *http.Request) (*http.Response, error) {
	l.heard = r.Header.Clone()
	return l.RoundTripper.RoundTrip(r)
}

const refs = "/git/git.example.test/payments/api/info/refs"

// testStolen shows at the data paths what a thief may have: each of it is refused, and where it could be taken for somebody's it
// is not.
func testStolen(t *testing.T, w *harness.World) {
	m := newMachine(t, w, "grace")
	m.SignIn()
	plain := account.HTTP().Transport
	between := &listener{RoundTripper: plain}
	store := &account.Store{Dir: filepath.Join(m.Dir, "lanyard"), HTTP: &http.Client{Transport: between}}
	c, err := store.Find("")
	if err != nil || c == nil {
		t.Fatal(c, err)
	}
	ask := func(by http.RoundTripper, path string, header http.Header) (int, string, http.Header) {
		t.Helper()
		r, err := http.NewRequestWithContext(w.Context(), http.MethodGet, w.Info.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for name, values := range header {
			r.Header[name] = values
		}
		resp, err := by.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return resp.StatusCode, string(body), resp.Header
	}
	grace := store.Transport(*c)
	if status, body, _ := ask(grace, refs+"?service=git-upload-pack", nil); status != http.StatusOK {
		t.Fatalf("Grace herself: %d %s", status, body)
	}
	if status, body, _ := ask(grace, "/r/ledger/whoami", nil); status != http.StatusOK || !strings.Contains(body, "Grace Hopper") {
		t.Fatalf("Grace herself: %d %s", status, body)
	}
	if status, body, h := ask(grace, refs+"?service=git-upload-pack", nil); status != http.StatusOK || h.Get("Content-Security-Policy") != "sandbox" {
		t.Fatalf("Grace herself: %d %s %v", status, body, h)
	}
	heard := between.heard
	token := strings.TrimPrefix(heard.Get("Authorization"), "DPoP ")
	with := func(change func(http.Header)) http.Header {
		h := http.Header{"Authorization": {heard.Get("Authorization")}, "Dpop": {heard.Get("DPoP")}}
		change(h)
		return h
	}
	for name, shown := range map[string]http.Header{
		"nothing":         {},
		"the proof again": with(func(http.Header) {}),
		"no proof":        with(func(h http.Header) { h.Del("DPoP") }),
		"two proofs":      with(func(h http.Header) { h.Add("DPoP", heard.Get("DPoP")) }),
		"as a bearer":     with(func(h http.Header) { h.Set("Authorization", "Bearer "+token) }),
		"as a password": with(func(h http.Header) {
			h.Set("Authorization", "Basic "+base64.StdEncoding.EncodeToString([]byte("x:"+token)))
		}),
		"two credentials":         with(func(h http.Header) { h.Add("Authorization", "Bearer x") }),
		"a proof of another key":  with(func(h http.Header) { h.Set("DPoP", forged(t, heard.Get("DPoP"), token)) }),
		"a cookie beside it":      with(func(h http.Header) { h.Set("Cookie", "a=b") }),
		"opened in a browser":     with(func(h http.Header) { h.Set("Sec-Fetch-Mode", "navigate") }),
		"a token of another kind": {"Authorization": {"DPoP " + heard.Get("DPoP")}, "Dpop": {heard.Get("DPoP")}},
	} {
		for _, path := range []string{refs + "?service=git-upload-pack", refs + "?service=git-receive-pack", "/r/ledger/whoami"} {
			status, body, _ := ask(plain, path, shown)
			if status != http.StatusUnauthorized && status != http.StatusForbidden || strings.Contains(body, "Grace") || strings.Contains(body, "refs/heads") {
				t.Errorf("%s at %s: %d %s", name, path, status, body)
			}
		}
	}
	w.Eventually("what was refused is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: "oauth:access"})
		return err == nil && len(page.Items) > 0
	})
	browser := w.As("grace").Browser.HTTP()
	if status, body, _ := ask(roundTripper(browser.Do), refs+"?service=git-upload-pack", nil); status != http.StatusForbidden && status != http.StatusUnauthorized {
		t.Errorf("a browser that Grace is signed in with: %d %s", status, body)
	}

	// Brought into a workspace, a token says nothing there: who comes through its tunnel is its owner.
	ws := w.Workspace("ada", payments)
	_, _, _ = ask(grace, "/r/ledger/whoami", nil) // a proof for this very request
	out := w.Must("ada", ws, "curl -sf -H 'Authorization: "+between.heard.Get("Authorization")+"' -H 'DPoP: "+between.heard.Get("DPoP")+"' http://127.0.0.1:7070/r/ledger/whoami")
	if !strings.Contains(out, "Ada Lovelace") || strings.Contains(out, "Grace") {
		t.Errorf("in a workspace: %s", out)
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forged is a proof as another one, by a key of the forger's own.
func forged(t *testing.T, proof, token string) string {
	t.Helper()
	text, err := base64.RawURLEncoding.DecodeString(strings.Split(proof, ".")[1])
	if err != nil {
		t.Fatal(err)
	}
	var claims map[string]any
	if err := json.Unmarshal(text, &claims); err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte(token))
	claims["jti"], claims["iat"], claims["ath"] = rand.Text(), time.Now().Unix(), base64.RawURLEncoding.EncodeToString(digest[:])
	if text, err = json.Marshal(claims); err != nil {
		t.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key},
		&jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{jose.HeaderType: "dpop+jwt"}})
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}
