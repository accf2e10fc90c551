package issuer_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	tenant       = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"
	portal       = "portal"
	portalSecret = "a-secret-of-the-portal"
	portalBack   = "https://portal.example.test/back"
)

var ada = identity.UserID{Tenant: tenant, Object: "67224801-dc28-4774-a21b-13838a428c41"}

var engineers = identity.GroupID{Tenant: tenant, Object: "00000000-0000-4000-9000-000000000001"}

type events struct {
	mu   sync.Mutex
	list []audit.Event
}

func (e *events) Later(ev audit.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.list = append(e.list, ev)
}

func (e *events) Durable(_ context.Context, evs ...audit.Event) error {
	for _, ev := range evs {
		e.Later(ev)
	}
	return nil
}

// world is an issuer with its two sites, a database, and Ada signed in in a browser.
type world struct {
	t        *testing.T
	url      string
	issuer   *issuer.Issuer
	sessions *session.Manager
	engine   *access.Engine
	audit    *events
	keys     *token.Keys
	rows     *store.Store
	config   issuer.Config
	cookie   string
	session  identity.SessionID
	client   *http.Client // follows nothing

	mu  sync.Mutex
	now time.Time
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// later moves the clock on.
func (w *world) later(by time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(by)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, audit: &events{}, now: time.Now()}
	var pages, machine http.Handler
	front := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, issuer.AuthorizePath), r.URL.Path == issuer.DevicePath, strings.HasPrefix(r.URL.Path, "/api/"):
			pages.ServeHTTP(rw, r)
		default:
			machine.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(front.Close)
	w.url = front.URL
	rows := storetest.SQLite(t).Open(t, "test")
	policies, err := policy.Parse(policy.Source{Tenant: tenant})
	if err != nil {
		t.Fatal(err)
	}
	w.engine = access.New(access.Config{
		Facts: access.Facts{Directory: people(true), Projects: project.Empty(), Policies: policies, Sessions: session.NewSet(nil, nil),
			Bounds: access.Bounds{Stale: time.Hour, Close: 2 * time.Hour}},
		Audit: w.audit, Log: slog.New(slog.DiscardHandler),
		StepUp: func(access.Request, string) string { return w.url + "/step-up?code=c" },
	})
	w.sessions = session.NewManager(session.Config{
		Rows: rows, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: slog.New(slog.DiscardHandler), Now: w.clock,
		Publish: func(set *session.Set, users []identity.UserID, seq feed.Seq) {
			w.engine.Publish(func(f access.Facts) access.Facts { f.Sessions = set; return f }, access.Touched{Users: users})
		},
	})
	sealer, err := signing()
	if err != nil {
		t.Fatal(err)
	}
	keys, err := token.Open(t.Context(), token.Config{Rows: &signingRows, Sealer: sealer, Kinds: []string{token.API, token.Workload, token.Federation}, Now: w.clock})
	if err != nil {
		t.Fatal(err)
	}
	w.keys, w.rows = keys, rows
	w.config = issuer.Config{
		Mint: issuer.MintConfig{Access: w.engine, Facts: w.engine.Facts, Rows: rows, Workspace: func(identity.WorkspaceID) issuer.Place {
			return issuer.Place{Repository: "https://git.example.test/payments/api", Ref: "main"}
		}},
		URL: w.url, Keys: keys, Nonces: token.Nonces{Sealer: sealer}, Rows: rows, Sessions: w.sessions, Audit: w.audit, Log: slog.New(slog.DiscardHandler), Now: w.clock,
		Directory: func() *directory.Snapshot { return w.engine.Facts().Directory },
		Clients: []issuer.Client{{ID: portal, Name: "The portal", RedirectURIs: []string{portalBack}, Secret: sha256.Sum256([]byte(portalSecret))},
			{ID: reportsServer, Name: "Reports", Secret: sha256.Sum256([]byte(reportsSecret)), Audiences: []string{"reports"}},
			{ID: desk, Name: "The desk", RedirectURIs: []string{portalBack}, Secret: sha256.Sum256([]byte(deskSecret)), Exchange: []string{"storage"}},
			{ID: planner, Name: "The planner", Secret: sha256.Sum256([]byte(plannerSecret)), Audiences: []string{"planner"}, Exchange: []string{"storage", "shop-storage", "aws"}}},
		Page: func(rw http.ResponseWriter, status int, page issuer.Page) {
			rw.WriteHeader(status)
			_ = json.NewEncoder(rw).Encode(page) // the test finds out if it cannot be written
		},
	}
	w.issuer = issuer.New(w.config)
	identify := session.Identifier{Sessions: w.sessions, Now: w.clock}
	who := func(rw http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(rw, web.PrincipalFrom(r.Context()).User.Object)
		return err
	}
	for site, to := range map[*web.Site]*http.Handler{
		{Name: "pages", Routes: append(w.issuer.Pages(), web.Route{Method: "GET", Path: "/api/v1/me", Access: web.Needs(identity.SelfView), Serve: who,
			On: func(_ *http.Request, p identity.Principal) (identity.Resource, error) {
				return identity.Own(p.User), nil
			}}),
			Guard: func(r *http.Request) error { return web.GuardOrigin(r, w.url) },
			Identify: func(r *http.Request) (identity.Principal, error) {
				if issuer.Shows(r) {
					return w.issuer.Identify(r)
				}
				return identify.Cookie(r, w.url)
			}}: &pages,
		{Name: "machine", Routes: w.issuer.Machine()}: &machine,
	} {
		if *to, err = site.Handler(web.Config{Access: w.engine, Log: slog.New(slog.DiscardHandler)}); err != nil {
			t.Fatal(err)
		}
	}
	w.signIn()
	w.client = &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	t.Cleanup(w.client.CloseIdleConnections)
	return w
}

