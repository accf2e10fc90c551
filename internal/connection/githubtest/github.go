// Package githubtest is a server that answers as GitHub's documentation says of GitHub Apps: the web application flow with
// PKCE, refresh tokens for one use, installation tokens, and errors with status 200. In front of a Git server it also takes
// those tokens as passwords, as GitHub does.
package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyardhq/lanyard/internal/connection"
)

// GitHub is such a server. Its tokens can be taken away under its lock.
type GitHub struct {
	*httptest.Server
	Now func() time.Time
	Git http.Handler // what is behind the tokens; nil: nothing

	mu        sync.Mutex
	key       *rsa.PrivateKey
	secret    string
	codes     map[string]url.Values // to the query of the authorization
	access    map[string]bool       // people's tokens that work
	refresh   map[string]bool
	installed map[string]map[string]any // installation tokens to their limits
	refreshes int
	mints     int
	forever   bool
	owners    []string // whose repositories the app is installed for
}

const clientID = "Iv23liLanyardTest"

// New returns a server that listens until the test ends.
func New(t testing.TB) *GitHub {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	g := &GitHub{key: key, secret: "only-github-and-lanyard-know", Now: time.Now, codes: map[string]url.Values{}, access: map[string]bool{},
		refresh: map[string]bool{}, installed: map[string]map[string]any{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /login/oauth/authorize", g.authorize)
	mux.HandleFunc("POST /login/oauth/access_token", g.token)
	mux.HandleFunc("GET /api/v3/user", g.user)
	mux.HandleFunc("DELETE /api/v3/applications/{id}/token", g.withdrawn)
	mux.HandleFunc("GET /api/v3/repos/{owner}/{repo}/installation", g.installation)
	mux.HandleFunc("POST /api/v3/app/installations/{id}/access_tokens", g.mint)
	mux.HandleFunc("/", g.git)
	g.Server = httptest.NewServer(mux)
	t.Cleanup(g.Close)
	return g
}

// App is how Lanyard is told of the app.
func (g *GitHub) App(t testing.TB) connection.App {
	t.Helper()
	dir := t.TempDir()
	key := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(g.key)})
	for name, text := range map[string][]byte{"secret": []byte(g.secret + "\n"), "key": key} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return connection.App{Name: "github", URL: g.URL, API: g.URL + "/api/v3", ClientID: clientID, SecretFile: filepath.Join(dir, "secret"), KeyFile: filepath.Join(dir, "key")}
}

func (g *GitHub) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != clientID || q.Get("code_challenge_method") != "S256" || q.Get("state") == "" {
		http.Error(w, "what is this?", http.StatusBadRequest)
		return
	}
	g.mu.Lock()
	code := fmt.Sprintf("code-%d", len(g.codes))
	g.codes[code] = q
	g.mu.Unlock()
	back, _ := url.Parse(q.Get("redirect_uri"))
	back.RawQuery = url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (g *GitHub) token(w http.ResponseWriter, r *http.Request) {
	_ = r.ParseForm()
	g.mu.Lock()
	defer g.mu.Unlock()
	refused := func(code string) {
		answer(w, http.StatusOK, map[string]string{"error": code, "error_description": "No."})
	}
	if r.Header.Get("Accept") != "application/json" {
		http.Error(w, "access_token=form-encoded", http.StatusOK)
		return
	}
	if r.PostForm.Get("client_id") != clientID || r.PostForm.Get("client_secret") != g.secret {
		refused("incorrect_client_credentials")
		return
	}
	if r.PostForm.Get("grant_type") == "refresh_token" {
		old := r.PostForm.Get("refresh_token")
		if !g.refresh[old] {
			refused("bad_refresh_token")
			return
		}
		delete(g.refresh, old)
		g.refreshes++
	} else {
		asked, ok := g.codes[r.PostForm.Get("code")]
		sum := sha256.Sum256([]byte(r.PostForm.Get("code_verifier")))
		delete(g.codes, r.PostForm.Get("code"))
		if !ok || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) || asked.Get("redirect_uri") != r.PostForm.Get("redirect_uri") {
			refused("bad_verification_code")
			return
		}
	}
	n := len(g.access)
	access, refresh := fmt.Sprintf("ghu_%030d", n), fmt.Sprintf("ghr_%060d", n)
	g.access[access] = true
	if g.forever {
		answer(w, http.StatusOK, map[string]any{"access_token": access, "scope": "", "token_type": "bearer"})
		return
	}
	g.refresh[refresh] = true
	answer(w, http.StatusOK, map[string]any{"access_token": access, "expires_in": 28800, "refresh_token": refresh,
		"refresh_token_expires_in": 15897600, "scope": "", "token_type": "bearer"})
}

