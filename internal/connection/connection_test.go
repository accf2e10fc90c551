package connection_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/connection"
	"github.com/lanyardhq/lanyard/internal/connection/githubtest"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// world is a Lanyard of which only the connections are there, and the host that they are to.
type world struct {
	*connection.Service
	t      testing.TB
	github *githubtest.GitHub
	rows   *memory
	server *httptest.Server
	mu     sync.Mutex
	clock  time.Duration
	as     identity.Principal // who the browser is signed in as
	sealer *token.Sealer
}

const callbackPath = "/connected/"

type personKey struct {
	user identity.UserID
	app  string
}

func person(object string) identity.Principal {
	return identity.Principal{Kind: identity.Person, User: identity.UserID{Tenant: "t", Object: object}, Session: identity.SessionID("s-" + object)}
}

func newWorld(t *testing.T) *world {
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, github: githubtest.New(t), rows: &memory{rows: map[personKey]connection.Row{}, once: map[[32]byte][]byte{}}, as: person("ada"), sealer: sealer}
	w.github.Now = w.now
	w.server = httptest.NewServer(nil)
	t.Cleanup(w.server.Close)
	w.Service = w.replica()
	routes, err := w.Routes()
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range routes { // as the pages site serves them
		mux.HandleFunc(route.Method+" "+route.Path, func(rw http.ResponseWriter, r *http.Request) {
			w.mu.Lock()
			who := w.as
			w.mu.Unlock()
			if err := route.Serve(rw, r.WithContext(web.WithPrincipal(r.Context(), who))); err != nil {
				problem.Write(rw, err)
			}
		})
	}
	w.server.Config.Handler = mux
	return w
}

func (w *world) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Now().Add(w.clock)
}

func (w *world) later(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.clock += d
}

func (w *world) replica() *connection.Service {
	return connection.New(connection.Config{
		Apps: []connection.App{w.github.App(w.t)}, URL: w.server.URL, HTTP: w.github.Client(), Rows: w.rows, Once: w.rows, Sealer: w.sealer,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)), Now: w.now,
	})
}

func (w *world) host() string { return strings.TrimPrefix(w.github.URL, "http://") }

func (w *world) browser() *http.Client {
	jar, _ := cookiejar.New(nil)
	return &http.Client{Jar: secure{jar}}
}

// secure keeps cookies as a browser does for loopback, where it takes them for protected.
type secure struct{ jar http.CookieJar }

func (s secure) SetCookies(u *url.URL, c []*http.Cookie) { s.jar.SetCookies(https(u), c) }
func (s secure) Cookies(u *url.URL) []*http.Cookie       { return s.jar.Cookies(https(u)) }

func https(u *url.URL) *url.URL {
	secured := *u
	secured.Scheme = "https"
	return &secured
}

func get(t testing.TB, c *http.Client, u string) (int, string) {
	t.Helper()
	resp, err := c.Get(u)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (w *world) connect() {
	w.t.Helper()
	if status, page := get(w.t, w.browser(), w.server.URL+"/connections/github"); status != 200 || !strings.Contains(page, "You are ada-l there") {
		w.t.Fatalf("%d: %s", status, page)
	}
}

func (w *world) token() (string, error) {
	return w.UserToken(w.t.Context(), person("ada"), "github", w.host())
}

func TestConnectUseRenewAndDisconnect(t *testing.T) {
	w := newWorld(t)
	if _, err := w.token(); err == nil || problem.Message(err) != "You are not connected to "+w.host()+" yet: open "+w.server.URL+"/connections/github" {
		t.Fatal(err)
	}
	w.connect()
	first, err := w.token()
	if err != nil || !w.github.Works(first) {
		t.Fatal(first, err)
	}
	if again, err := w.token(); err != nil || again != first {
		t.Fatal(again, err)
	}
	row := w.rows.rows[personKey{person("ada").User, "github"}]
	if bytes.Contains(row.Sealed, []byte("ghu_")) || bytes.Contains(row.Sealed, []byte("ghr_")) {
		t.Error("tokens are kept as they are")
	}
	w.later(7*time.Hour + 57*time.Minute) // eight hours are the token's
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if second, err := w.token(); err != nil || second == first {
				t.Error(second, err)
			}
		})
	}
	all.Wait()
	if n, _ := w.github.Counts(); n != 1 {
		t.Errorf("renewed %d times", n)
	}
	second, _ := w.token()
	if _, err := w.UserToken(t.Context(), person("grace"), "github", w.host()); err == nil {
		t.Error("somebody else has the connection")
	}
	resp, err := w.browser().Post(w.server.URL+"/connections/github/drop", "", nil)
	if err != nil || resp.StatusCode != 200 {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
	if _, err := w.token(); err == nil || w.github.Works(second) {
		t.Error("after disconnecting:", err)
	}
	if len(w.rows.events) != 2 || w.rows.events[0].Action != "connection:make" || w.rows.events[1].Action != "connection:drop" {
		t.Errorf("the events are %v", w.rows.events)
	}
}