func people(enabled bool) *directory.Snapshot {
	s, _ := directory.Empty().With(directory.Change{Reset: directory.Everything, AsOf: time.Now(), Users: []directory.User{
		{ID: ada, Name: "Ada Lovelace", UserName: "ada@contoso.example", Mail: "ada@contoso.example", Enabled: enabled},
	}, Groups: []directory.Group{
		{ID: engineers, Name: "payments-engineers", Security: true, Assigned: true},
	}, Members: []directory.Membership{{Group: engineers, Member: directory.Member{User: ada}}}})
	return s
}

// signIn signs Ada in anew, in the browser of the world.
func (w *world) signIn() {
	w.t.Helper()
	row, cookie, err := w.sessions.Begin(w.t.Context(), session.SignIn{User: ada, Name: "Ada Lovelace", At: w.clock()}, w.url, audit.Event{Action: "signin"})
	if err != nil {
		w.t.Fatal(err)
	}
	w.cookie, w.session = cookie, row.ID
}

func (w *world) do(r *http.Request) (*http.Response, string) {
	w.t.Helper()
	resp, err := w.client.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp, string(body)
}

// browse asks as Ada's browser; with a form it posts it.
func (w *world) browse(path string, form url.Values) (*http.Response, string) {
	w.t.Helper()
	method, body := http.MethodGet, io.Reader(nil)
	if form != nil {
		method, body = http.MethodPost, strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, body)
	if err != nil {
		w.t.Fatal(err)
	}
	if w.cookie != "" {
		r.AddCookie(&http.Cookie{Name: session.CookieName, Value: w.cookie, Secure: true, HttpOnly: true})
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", w.url)
	}
	return w.do(r)
}

// program is a client outside, with a key of its own.
type program struct {
	w      *world
	id     string
	secret string
	key    *ecdsa.PrivateKey // nil: it sends no proofs
	nonce  string
}

func (w *world) program(id string) *program {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return &program{w: w, id: id, key: key}
}

// proof signs what a request must show; changes are laid over its claims.
func (p *program) proof(method, address, accessToken string, changes map[string]any) string {
	p.w.t.Helper()
	claims := map[string]any{"jti": rand.Text(), "htm": method, "htu": address, "iat": p.w.clock().Unix()}
	if p.nonce != "" {
		claims["nonce"] = p.nonce
	}
	if accessToken != "" {
		digest := sha256.Sum256([]byte(accessToken))
		claims["ath"] = base64.RawURLEncoding.EncodeToString(digest[:])
	}
	for k, v := range changes {
		claims[k] = v
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: p.key},
		&jose.SignerOptions{EmbedJWK: true, ExtraHeaders: map[jose.HeaderKey]any{jose.HeaderType: "dpop+jwt"}})
	if err != nil {
		p.w.t.Fatal(err)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		p.w.t.Fatal(err)
	}
	signed, err := signer.Sign(text)
	if err != nil {
		p.w.t.Fatal(err)
	}
	raw, err := signed.CompactSerialize()
	if err != nil {
		p.w.t.Fatal(err)
	}
	return raw
}

