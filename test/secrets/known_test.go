package secrets

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/test/harness"
	"github.com/lanyardhq/lanyard/test/secrets/needle"
)

// known is every secret of a run, by name.
type known struct {
	*harness.World
	mu      sync.Mutex
	secrets map[string][]byte
	kinds   map[string]int // how many of each kind
}

func newKnown(w *harness.World) *known {
	return &known{World: w, secrets: map[string][]byte{}, kinds: map[string]int{}}
}

// add takes a secret in, once.
func (k *known) add(kind string, secret []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, old := range k.secrets {
		if string(old) == string(secret) {
			return
		}
	}
	k.kinds[kind]++
	k.secrets[fmt.Sprintf("%s %d", kind, k.kinds[kind])] = secret
}

// need fails the test unless at least one of each kind is known: a search for nothing finds nothing.
func (k *known) need(kinds ...string) {
	k.T.Helper()
	for _, kind := range kinds {
		if k.kinds[kind] == 0 {
			k.T.Fatalf("the test knows no %s", kind)
		}
	}
}

func (k *known) marks() (marks []needle.Mark) {
	k.T.Helper()
	for name, secret := range k.secrets {
		m, err := needle.Marks(name, secret)
		if err != nil {
			k.T.Fatal(err)
		}
		marks = append(marks, m...)
	}
	return marks
}

func (k *known) file(parts ...string) []byte {
	k.T.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{k.Data}, parts...)...))
	if err != nil {
		k.T.Fatal(err)
	}
	return b
}

// atRest takes in what is kept in files and, sealed, in the database.
func (k *known) atRest() {
	k.T.Helper()
	_, password, _ := strings.Cut(strings.TrimSpace(string(k.file("secrets", "legacy-git"))), ":")
	k.add("upstream password", []byte(password))
	k.add("client secret", k.file("secrets", "client-secret"))
	k.add("client secret of a service", k.file("secrets", "reports-client"))
	k.add("client secret of the directory's tools", []byte(k.Info.Tenant.ClientSecret))
	encryption := k.file("secrets", "encryption.key")
	k.add("encryption key", encryption)
	sealer, err := token.NewSealer(encryption)
	if err != nil {
		k.T.Fatal(err)
	}
	rows, err := store.Open(k.Context(), store.Config{SQLite: server.DatabaseFile(filepath.Join(k.Data, "server")), ReadOnly: true})
	if err != nil {
		k.T.Fatal(err)
	}
	defer rows.Close()
	k.signingKeys(rows, sealer)
	k.refreshTokens(k.Context(), rows, sealer)
	k.tenantKeys()
}

func (k *known) signingKeys(rows *store.Store, sealer *token.Sealer) {
	k.T.Helper()
	var keys []token.Key
	for _, kind := range []string{token.Assertion, token.API, token.Workload, token.Federation} {
		of, err := rows.Keys(k.Context(), kind)
		if err != nil || len(of) == 0 {
			k.T.Fatalf("the keys of %s: %v %v", kind, of, err)
		}
		keys = append(keys, of...)
	}
	for _, row := range keys {
		der, err := sealer.Open("key/"+row.Kind+"/"+row.ID, row.Sealed)
		if err != nil {
			k.T.Fatal(err)
		}
		private, err := x509.ParsePKCS8PrivateKey(der)
		if err != nil {
			k.T.Fatal(err)
		}
		switch private := private.(type) {
		case *rsa.PrivateKey:
			k.add("signing key", private.D.Bytes())
		case *ecdsa.PrivateKey:
			scalar, err := private.Bytes()
			if err != nil {
				k.T.Fatal(err)
			}
			k.add("signing key", scalar)
		}
	}
	keys, err := rows.Keys(k.Context(), "audit")
	if err != nil {
		k.T.Fatal(err)
	}
	for _, row := range keys {
		text, err := sealer.Open("audit "+row.ID, row.Sealed)
		if err != nil {
			k.T.Fatal(err)
		}
		parts := strings.SplitN(string(text), "+", 5) // PRIVATE+KEY+name+hash+key; base64 may hold a plus
		if len(parts) != 5 {
			k.T.Fatalf("the audit log's key has %d parts", len(parts))
		}
		private, err := base64.StdEncoding.DecodeString(parts[4])
		if err != nil || len(private) != 33 {
			k.T.Fatalf("the audit log's key: %v", err)
		}
		k.add("audit signing key", private[1:])
	}
}