func (g *GitHub) user(w http.ResponseWriter, r *http.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.access[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")] {
		answer(w, http.StatusUnauthorized, map[string]string{"message": "Bad credentials"})
		return
	}
	answer(w, http.StatusOK, map[string]any{"login": "ada-l", "id": 4711, "name": "Ada"})
}

func (g *GitHub) withdrawn(w http.ResponseWriter, r *http.Request) {
	var body struct {
		AccessToken string `json:"access_token"`
	}
	id, secret, _ := r.BasicAuth()
	_ = json.NewDecoder(r.Body).Decode(&body)
	g.mu.Lock()
	defer g.mu.Unlock()
	if id != clientID || secret != g.secret || !g.access[body.AccessToken] {
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
		return
	}
	delete(g.access, body.AccessToken)
	w.WriteHeader(http.StatusNoContent)
}

// isApp checks the app's JWT: RS256, its own ID, ten minutes at most.
func (g *GitHub) isApp(r *http.Request) bool {
	token, err := jwt.ParseSigned(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return false
	}
	var c jwt.Claims
	if token.Claims(g.key.Public(), &c) != nil || c.Expiry == nil || c.IssuedAt == nil {
		return false
	}
	now := g.Now()
	return c.Issuer == clientID && c.Expiry.Time().After(now) && c.Expiry.Time().Before(now.Add(10*time.Minute)) && c.IssuedAt.Time().Before(now)
}

func (g *GitHub) installation(w http.ResponseWriter, r *http.Request) {
	switch {
	case !g.isApp(r):
		answer(w, http.StatusUnauthorized, map[string]string{"message": "A JSON web token could not be decoded"})
	case !g.installedFor(r.PathValue("owner")):
		answer(w, http.StatusNotFound, map[string]string{"message": "Not Found"})
	default:
		answer(w, http.StatusOK, map[string]any{"id": 99, "app_id": 1, "account": map[string]any{"login": "contoso"}})
	}
}

func (g *GitHub) mint(w http.ResponseWriter, r *http.Request) {
	var limits map[string]any
	_ = json.NewDecoder(r.Body).Decode(&limits)
	if !g.isApp(r) || r.PathValue("id") != "99" {
		answer(w, http.StatusUnauthorized, map[string]string{"message": "A JSON web token could not be decoded"})
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.mints++
	token := fmt.Sprintf("ghs_%030d", g.mints)
	g.installed[token] = limits
	answer(w, http.StatusCreated, map[string]any{"token": token, "expires_at": g.Now().Add(time.Hour).UTC().Format(time.RFC3339), "repository_selection": "selected"})
}

// git lets through who brings a token that works, as the password of any user: a person's, or an installation's for its
// repository.
func (g *GitHub) git(w http.ResponseWriter, r *http.Request) {
	_, token, _ := r.BasicAuth()
	g.mu.Lock()
	ok := g.access[token]
	if limits, installed := g.installed[token]; installed {
		names, _ := limits["repositories"].([]any)
		path := strings.Split(r.URL.Path, "/")
		ok = len(path) > 2 && len(names) == 1 && names[0] == path[2]
		if limits["permissions"] != nil && strings.HasSuffix(r.URL.RequestURI(), "git-receive-pack") {
			ok = false
		}
	}
	g.mu.Unlock()
	if !ok || g.Git == nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "remote: Invalid username or token.", http.StatusUnauthorized)
		return
	}
	g.Git.ServeHTTP(w, r)
}

// Works reports whether a person's token works.
func (g *GitHub) Works(access string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.access[access]
}

// ForgetRefresh takes all refresh tokens away, ForgetAccess all tokens of people.
func (g *GitHub) ForgetRefresh() {
	g.mu.Lock()
	defer g.mu.Unlock()
	clear(g.refresh)
}

func (g *GitHub) ForgetAccess() {
	g.mu.Lock()
	defer g.mu.Unlock()
	for token := range g.access {
		g.access[token] = false
	}
}

// Forever makes it give tokens that do not expire.
func (g *GitHub) Forever() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.forever = true
}

// Counts are how often people's tokens were renewed, and installation tokens made.
func (g *GitHub) Counts() (refreshes, mints int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refreshes, g.mints
}

// Install installs the app for one more owner's repositories; "contoso" has it.
func (g *GitHub) Install(owner string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.owners = append(g.owners, owner)
}

func (g *GitHub) installedFor(owner string) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return owner == "contoso" || slices.Contains(g.owners, owner)
}

// Limits are what an installation token was limited to.
func (g *GitHub) Limits(token string) map[string]any {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.installed[token]
}
