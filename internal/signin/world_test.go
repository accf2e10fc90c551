package signin_test

import (
	"context"
	"encoding/json"
	"html"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/credential"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/signin"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// events is an audit log in memory.
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

// world is a tenant and the pages of a Lanyard that people sign in to at it.
type world struct {
	t        *testing.T
	url      string
	tenant   *entrasim.Tenant
	engine   *access.Engine
	sessions *session.Manager
	signin   *signin.Service
	audit    *events
}

// anyName dials every name below localhost on loopback.
func anyName(ctx context.Context, network, addr string) (net.Conn, error) {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:"+port)
}

// newWorld makes a tenant and the pages that people sign in to. with may change what the tenant knows of Lanyard's app,
// and returns how that proves itself; without it, by its secret.
func newWorld(t *testing.T, with ...func(*entrasim.App) *credential.App) *world {
	t.Helper()
	return newWorldOf(t, func(*signin.Config) {}, with...)
}

// newWorldOf is newWorld with a service that is configured in some way.
func newWorldOf(t *testing.T, configure func(*signin.Config), with ...func(*entrasim.App) *credential.App) *world {
	t.Helper()
	w := &world{t: t, audit: &events{}}
	var pages http.Handler
	front := httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.Host, "tenant.") {
			w.tenant.ServeHTTP(rw, r)
			return
		}
		pages.ServeHTTP(rw, r)
	}))
	_, port, err := net.SplitHostPort(front.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.url = "http://lanyard.localhost:" + port
	organisation := entrasim.Contoso(entrasim.Sample{
		RedirectURIs: []string{w.url + signin.RedirectPath, w.url + signin.LogoutPath}, LogoutURL: w.url + signin.FrontChannelPath,
	})
	var proof *credential.App
	for _, change := range with {
		proof = change(&organisation.Apps[0])
	}
	w.tenant, err = entrasim.New(entrasim.Config{URL: "http://tenant.localhost:" + port, Dial: anyName, Organisation: organisation})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.tenant.Close() })
	app, _ := w.tenant.App(entrasim.LanyardAppID)

	rows := storetest.SQLite(t).Open(t, "test")
	policies, err := policy.Parse(policy.Source{Tenant: entrasim.ContosoTenantID})
	if err != nil {
		t.Fatal(err)
	}
	people, _ := directory.Empty().With(directory.Change{Reset: directory.Everything, AsOf: time.Now(), Users: []directory.User{
		{ID: user(entrasim.AdaID), Name: "Ada Lovelace", UserName: "ada@contoso.example", Enabled: true},
		{ID: user(entrasim.LinusID), Name: "Linus Pauling", UserName: "linus@contoso.example", Enabled: true},
	}})
	w.engine = access.New(access.Config{
		Facts: access.Facts{Directory: people, Projects: project.Empty(), Policies: policies, Sessions: session.NewSet(nil, nil),
			Bounds: access.Bounds{Stale: time.Hour, Close: 2 * time.Hour}},
		Audit: w.audit, Log: slog.New(slog.DiscardHandler),
	})
	w.sessions = session.NewManager(session.Config{
		Rows: rows, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Publish: func(set *session.Set, users []identity.UserID, seq feed.Seq) {
			w.engine.Publish(func(f access.Facts) access.Facts { f.Sessions = set; return f }, access.Touched{Users: users})
		},
	})
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	grants := grant.NewManager(grant.Config{
		Rows: rows, Log: slog.New(slog.DiscardHandler),
		Publish: func(set *grant.Set, users []identity.UserID, seq feed.Seq) {
			w.engine.Publish(func(f access.Facts) access.Facts { f.Grants = set; return f }, access.Touched{Users: users})
		},
	})
	identify := session.Identifier{Sessions: w.sessions}
	client := &http.Client{Transport: &http.Transport{DialContext: anyName}}
	t.Cleanup(client.CloseIdleConnections)
	c := signin.Config{
		Tenant: signin.Tenant{ID: entrasim.ContosoTenantID, Issuer: w.tenant.Issuer(), ClientID: app.ClientID, ClientSecret: app.Secret, Credential: proof},
		URL:    w.url, HTTP: client, Sessions: w.sessions, Identify: identify, Access: w.engine, Facts: w.engine.Facts,
		Once: rows, Sealer: sealer, Audit: w.audit, Log: slog.New(slog.DiscardHandler), Grants: grants, StepUpLasts: 15 * time.Minute,
		Page: func(rw http.ResponseWriter, status int, page signin.StepUpPage) {
			rw.WriteHeader(status)
			_ = json.NewEncoder(rw).Encode(page) // the test finds out if it cannot be written
		},
		SiteOf: func(host string) (access.Request, identity.WorkspaceID, bool) {
			ok := strings.HasPrefix(host, "t-") && strings.HasSuffix(host, ".localhost:"+port)
			return access.Request{Action: identity.SelfView, Resource: identity.Own(user(entrasim.AdaID))}, "w-aaaaaaaaaaaaaaaa", ok
		},
	}
	configure(&c)
	w.signin = signin.New(c)
	whoami := func(rw http.ResponseWriter, r *http.Request) error {
		_, err := io.WriteString(rw, web.PrincipalFrom(r.Context()).User.Object)
		return err
	}
	site := web.Site{
		Name: "pages", Guard: func(r *http.Request) error {
			if w.signin.FromTenant(r) {
				return nil
			}
			return web.GuardOrigin(r, w.url)
		},
		Identify: func(r *http.Request) (identity.Principal, error) { return identify.Cookie(r, "http://"+r.Host) },
		Routes: append(w.signin.Routes(), w.signin.Enter(),
			web.Route{Method: "GET", Path: "/{$}", Access: web.Public("test"), Serve: whoami},
			web.Route{Method: "GET", Path: "/lead", Access: web.Public("test"), Serve: func(rw http.ResponseWriter, r *http.Request) error {
				if web.PrincipalFrom(r.Context()).Session != "" {
					return whoami(rw, r)
				}
				w.signin.Lead(rw, r)
				return nil
			}}),
	}
	if pages, err = site.Handler(web.Config{Access: w.engine, Log: slog.New(slog.DiscardHandler)}); err != nil {
		t.Fatal(err)
	}
	front.Start()
	t.Cleanup(front.Close)
	return w
}