func (k *known) refreshTokens(ctx context.Context, rows *store.Store, sealer *token.Sealer) {
	k.T.Helper()
	signIns, _, _, err := rows.LoadSessions(ctx)
	if err != nil {
		k.T.Fatal(err)
	}
	for _, s := range signIns {
		if len(s.Refresh) == 0 {
			continue
		}
		refresh, err := sealer.Open("refresh-token "+s.User.Key(), s.Refresh)
		if err != nil {
			k.T.Fatal(err)
		}
		k.add("refresh token", refresh)
	}
}

// tenantKeys takes in the sample tenant's own: it runs in the same process.
func (k *known) tenantKeys() {
	k.T.Helper()
	var ring struct {
		Keys             []struct{ Private []byte }
		Pairwise, Portal []byte
	}
	if err := json.Unmarshal(k.file("tenant", "keys.json"), &ring); err != nil {
		k.T.Fatal(err)
	}
	for _, key := range ring.Keys {
		private, err := x509.ParsePKCS1PrivateKey(key.Private)
		if err != nil {
			k.T.Fatal(err)
		}
		k.add("tenant's signing key", private.Primes[0].Bytes())
		k.add("tenant's signing key", private.D.Bytes())
	}
	k.add("tenant's pairwise secret", ring.Pairwise)
}

// A signed JWT, whole: its signature is of ES256 or RS256. It begins with an object in base64.
var jwt = regexp.MustCompile(`^(eyJ[A-Za-z0-9_-]{10,})\.(eyJ[A-Za-z0-9_-]{20,})\.([A-Za-z0-9_-]{86}|[A-Za-z0-9_-]{342})`)

// inMemory takes in the tokens that the server's process holds: access tokens and ID tokens of people, assertions, the
// directory's. This is where they are; they are nowhere else, which the test is to show.
func (k *known) inMemory() {
	k.T.Helper()
	_, err := needle.Memory(k.Pid(), func(b []byte) {
		for {
			i := bytes.Index(b, []byte("eyJ"))
			if i < 0 {
				return
			}
			m := jwt.FindSubmatch(b[i:min(i+maxToken, len(b))])
			b = b[i+3:]
			if m == nil {
				continue
			}
			var header struct {
				Type string `json:"typ"`
			}
			var claims struct {
				Audience any    `json:"aud"`
				Object   string `json:"oid"`
				Scopes   string `json:"scp"`
			}
			if !decoded(m[1], &header) || !decoded(m[2], &claims) {
				continue // a part of one
			}
			kind := "ID token"
			switch {
			case strings.HasSuffix(header.Type, "assertion+jwt"):
				kind = "assertion"
			case claims.Scopes != "":
				kind = "access token"
			case claims.Object == "" || claims.Audience != any(entrasim.LanyardAppID):
				kind = "token of an app"
			}
			k.add(kind, append([]byte{}, m[3]...))
		}
	})
	if err != nil {
		k.T.Fatalf("the server's memory: %v", err)
	}
}

func decoded(part []byte, into any) bool {
	b, err := base64.RawURLEncoding.DecodeString(string(part))
	return err == nil && json.Unmarshal(b, into) == nil
}

// maxToken bounds a token, in bytes.
const maxToken = 8 << 10

// eavesdropper notes down what a browser is given that must stay with it.
type eavesdropper struct {
	http.RoundTripper
	known *known
}

// listen puts an eavesdropper into a person's browser.
func (k *known) listen(client *http.Client) {
	if _, already := client.Transport.(*eavesdropper); !already {
		client.Transport = &eavesdropper{RoundTripper: client.Transport, known: k}
	}
}

// RoundTrip implements http.RoundTripper.
func (e *eavesdropper) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := e.RoundTripper.RoundTrip(r)
	if err != nil {
		return resp, err
	}
	for _, c := range resp.Cookies() {
		if len(c.Value) >= needle.Window {
			e.known.add("cookie "+c.Name, []byte(c.Value))
		}
	}
	if to, err := url.Parse(resp.Header.Get("Location")); err == nil {
		kind := "authorization code"
		if strings.HasPrefix(to.Path, "/_lanyard/") {
			kind = "hand-off code"
		}
		if code := to.Query().Get("code"); code != "" {
			e.known.add(kind, []byte(code))
		}
		if state := to.Query().Get("state"); state != "" {
			e.known.add("sign-in state", []byte(state))
		}
	}
	return resp, err
}

// cookies takes in what a browser sends to some addresses.
func (k *known) cookies(client *http.Client, addresses ...string) {
	k.T.Helper()
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil {
			k.T.Fatal(err)
		}
		for _, c := range client.Jar.Cookies(u) {
			if len(c.Value) >= needle.Window {
				k.add("cookie "+c.Name, []byte(c.Value))
			}
		}
	}
}
