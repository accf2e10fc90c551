package signin_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// rogue is a tenant that answers every code with whatever ID token a test wants.
type rogue struct {
	key, foreign *rsa.PrivateKey
	issuer       string
	idToken      func(nonce string) string
	nonce        string
	refuseCode   any // what a code is answered with status 400; nil: it is taken
	refuse       any // what a refresh token is answered with status 400; nil: it is taken
	sessions     *session.Manager
	signin       *signin.Service
	audit        *events
	url          string
	data         string // folder of the database
}

const (
	roguesApp     = "1c1f1f14-95f0-4a4c-8a37-f92a9b0f7c11"
	roguesRefresh = "refresh-token-of-ada-1.AXoA"
)

// roguesKeys are made once: that takes longer than all else here.
var roguesKeys = sync.OnceValues(func() (published, foreign *rsa.PrivateKey) {
	for _, key := range []**rsa.PrivateKey{&published, &foreign} {
		var err error
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			panic(err) // crypto/rand never fails
		}
	}
	return published, foreign
})

func newRogue(t *testing.T, configure ...func(*signin.Config)) *rogue {
	t.Helper()
	r := &rogue{}
	r.key, r.foreign = roguesKeys()
	tenant := httptest.NewServer(http.HandlerFunc(r.serve))
	t.Cleanup(tenant.Close)
	r.issuer = tenant.URL + "/" + entrasim.ContosoTenantID + "/v2.0"
	db := storetest.SQLite(t)
	r.data = filepath.Dir(db.Config.SQLite)
	rows := db.Open(t, "test")
	policies, err := policy.Parse(policy.Source{Tenant: entrasim.ContosoTenantID})
	if err != nil {
		t.Fatal(err)
	}
	log := &events{}
	r.audit = log
	people, _ := directory.Empty().With(directory.Change{Reset: directory.Everything, AsOf: time.Now(), Users: []directory.User{
		{ID: user(entrasim.AdaID), Name: "Ada Lovelace", UserName: "ada@contoso.example", Enabled: true},
	}})
	engine := access.New(access.Config{
		Facts: access.Facts{Directory: people, Projects: project.Empty(), Policies: policies, Sessions: session.NewSet(nil, nil),
			Bounds: access.Bounds{Stale: time.Hour, Close: 2 * time.Hour}},
		Audit: log, Log: slog.New(slog.DiscardHandler),
	})
	r.sessions = session.NewManager(session.Config{
		Rows: rows, Idle: time.Hour, Lifetime: 12 * time.Hour, GuestLifetime: 2 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Publish: func(set *session.Set, users []identity.UserID, _ feed.Seq) {
			engine.Publish(func(f access.Facts) access.Facts { f.Sessions = set; return f }, access.Touched{Users: users})
		},
	})
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	r.url = "http://" + front.Listener.Addr().String()
	c := signin.Config{
		Tenant: signin.Tenant{ID: entrasim.ContosoTenantID, Issuer: r.issuer, ClientID: roguesApp, ClientSecret: "secret"},
		URL:    r.url, HTTP: tenant.Client(), Sessions: r.sessions, Identify: session.Identifier{Sessions: r.sessions},
		Access: engine, Facts: engine.Facts, Once: rows, Sealer: sealer, Audit: log, Log: slog.New(slog.DiscardHandler),
	}
	for _, change := range configure {
		change(&c)
	}
	service := signin.New(c)
	r.signin = service
	site := web.Site{Name: "pages", Routes: service.Routes(), Identify: func(q *http.Request) (identity.Principal, error) { return c.Identify.Cookie(q, r.url) }}
	if front.Config.Handler, err = site.Handler(web.Config{Access: engine, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
	return r
}

func (r *rogue) serve(w http.ResponseWriter, q *http.Request) {
	var answer any
	switch {
	case strings.HasSuffix(q.URL.Path, "/.well-known/openid-configuration"):
		answer = map[string]any{"issuer": r.issuer, "authorization_endpoint": r.issuer + "/authorize", "token_endpoint": r.issuer + "/token", "end_session_endpoint": strings.TrimSuffix(r.issuer, "/"+entrasim.ContosoTenantID+"/v2.0") + "/logged-out",
			"jwks_uri": r.issuer + "/keys", "id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "ES256"}}
	case strings.HasSuffix(q.URL.Path, "/keys"):
		answer = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: r.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}}}
	default:
		answer = map[string]any{"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "id_token": r.idToken(r.nonce), "refresh_token": roguesRefresh}
	}
	w.Header().Set("Content-Type", "application/json")
	if q.FormValue("grant_type") == "authorization_code" && r.refuseCode != nil {
		answer = r.refuseCode
		w.WriteHeader(http.StatusBadRequest)
	}
	if q.FormValue("grant_type") == "refresh_token" && r.refuse != nil {
		answer = r.refuse
		w.WriteHeader(http.StatusBadRequest)
	}
	json.NewEncoder(w).Encode(answer)
}

// claims are those of a good token.
func (r *rogue) claims(nonce string) map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": r.issuer, "aud": roguesApp, "sub": "pairwise", "tid": entrasim.ContosoTenantID, "oid": entrasim.AdaID,
		"nonce": nonce, "iat": now - 300, "nbf": now - 300, "exp": now + 3600, "preferred_username": "ada@contoso.example", "name": "Ada"}
}