// TestTwoReplicasRenew: a refresh token is for one use; who comes second uses what the first has kept.
func TestTwoReplicasRenew(t *testing.T) {
	w := newWorld(t)
	one, two := w.replica(), w.replica()
	w.connect()
	ada := person("ada")
	w.later(8 * time.Hour)
	var first string
	w.rows.read = func() { // two has read the row, and one renews it before two does
		var err error
		if first, err = one.UserToken(t.Context(), ada, "github", w.host()); err != nil {
			t.Error(err)
		}
	}
	second, err := two.UserToken(t.Context(), ada, "github", w.host())
	if n, _ := w.github.Counts(); err != nil || second != first || n != 1 {
		t.Errorf("%v, %d renewals", err, n)
	}
}

func TestConnectionThatStopsWorkingIsSaid(t *testing.T) {
	renewed := func(w *world) string {
		return "The connection to " + w.host() + " has to be renewed: open " + w.server.URL + "/connections/github"
	}
	t.Run("refresh token", func(t *testing.T) {
		w := newWorld(t)
		w.connect()
		w.github.ForgetRefresh()
		w.later(9 * time.Hour)
		for range 2 {
			if _, err := w.token(); err == nil || problem.Message(err) != renewed(w) {
				t.Fatal(err)
			}
		}
		if _, page := get(t, w.browser(), w.server.URL+"/connections"); !strings.Contains(page, "This has to be renewed") {
			t.Error(page)
		}
		w.connect()
		if _, err := w.token(); err != nil {
			t.Error(err)
		}
	})
	t.Run("access token", func(t *testing.T) {
		w := newWorld(t)
		w.connect()
		if _, err := w.token(); err != nil {
			t.Fatal(err)
		}
		if err := w.Refused(t.Context(), person("ada"), "github"); problem.Message(err) != renewed(w) {
			t.Error(err)
		}
		if _, err := w.token(); err == nil || problem.Message(err) != renewed(w) {
			t.Error(err)
		}
	})
	t.Run("host down", func(t *testing.T) {
		w := newWorld(t)
		w.connect()
		w.later(9 * time.Hour)
		w.github.Close()
		if _, err := w.token(); problem.KindOf(err) != problem.Unavailable {
			t.Error(err)
		}
		if w.rows.rows[personKey{person("ada").User, "github"}].Broken != "" {
			t.Error("a host that is down breaks a connection")
		}
	})
	t.Run("tokens without end", func(t *testing.T) {
		w := newWorld(t)
		w.github.Forever()
		if _, page := get(t, w.browser(), w.server.URL+"/connections/github"); !strings.Contains(page, "turn on expiring user tokens") || len(w.rows.rows) != 0 {
			t.Error(page)
		}
	})
}

// TestAttack17AnswersOfOthers: what this person did not begin in this browser is not taken, nor what another host gave; and a
// token goes to its own host alone.
func TestAttack17AnswersOfOthers(t *testing.T) {
	w := newWorld(t)
	stop := func(c *http.Client) *http.Client { // at the host's answer
		c.CheckRedirect = func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.Path, callbackPath) {
				return http.ErrUseLastResponse
			}
			return nil
		}
		return c
	}
	begin := func(c *http.Client) string {
		resp, err := stop(c).Get(w.server.URL + "/connections/github")
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.Header.Get("Location")
	}
	refused := func(what string, c *http.Client, u string) {
		t.Helper()
		if status, page := get(t, c, u); status < 400 || len(w.rows.rows) != 0 {
			t.Errorf("%s: %d %s", what, status, page)
		}
	}
	victim, attacker := w.browser(), w.browser()
	refused("a code in another browser", victim, begin(attacker))
	begin(victim) // the victim's browser now has a cookie of its own
	refused("a code in another browser that began", victim, begin(attacker))
	mine := begin(victim)
	w.mu.Lock()
	w.as = person("grace")
	w.mu.Unlock()
	refused("another person in the same browser", victim, mine)
	w.mu.Lock()
	w.as = person("ada")
	w.mu.Unlock()
	refused("a state that was spent", victim, mine)
	refused("no state", victim, w.server.URL+callbackPath+"github?code=code-0")
	refused("another issuer", victim, begin(victim)+"&iss=https%3A%2F%2Fevil.example")
	refused("a refusal", victim, strings.Replace(begin(victim), "code=", "error=access_denied&x=", 1))
	refused("an app that is not there", victim, strings.Replace(begin(victim), callbackPath+"github", callbackPath+"other", 1))
	if status, _ := get(t, victim, begin(victim)); status != 200 || len(w.rows.rows) != 1 {
		t.Error("the person's own is not taken either:", status)
	}
	if _, err := w.UserToken(t.Context(), person("ada"), "github", "evil.example"); err == nil || !strings.Contains(err.Error(), "for "+w.host()+" alone") {
		t.Error("a token for another host:", err)
	}
	evil, _ := url.Parse("https://evil.example/contoso/api")
	if _, err := w.InstallationToken(t.Context(), "github", evil, false); err == nil {
		t.Error("an installation's token for another host:", err)
	}
}

