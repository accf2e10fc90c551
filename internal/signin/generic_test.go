package signin_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/signedin"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	idpClient = "lanyard"
	idpSecret = "a secret of Lanyard's that is long enough to sign with it" // HMAC takes it for a key
	ada       = "auth|ada"
	bob       = "auth|bob"
)

// idp is an OpenID provider that answers whatever a test wants.
type idp struct {
	issuer       string
	key, foreign *rsa.PrivateKey
	curve        *ecdsa.PrivateKey

	mu       sync.Mutex
	document map[string]any                     // beside or instead of what it says of itself
	idToken  func(claims map[string]any) string // of the claims of a good one; empty: none
	userinfo func() map[string]any              // nil: there is none
	nonce    string                             // of the sign-in under way
	asked    []url.Values                       // token requests
	auth     string                             // Authorization of the last one
}

type idpKeySet struct {
	key, foreign *rsa.PrivateKey
	curve        *ecdsa.PrivateKey
}

// idpKeys are those of all of them: making one takes seconds with the race detector.
var idpKeys = sync.OnceValues(func() (keys idpKeySet, err error) {
	for _, key := range []**rsa.PrivateKey{&keys.key, &keys.foreign} {
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return keys, err
		}
	}
	keys.curve, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	return keys, err
})

func newIDP(t *testing.T) *idp {
	t.Helper()
	keys, err := idpKeys()
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{document: map[string]any{}, key: keys.key, foreign: keys.foreign, curve: keys.curve}
	s := httptest.NewServer(p)
	t.Cleanup(s.Close)
	p.issuer = s.URL
	p.idToken = p.good(t)
	return p
}

// good signs claims as they are.
func (p *idp) good(t *testing.T) func(map[string]any) string {
	return func(claims map[string]any) string { return signed(t, jose.RS256, p.key, claims) }
}

func (p *idp) claims() map[string]any {
	now := time.Now().Unix()
	return map[string]any{"iss": p.issuer, "aud": idpClient, "sub": ada, "nonce": p.nonce, "iat": now, "exp": now + 3600, "auth_time": now,
		"name": "Ada Lovelace", "preferred_username": "ada", "email": "ada@contoso.example", "groups": []string{"engineers"}}
}

// ServeHTTP is everything that Lanyard asks.
func (p *idp) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var answer map[string]any
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		answer = map[string]any{"issuer": p.issuer, "authorization_endpoint": p.issuer + "/authorize", "token_endpoint": p.issuer + "/token", "jwks_uri": p.issuer + "/keys",
			"id_token_signing_alg_values_supported": []string{"none", "HS256", "RS256", "ES256"}}
		if p.userinfo != nil {
			answer["userinfo_endpoint"] = p.issuer + "/userinfo"
		}
		for key, value := range p.document {
			answer[key] = value
		}
	case "/keys":
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{ // who asked is gone otherwise
			{Key: p.key.Public(), KeyID: "k", Algorithm: "RS256", Use: "sig"}, {Key: p.curve.Public(), KeyID: "e", Algorithm: "ES256", Use: "sig"}}})
		return
	case "/userinfo":
		answer = p.userinfo()
	case "/token":
		_ = r.ParseForm() // a broken form has nothing in it
		p.asked, p.auth = append(p.asked, r.PostForm), r.Header.Get("Authorization")
		answer = map[string]any{"access_token": "access", "token_type": "Bearer", "expires_in": 300, "refresh_token": "refresh"}
		if raw := p.idToken(p.claims()); raw != "" {
			answer["id_token"] = raw
		}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer)
}

// setUp changes what it answers from now on.
func (p *idp) setUp(change func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change()
}

func (p *idp) redeemed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.asked)
}

// party is a Lanyard that people sign in to at an idp.
type party struct {
	t        *testing.T
	url      string
	idp      *idp
	rows     *store.Store
	sessions *session.Manager
	signin   *signin.Service
	tenant   signin.Tenant

	mu   sync.Mutex
	seen []signedin.Sighting
}