func user(object string) identity.UserID {
	return identity.UserID{Tenant: entrasim.ContosoTenantID, Object: object}
}

// browser keeps cookies as a browser does: by host, Secure ones too on this machine.
type browser struct {
	t       *testing.T
	cookies map[string]map[string]string
	// crossSite are the names of cookies that are sent with what another site posts (SameSite=None).
	crossSite map[string]bool
	client    *http.Client
}

func newBrowser(t *testing.T) *browser {
	b := &browser{t: t, cookies: map[string]map[string]string{}, crossSite: map[string]bool{}}
	transport := &http.Transport{DialContext: anyName}
	t.Cleanup(transport.CloseIdleConnections)
	b.client = &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return b
}

// send sends one request, and returns status, body and where it redirects to.
func (b *browser) send(method, address string, form url.Values, headers ...string) (int, string, *url.URL) {
	b.t.Helper()
	r, err := http.NewRequest(method, address, strings.NewReader(form.Encode()))
	if err != nil {
		b.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if method != http.MethodGet {
		r.Header.Set("Origin", r.URL.Scheme+"://"+r.URL.Host)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	for name, value := range b.cookies[r.URL.Host] {
		r.AddCookie(&http.Cookie{Name: name, Value: value})
	}
	answer, err := b.client.Do(r)
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	for _, c := range answer.Cookies() {
		jar := b.cookies[r.URL.Host]
		if jar == nil {
			jar = map[string]string{}
			b.cookies[r.URL.Host] = jar
		}
		if c.MaxAge < 0 {
			delete(jar, c.Name)
		} else {
			jar[c.Name] = c.Value
			b.crossSite[c.Name] = c.SameSite == http.SameSiteNoneMode
		}
	}
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	location, _ := answer.Location()
	return answer.StatusCode, string(body), location
}

// get follows redirects as long as follow says so.
func (b *browser) get(address string, follow func(*url.URL) bool) (int, string, *url.URL) {
	b.t.Helper()
	for {
		status, body, next := b.send(http.MethodGet, address, nil)
		if next == nil || !follow(next) {
			return status, body, next
		}
		address = next.String()
	}
}

func all(*url.URL) bool { return true }

func until(path string) func(*url.URL) bool {
	return func(u *url.URL) bool { return u.Path != path }
}

var hiddenField = regexp.MustCompile(`<input type="hidden" name="([^"]*)" value="([^"]*)"`)

var formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"[^>]*id="signin-form"`)

// signIn begins at Lanyard, fills in the tenant's page, and returns its answer: on success a redirect back.
func (b *browser) signIn(w *world, name, password string) (status int, body string, back *url.URL) {
	b.t.Helper()
	return b.signInAt(w, "/login", name, password)
}

// signInAt begins at an address of the pages.
func (b *browser) signInAt(w *world, address, name, password string) (status int, body string, back *url.URL) {
	b.t.Helper()
	return b.signInThere(w, w.url+address, name, password)
}

// signInThere begins at an address of the pages or the tenant's.
func (b *browser) signInThere(w *world, address, name, password string) (status int, body string, back *url.URL) {
	b.t.Helper()
	_, page, _ := b.get(address, all)
	form := formAction.FindStringSubmatch(page)
	if form == nil {
		b.t.Fatalf("no form on the tenant's page:\n%s", page)
	}
	base, err := url.Parse(w.tenant.Issuer())
	if err != nil {
		b.t.Fatal(err)
	}
	action, err := base.Parse(html.UnescapeString(form[1]))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(http.MethodPost, action.String(), url.Values{"action": {"signin"}, "username": {name}, "password": {password}})
}

// enter signs in all the way.
func (b *browser) enter(w *world, name string) {
	b.t.Helper()
	status, body, back := b.signIn(w, name, "lanyard-"+name)
	if back == nil {
		b.t.Fatalf("the tenant did not sign %s in: %d\n%s", name, status, body)
	}
	if status, body, _ = b.get(back.String(), all); status != http.StatusOK {
		b.t.Fatalf("%s is not in: %d %s", name, status, body)
	}
}

// whoami is the object ID that the pages see.
func (b *browser) whoami(w *world) string {
	b.t.Helper()
	_, body, _ := b.send(http.MethodGet, w.url+"/", nil)
	return body
}