func signed(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: "k"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	object, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := object.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// try signs in with a token, and says who is in afterwards.
func (r *rogue) try(t *testing.T, idToken func(nonce string) string) (status int, who []identity.UserID) {
	t.Helper()
	b := newBrowser(t)
	_, _, next := b.send(http.MethodGet, r.url+"/login", nil)
	if next == nil {
		t.Fatal("no redirect to the tenant")
	}
	r.nonce, r.idToken = next.Query().Get("nonce"), idToken
	status, _, _ = b.send(http.MethodGet, r.url+signin.RedirectPath+"?"+url.Values{"code": {"c"}, "state": {next.Query().Get("state")}}.Encode(), nil)
	for row := range r.sessions.Set().All {
		who = append(who, row.User)
	}
	return status, who
}

// enter begins a sign-in in a browser and answers it with claims; their nonce is made right.
func (r *rogue) enter(t *testing.T, b *browser, claims map[string]any) (int, string, *url.URL) {
	t.Helper()
	return r.enterAt(t, b, r.url+"/login", claims)
}

func (r *rogue) enterAt(t *testing.T, b *browser, address string, claims map[string]any) (int, string, *url.URL) {
	t.Helper()
	_, body, next := b.send(http.MethodGet, address, nil)
	if next == nil {
		t.Fatal("no redirect to the tenant:", body)
	}
	return r.answer(t, b, next, claims)
}

// answer answers a sign-in that has begun.
func (r *rogue) answer(t *testing.T, b *browser, begun *url.URL, claims map[string]any) (int, string, *url.URL) {
	t.Helper()
	claims["nonce"] = begun.Query().Get("nonce")
	r.idToken = func(string) string { return signed(t, jose.RS256, r.key, claims) }
	return b.send(http.MethodGet, r.url+signin.RedirectPath+"?"+url.Values{"code": {"c"}, "state": {begun.Query().Get("state")}}.Encode(), nil)
}

// TestAttack12UnverifiedIDTokens: whatever the tenant's token endpoint answers, an ID token counts only when it was
// signed with RS256 by a key that the tenant publishes, for this application, now, for the sign-in under way.
func TestAttack12UnverifiedIDTokens(t *testing.T) {
	r := newRogue(t)
	with := func(changes map[string]any) func(string) string {
		return func(nonce string) string {
			claims := r.claims(nonce)
			maps.Copy(claims, changes)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			return signed(t, jose.RS256, r.key, claims)
		}
	}
	unsigned := func(header string) func(string) string {
		return func(nonce string) string {
			payload, _ := json.Marshal(r.claims(nonce))
			e := base64.RawURLEncoding.EncodeToString
			return e([]byte(header)) + "." + e(payload) + "."
		}
	}
	public, err := x509.MarshalPKIXPublicKey(r.key.Public())
	if err != nil {
		t.Fatal(err)
	}
	past, soon := time.Now().Add(-time.Hour).Unix(), time.Now().Add(time.Hour).Unix()
	for name, idToken := range map[string]func(string) string{
		"none":            unsigned(`{"alg":"none","kid":"k"}`),
		"nOnE":            unsigned(`{"alg":"nOnE","kid":"k"}`),
		"empty signature": unsigned(`{"alg":"RS256","kid":"k"}`),
		"HMAC with the public key": func(nonce string) string {
			return signed(t, jose.HS256, public, r.claims(nonce))
		},
		"foreign key":       func(nonce string) string { return signed(t, jose.RS256, r.foreign, r.claims(nonce)) },
		"another algorithm": func(nonce string) string { return signed(t, jose.PS256, r.key, r.claims(nonce)) },
		"changed claims": func(nonce string) string {
			parts := strings.Split(signed(t, jose.RS256, r.key, r.claims(nonce)), ".")
			claims := r.claims(nonce)
			claims["oid"] = entrasim.GraceID
			payload, _ := json.Marshal(claims)
			return parts[0] + "." + base64.RawURLEncoding.EncodeToString(payload) + "." + parts[2]
		},
		"no token":         func(string) string { return "" },
		"another issuer":   with(map[string]any{"iss": "https://login.example.test/" + entrasim.ContosoTenantID + "/v2.0"}),
		"no issuer":        with(map[string]any{"iss": nil}),
		"another audience": with(map[string]any{"aud": "another-app"}),
		"no audience":      with(map[string]any{"aud": nil}),
		"expired":          with(map[string]any{"exp": past}),
		"never expires":    with(map[string]any{"exp": nil}),
		"another nonce":    with(map[string]any{"nonce": "of another sign-in"}),
		"no nonce":         with(map[string]any{"nonce": nil}),
		"not valid yet":    with(map[string]any{"nbf": soon, "iat": soon}),
	} {
		t.Run(name, func(t *testing.T) {
			if status, who := r.try(t, idToken); status != http.StatusForbidden || len(who) != 0 {
				t.Errorf("%d, %v", status, who)
			}
		})
	}
	if status, who := r.try(t, with(nil)); status != http.StatusSeeOther || len(who) != 1 {
		t.Errorf("a good token: %d, %v", status, who)
	}
}

// TestAttack34OtherTenantsAndActors: a token that verifies is of nobody unless it names this tenant and an object ID, and
// no claim within it that speaks for somebody else is listened to. Names and addresses decide nothing (row 16).
func TestAttack34OtherTenantsAndActors(t *testing.T) {
	r := newRogue(t)
	with := func(changes map[string]any) func(string) string {
		return func(nonce string) string {
			claims := r.claims(nonce)
			maps.Copy(claims, changes)
			maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
			return signed(t, jose.RS256, r.key, claims)
		}
	}
	for name, changes := range map[string]map[string]any{
		"another tenant":      {"tid": "11111111-2222-4333-8444-555555555555"},
		"no tenant":           {"tid": nil},
		"a personal account":  {"tid": "9188040d-6c67-4c5b-b112-36a304b66dad"},
		"tenant in capitals":  {"tid": strings.ToUpper(entrasim.ContosoTenantID)},
		"no object ID":        {"oid": nil},
		"an address for one":  {"oid": "ada@contoso.example"},
		"a path for one":      {"oid": "../" + entrasim.AdaID},
		"object ID in a list": {"oid": []string{entrasim.AdaID}},
		"another app":         {"aud": "bffcc81e-9cb6-4d4b-a694-4dbc66a83bb5"},
	} {
		t.Run(name, func(t *testing.T) {
			if status, who := r.try(t, with(changes)); status != http.StatusForbidden || len(who) != 0 {
				t.Errorf("%d, %v", status, who)
			}
		})
	}
	e := base64.RawURLEncoding.EncodeToString
	actor := e([]byte(`{"alg":"none"}`)) + "." + e([]byte(`{"tid":"`+entrasim.ContosoTenantID+`","oid":"`+entrasim.GraceID+`"}`)) + "."
	status, who := r.try(t, with(map[string]any{
		"oid": entrasim.LinusID, "preferred_username": "ada@contoso.example", "email": "ada@contoso.example", "upn": "ada@contoso.example",
		"email_verified": true, "actortoken": actor, "act": map[string]any{"oid": entrasim.GraceID}, "groups": []string{entrasim.PaymentsEngineersID},
	}))
	if status != http.StatusSeeOther || len(who) != 1 || who[0] != user(entrasim.LinusID) {
		t.Errorf("who has Ada's address and an actor's token is %v (%d), not themselves", who, status)
	}
}

// TestAttack33SecretsAtRest: a copy of the database opens nothing. Neither the cookie of a session nor the refresh token of
// its sign-in is in it.
func TestAttack33SecretsAtRest(t *testing.T) {
	r := newRogue(t)
	b := newBrowser(t)
	_, _, next := b.send(http.MethodGet, r.url+"/login", nil)
	r.nonce = next.Query().Get("nonce")
	r.idToken = func(nonce string) string { return signed(t, jose.RS256, r.key, r.claims(nonce)) }
	b.send(http.MethodGet, r.url+signin.RedirectPath+"?"+url.Values{"code": {"c"}, "state": {next.Query().Get("state")}}.Encode(), nil)
	cookie := b.cookies[strings.TrimPrefix(r.url, "http://")][session.CookieName]
	if cookie == "" {
		t.Fatal("not signed in")
	}
	files, err := filepath.Glob(filepath.Join(r.data, "*"))
	if err != nil || len(files) < 2 { // the database and its write-ahead log
		t.Fatal(files, err)
	}
	found := false
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found = found || bytes.Contains(content, []byte(entrasim.AdaID))
		for what, secret := range map[string]string{"cookie": cookie, "refresh token": roguesRefresh} {
			raw := []byte(secret)
			for _, form := range [][]byte{raw, []byte(base64.StdEncoding.EncodeToString(raw)), []byte(hex.EncodeToString(raw))} {
				if bytes.Contains(content, form) {
					t.Errorf("the %s is in %s", what, filepath.Base(file))
				}
			}
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s may be read by others: %v, %v", file, info.Mode(), err)
		}
	}
	if !found {
		t.Error("the search finds nothing at all")
	}
}