// answer is what an endpoint said.
type answer struct {
	Status      int
	Header      http.Header
	Error       string `json:"error"`
	Description string `json:"error_description"`
	Access      string `json:"access_token"`
	Type        string `json:"token_type"`
	Expires     int    `json:"expires_in"`
	Refresh     string `json:"refresh_token"`
	ID          string `json:"id_token"`
	Device      string `json:"device_code"`
	User        string `json:"user_code"`
	Active      bool   `json:"active"`
	Text        string `json:"-"`
}

// post sends a form to an endpoint, and again with the nonce that it is given.
func (p *program) post(path string, form url.Values) answer {
	p.w.t.Helper()
	a := p.postWith(path, form, nil)
	if a.Error == "use_dpop_nonce" {
		p.nonce = a.Header.Get("DPoP-Nonce")
		a = p.postWith(path, form, nil)
	}
	return a
}

func (p *program) postWith(path string, form url.Values, changes map[string]any) answer {
	p.w.t.Helper()
	values := url.Values{"client_id": {p.id}}
	for k, v := range form {
		values[k] = v
	}
	if p.secret != "" {
		values.Set("client_secret", p.secret)
	}
	r, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodPost, p.w.url+path, strings.NewReader(values.Encode()))
	if err != nil {
		p.w.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if p.key != nil {
		r.Header.Set("DPoP", p.proof(http.MethodPost, p.w.url+path, "", changes))
	}
	return p.w.answered(r)
}

func (w *world) answered(r *http.Request) answer {
	w.t.Helper()
	resp, body := w.do(r)
	a := answer{Status: resp.StatusCode, Header: resp.Header, Text: body}
	_ = json.Unmarshal([]byte(body), &a) // what is no object has no fields
	return a
}

// me asks Lanyard's API who the token's person is, and again with the nonce that it is given.
func (p *program) me(accessToken string, changes map[string]any) answer {
	p.w.t.Helper()
	for range 2 {
		r, err := http.NewRequestWithContext(p.w.t.Context(), http.MethodGet, p.w.url+"/api/v1/me", nil)
		if err != nil {
			p.w.t.Fatal(err)
		}
		r.Header.Set("Authorization", "DPoP "+accessToken)
		r.Header.Set("DPoP", p.proof(http.MethodGet, p.w.url+"/api/v1/me", accessToken, changes))
		a := p.w.answered(r)
		if !strings.Contains(a.Header.Get("WWW-Authenticate"), "use_dpop_nonce") || changes["nonce"] != nil {
			return a
		}
		p.nonce = a.Header.Get("DPoP-Nonce")
	}
	p.w.t.Fatal("no nonce is good")
	return answer{}
}

// challenge is a verifier and its challenge (RFC 7636).
func challenge() (verifier, s256 string) {
	verifier = rand.Text() + rand.Text()
	digest := sha256.Sum256([]byte(verifier))
	return verifier, base64.RawURLEncoding.EncodeToString(digest[:])
}

// code has Ada allow a client, and returns its code and the verifier.
func (w *world) code(client, redirect string, more url.Values) (code, verifier string) {
	w.t.Helper()
	verifier, s256 := challenge()
	q := url.Values{"client_id": {client}, "redirect_uri": {redirect}, "response_type": {"code"}, "state": {"a state"}, "scope": {"openid profile offline_access"},
		"code_challenge": {s256}, "code_challenge_method": {"S256"}}
	for k, v := range more {
		q[k] = v
	}
	resp, body := w.browse(issuer.AuthorizePath+"?"+q.Encode(), nil)
	var page issuer.Page
	if err := json.Unmarshal([]byte(body), &page); err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("the page: %d %s", resp.StatusCode, body)
	}
	page.Fields.Set("go", "on")
	resp, body = w.browse(page.Action, page.Fields)
	to, err := url.Parse(resp.Header.Get("Location"))
	if err != nil || resp.StatusCode != http.StatusSeeOther || !strings.HasPrefix(to.String(), redirect+"?") {
		w.t.Fatalf("allowed: %d %s %s", resp.StatusCode, resp.Header.Get("Location"), body)
	}
	if q := to.Query(); q.Get("state") != "a state" || q.Get("iss") != w.url || q.Get("code") == "" {
		w.t.Fatalf("the answer: %s", to)
	}
	return to.Query().Get("code"), verifier
}

const laptop = "http://127.0.0.1:51234/callback"

func byCode(code, verifier, redirect string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "code": {code}, "code_verifier": {verifier}, "redirect_uri": {redirect}}
}

func byRefresh(refresh string) url.Values {
	return url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}}
}