// newParty makes one; like shares rows and address with another one, as after a change of the configuration.
func newParty(t *testing.T, p *idp, like *party, change ...func(*signin.OIDC)) *party {
	t.Helper()
	l := &party{t: t, idp: p}
	o := &signin.OIDC{Name: "the provider", Scopes: []string{"openid", "offline_access"}, Groups: []string{"groups"}}
	for _, c := range change {
		c(o)
	}
	l.tenant = signin.Tenant{ID: identity.TenantID(p.issuer), Issuer: p.issuer, ClientID: idpClient, ClientSecret: idpSecret, OIDC: o}
	if like != nil {
		l.rows = like.rows
	} else {
		rows := storetest.SQLite(t).Open(t, "test")
		l.rows = rows
	}
	policies, err := policy.Parse(policy.Source{Tenant: l.tenant.ID})
	if err != nil {
		t.Fatal(err)
	}
	log := &events{}
	engine := access.New(access.Config{
		Facts: access.Facts{Directory: directory.Empty(), Projects: project.Empty(), Policies: policies, Sessions: session.NewSet(nil, nil)},
		Audit: log, Log: slog.New(slog.DiscardHandler),
	})
	l.sessions = session.NewManager(session.Config{
		Rows: l.rows, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Publish: func(*session.Set, []identity.UserID, feed.Seq) {},
	})
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	front := httptest.NewUnstartedServer(nil)
	l.url = "http://" + front.Listener.Addr().String()
	l.signin = signin.New(signin.Config{
		Tenant: l.tenant, URL: l.url, HTTP: http.DefaultClient, Sessions: l.sessions, Identify: session.Identifier{Sessions: l.sessions},
		Access: engine, Facts: engine.Facts, Once: l.rows, Sealer: sealer, Audit: log, Log: slog.New(slog.DiscardHandler),
		Seen: func(_ context.Context, s signedin.Sighting) error {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.seen = append(l.seen, s)
			return nil
		},
	})
	site := web.Site{Name: "pages", Routes: l.signin.Routes()}
	if front.Config.Handler, err = site.Handler(web.Config{Access: engine, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
	return l
}

// begin begins a sign-in in a browser, and returns what the provider is asked.
func (l *party) begin(b *browser) url.Values {
	l.t.Helper()
	status, body, next := b.send(http.MethodGet, l.url+"/login", nil)
	if next == nil {
		l.t.Fatalf("no redirect to the provider: %d %s", status, body)
	}
	q := next.Query()
	l.idp.setUp(func() { l.idp.nonce = q.Get("nonce") })
	return q
}

// answer sends the provider's answer to a state.
func (l *party) answer(b *browser, state string, more url.Values) (int, string) {
	l.t.Helper()
	q := url.Values{"code": {"c"}, "state": {state}}
	for key, values := range more {
		q[key] = values
	}
	status, body, _ := b.send(http.MethodGet, l.url+l.tenant.RedirectPath()+"?"+q.Encode(), nil)
	return status, body
}

// signIn does both, and returns who is in.
func (l *party) signIn() (status int, body string, who []string) {
	l.t.Helper()
	b := newBrowser(l.t)
	status, body = l.answer(b, l.begin(b).Get("state"), nil)
	for row := range l.sessions.Set().All {
		who = append(who, row.User.Object)
	}
	return status, body, who
}

// last is what was seen of who signed in last.
func (l *party) last() signedin.Sighting {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.seen) == 0 {
		return signedin.Sighting{}
	}
	return l.seen[len(l.seen)-1]
}

// Where groups are said, and in which of the shapes that providers have for them.
func TestGroupsOfAnyProvider(t *testing.T) {
	first := newParty(t, newIDP(t), nil)
	for name, c := range map[string]struct {
		claim    []string
		said     map[string]any // in the ID token
		userinfo map[string]any
		want     string
	}{
		"a list":               {[]string{"groups"}, map[string]any{"groups": []string{"a", "b"}}, nil, "a b"},
		"one":                  {[]string{"groups"}, map[string]any{"groups": "a b"}, nil, "a b"},
		"within an object":     {[]string{"realm_access", "roles"}, map[string]any{"realm_access": map[string]any{"roles": []string{"x"}}}, nil, "x"},
		"an object's members":  {[]string{"urn:roles"}, map[string]any{"urn:roles": map[string]any{"b": 1, "a": nil}}, nil, "a b"},
		"a name with dots":     {[]string{"https://contoso.example/groups"}, map[string]any{"https://contoso.example/groups": []string{"a"}}, nil, "a"},
		"none":                 {[]string{"groups"}, map[string]any{"groups": nil}, nil, ""},
		"an empty list":        {[]string{"groups"}, map[string]any{"groups": []string{}}, map[string]any{"groups": []string{"a"}}, ""},
		"in UserInfo":          {[]string{"groups"}, map[string]any{"groups": nil}, map[string]any{"groups": []string{"a"}}, "a"},
		"UserInfo, an object":  {[]string{"realm_access", "roles"}, map[string]any{"realm_access": map[string]any{}}, map[string]any{"realm_access": map[string]any{"roles": []string{"x"}}}, "x"},
		"numbers are no names": {[]string{"groups"}, map[string]any{"groups": []any{1, "a", nil, []string{"b"}, true}}, nil, "a"},
		"a number":             {[]string{"groups"}, map[string]any{"groups": 7}, nil, ""},
		"not within an object": {[]string{"groups", "x"}, map[string]any{"groups": []string{"x"}}, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			p := newIDP(t)
			l := newParty(t, p, first, func(o *signin.OIDC) { o.Groups = c.claim })
			p.idToken = func(claims map[string]any) string {
				delete(claims, "groups")
				for key, value := range c.said {
					if claims[key] = value; value == nil {
						delete(claims, key)
					}
				}
				return p.good(t)(claims)
			}
			if c.userinfo != nil {
				p.userinfo = func() map[string]any {
					c.userinfo["sub"] = ada
					return c.userinfo
				}
			}
			status, body, who := l.signIn()
			if status != http.StatusSeeOther || len(who) != 1 || who[0] != ada {
				t.Fatalf("%d %s %v", status, body, who)
			}
			if got := strings.Join(l.last().Groups, " "); got != c.want {
				t.Errorf("groups %q, not %q", got, c.want)
			}
		})
	}
}