// TestAttack07ReturnsNowhereElse: no parameter says where a person comes out.
func TestAttack07ReturnsNowhereElse(t *testing.T) {
	w := newWorld(t)
	w.as = identity.Principal{}
	c := w.browser()
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for _, u := range []string{"/connections/github?return=//evil.example", "/connections/github?redirect_uri=https://evil.example/"} {
		resp, err := c.Get(w.server.URL + u)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if to := resp.Header.Get("Location"); to != "/login?return=%2Fconnections%2Fgithub%2Fstart" {
			t.Errorf("%s leads to %s", u, to)
		}
	}
}

func TestInstallationTokens(t *testing.T) {
	w := newWorld(t)
	repository := func(path string) *url.URL { return &url.URL{Scheme: "https", Host: w.host(), Path: path} }
	read, err := w.InstallationToken(t.Context(), "github", repository("/contoso/api"), false)
	if err != nil {
		t.Fatal(err)
	}
	write, err := w.InstallationToken(t.Context(), "github", repository("/contoso/api"), true)
	if err != nil || write == read {
		t.Fatal(err)
	}
	again, err := w.InstallationToken(t.Context(), "github", repository("/Contoso/API"), false)
	if _, mints := w.github.Counts(); err != nil || again != read || mints != 2 {
		t.Errorf("not cached: %v, %d", err, mints)
	}
	limits := w.github.Limits(read)
	if names, _ := limits["repositories"].([]any); len(names) != 1 || names[0] != "api" || limits["permissions"].(map[string]any)["contents"] != "read" {
		t.Errorf("the limits are %v", limits)
	}
	w.later(56 * time.Minute)
	if again, err = w.InstallationToken(t.Context(), "github", repository("/contoso/api"), false); err != nil || again == read {
		t.Errorf("an hour later: %v", err)
	}
	w.ForgetInstallation("github", repository("/contoso/api"))
	if next, err := w.InstallationToken(t.Context(), "github", repository("/contoso/api"), false); err != nil || next == again {
		t.Errorf("after a refusal: %v", err)
	}
	if _, err := w.InstallationToken(t.Context(), "github", repository("/others/api"), false); err == nil || !strings.Contains(err.Error(), "is not installed for others/api") {
		t.Error(err)
	}
	w.later(2 * time.Hour)
	w.Forget()
}

// memory is the store, in memory.
type memory struct {
	mu     sync.Mutex
	rows   map[personKey]connection.Row
	once   map[[32]byte][]byte
	events []audit.Event
	read   func() // called once, when a connection was read
}

func (m *memory) Connection(_ context.Context, u identity.UserID, app string) (connection.Row, bool, error) {
	m.mu.Lock()
	row, ok := m.rows[personKey{u, app}]
	read := m.read
	m.read = nil
	m.mu.Unlock()
	if read != nil {
		read()
	}
	return row, ok, nil
}

func (m *memory) Connections(_ context.Context, u identity.UserID) (list []connection.Row, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for k, row := range m.rows {
		if k.user == u {
			list = append(list, row)
		}
	}
	return list, nil
}

func (m *memory) PutConnection(_ context.Context, row connection.Row, events ...audit.Event) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := personKey{row.User, row.App}
	row.Version = m.rows[k].Version + 1
	m.rows[k], m.events = row, append(m.events, events...)
	return nil
}

func (m *memory) RenewConnection(_ context.Context, row connection.Row) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := personKey{row.User, row.App}
	if m.rows[k].Version != row.Version {
		return false, nil
	}
	row.Version++
	m.rows[k] = row
	return true, nil
}

func (m *memory) DropConnection(_ context.Context, u identity.UserID, app string, events ...audit.Event) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k := personKey{u, app}
	_, ok := m.rows[k]
	delete(m.rows, k)
	m.events = append(m.events, events...)
	return ok, nil
}

func (m *memory) PutOnce(_ context.Context, _ string, hash [32]byte, body []byte, _ time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.once[hash] = body
	return nil
}

func (m *memory) TakeOnce(_ context.Context, _ string, hash [sha256.Size]byte) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	body, ok := m.once[hash]
	delete(m.once, hash)
	return body, ok, nil
}

// TestPageLoadsNothing: the page's policy names its own style and lets nothing else in.
func TestPageLoadsNothing(t *testing.T) {
	w := newWorld(t)
	resp, err := w.browser().Get(w.server.URL + "/connections")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	page, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	_, style, _ := strings.Cut(string(page), "<style>")
	style, _, _ = strings.Cut(style, "</style>")
	sum := sha256.Sum256([]byte(style))
	if policy := resp.Header.Get("Content-Security-Policy"); !strings.Contains(policy, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") ||
		!strings.Contains(policy, "default-src 'none'") {
		t.Errorf("the policy is %s", policy)
	}
}