// What UserInfo says counts for who the person is, and never for how and when they signed in; nor does a sign-in whose time
// the provider does not say where it was asked for.
func TestUserInfoSaysNothingOfTheSignIn(t *testing.T) {
	p := newIDP(t)
	l := newParty(t, p, nil, func(o *signin.OIDC) { o.Roles, o.MaxAge = []string{"realm", "roles"}, 12*time.Hour })
	p.userinfo = func() map[string]any {
		return map[string]any{"sub": ada, "groups": []string{"engineers"}, "realm": map[string]any{"roles": []string{"lead"}}, "name": "Ada L.", "email": "ada@contoso.example",
			"acr": "mfa", "auth_time": time.Now().Unix(), "sid": "another", "jti": "another"}
	}
	without := func(names ...string) func(map[string]any) string {
		return func(claims map[string]any) string {
			for _, name := range append(names, "groups", "name") {
				delete(claims, name)
			}
			return p.good(t)(claims)
		}
	}
	p.idToken = without("auth_time")
	if status, body, who := l.signIn(); status != http.StatusForbidden || len(who) != 0 || !strings.Contains(body, "auth_time") {
		t.Fatalf("without auth_time in the ID token: %d %s %v", status, body, who)
	}
	p.setUp(func() { p.idToken = without() })
	if status, body, who := l.signIn(); status != http.StatusSeeOther || len(who) != 1 {
		t.Fatalf("%d %s %v", status, body, who)
	}
	for row := range l.sessions.Set().All {
		if row.Strength != "" || len(row.Contexts) != 0 || row.TenantSession != "" || row.TokenID != "" || row.Name != "Ada L." {
			t.Errorf("%+v", row)
		}
	}
	if seen := l.last(); len(seen.Groups) != 1 || len(seen.Roles) != 1 || seen.Roles[0] != "lead" || seen.Mail != "ada@contoso.example" {
		t.Errorf("%+v", seen)
	}
	p.setUp(func() { p.idToken = without("auth_time") })
	for row := range l.sessions.Set().All { // with a refresh token it need not be there
		if _, err := l.signin.Again(t.Context(), row.ID); err != nil {
			t.Error(err)
		}
	}
	lax := newParty(t, p, l, func(o *signin.OIDC) { o.MaxAge = 0 })
	if status, body, who := lax.signIn(); status != http.StatusSeeOther || len(who) != 1 {
		t.Errorf("where it is not asked for: %d %s %v", status, body, who)
	}
}

// What a sign-in asks, and how Lanyard shows who it is.
func TestAskingAnyProvider(t *testing.T) {
	p := newIDP(t)
	l := newParty(t, p, nil, func(o *signin.OIDC) { o.Prompt, o.MaxAge, o.Roles = "consent", 12*time.Hour, []string{"roles"} })
	q := l.begin(newBrowser(t))
	for name, want := range map[string]string{"prompt": "consent", "max_age": "43200", "scope": "openid offline_access", "client_id": idpClient, "response_type": "code",
		"code_challenge_method": "S256", "redirect_uri": l.url + l.tenant.RedirectPath()} {
		if q.Get(name) != want {
			t.Errorf("%s is %q, not %q", name, q.Get(name), want)
		}
	}
	for name, c := range map[string]struct {
		configured string
		listed     any
		header     bool
	}{
		"nothing listed":     {"", nil, true},
		"both listed":        {"", []string{"client_secret_post", "client_secret_basic"}, true},
		"post listed":        {"", []string{"client_secret_post"}, false},
		"post configured":    {"client_secret_post", []string{"client_secret_basic"}, false},
		"header, configured": {"client_secret_basic", []string{"client_secret_post"}, true},
	} {
		p := newIDP(t)
		p.document["token_endpoint_auth_methods_supported"] = c.listed
		l := newParty(t, p, l, func(o *signin.OIDC) { o.TokenAuth = c.configured })
		if status, body, _ := l.signIn(); status != http.StatusSeeOther {
			t.Fatalf("%s: %d %s", name, status, body)
		}
		inForm := p.asked[0].Has("client_secret")
		if inForm == c.header || (p.auth != "") != c.header || c.header && p.asked[0].Has("client_id") {
			t.Errorf("%s: in the form %v, in the header %v", name, inForm, p.auth != "")
		}
	}
}

// ES256 counts where the provider lists it, and a refresh token that comes with no ID token is followed to UserInfo.
func TestRereadingAnyProvider(t *testing.T) {
	p := newIDP(t)
	l := newParty(t, p, nil)
	groups := []string{"engineers"}
	p.userinfo = func() map[string]any { return map[string]any{"sub": ada, "groups": groups} }
	p.idToken = func(claims map[string]any) string { return signedBy(t, jose.ES256, p.curve, "e", claims) }
	if status, body, _ := l.signIn(); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, body)
	}
	var id identity.SignInID
	for row := range l.sessions.Set().All {
		id = row.ID
	}
	p.setUp(func() {
		p.idToken = func(map[string]any) string { return "" }
		groups = []string{"others"}
	})
	seen, err := l.signin.Again(t.Context(), id)
	if err != nil || len(seen.Groups) != 1 || seen.Groups[0] != "others" {
		t.Errorf("%+v %v", seen, err)
	}
	p.setUp(func() { p.userinfo = func() map[string]any { return map[string]any{"sub": bob, "groups": groups} } })
	if seen, err := l.signin.Again(t.Context(), id); err == nil {
		t.Errorf("UserInfo of somebody else: %+v", seen)
	}
}
