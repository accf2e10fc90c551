package web_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type log struct {
	mu      sync.Mutex
	durable int
}

func (l *log) Durable(context.Context, ...audit.Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.durable++
	return nil
}

func (l *log) Later(audit.Event) {}

var ada = identity.UserID{Tenant: "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01", Object: "67224801-dc28-4774-a21b-13838a428c41"}

func engine(t *testing.T, l *log) *access.Engine {
	t.Helper()
	policies, err := policy.Parse(policy.Source{Tenant: ada.Tenant})
	if err != nil {
		t.Fatal(err)
	}
	people, _ := directory.Empty().With(directory.Change{Reset: directory.Everything, AsOf: time.Now(), Users: []directory.User{{ID: ada, Name: "Ada", Enabled: true}}})
	sessions := session.NewSet(
		[]session.SignIn{{ID: "i-a", User: ada, At: time.Now(), Expires: time.Now().Add(time.Hour)}},
		[]session.Session{{ID: "s-a", SignIn: "i-a", User: ada, Kind: session.Browser}})
	return access.New(access.Config{
		Facts: access.Facts{Directory: people, Projects: project.Empty(), Policies: policies, Sessions: sessions,
			Bounds: access.Bounds{Stale: time.Hour, Close: time.Hour}},
		Audit: l, Log: slog.New(slog.DiscardHandler), Opened: web.Decided,
	})
}

func serve(t *testing.T, e *access.Engine, identify bool, routes ...web.Route) *httptest.Server {
	t.Helper()
	site := web.Site{Name: "test", Routes: routes, Guard: func(r *http.Request) error { return web.GuardOrigin(r, "http://pages") }}
	if identify {
		site.Identify = func(*http.Request) (identity.Principal, error) {
			return identity.Principal{Kind: identity.Person, User: ada, Session: "s-a"}, nil
		}
	}
	h, err := site.Handler(web.Config{Access: e, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewUnstartedServer(h)
	s.Config.ConnContext = web.WithConn
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelDebug)
	s.Start()
	t.Cleanup(s.Close)
	return s
}

func own(_ *http.Request, p identity.Principal) (identity.Resource, error) {
	return identity.Own(p.User), nil
}

func get(t *testing.T, s *httptest.Server, method, path, origin string) (int, string, error) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	resp, err := s.Client().Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// SECURITY row 26: a route without an action does not start, and an unknown one is refused.
func TestAttack26RouteWithoutAnAction(t *testing.T) {
	site := web.Site{Name: "test", Routes: []web.Route{{Method: "GET", Path: "/x", Serve: func(http.ResponseWriter, *http.Request) error { return nil }}}}
	if _, err := site.Handler(web.Config{}); err == nil || !strings.Contains(err.Error(), "declares no action") {
		t.Errorf("%v", err)
	}
	s := serve(t, engine(t, &log{}), true)
	if status, body, _ := get(t, s, "GET", "/nowhere", ""); status != http.StatusNotFound || !strings.Contains(body, "urn:lanyard:problem:not-found") {
		t.Errorf("%d %s", status, body)
	}
}

func TestAnotherMethodIsSaidSo(t *testing.T) {
	s := serve(t, engine(t, &log{}), true, web.Route{Method: "GET", Path: "/x", Access: web.Public("a test"),
		Serve: func(http.ResponseWriter, *http.Request) error { return nil }})
	resp, err := s.Client().Post(s.URL+"/x", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden { // the origin comes first: a foreign page learns nothing
		t.Errorf("from elsewhere: %s", resp.Status)
	}
	status, body, err := get(t, s, "DELETE", "/x", "http://pages")
	if err != nil || status != http.StatusMethodNotAllowed || !strings.Contains(body, "answers to GET, HEAD, and not to DELETE") {
		t.Errorf("%d %s %v", status, body, err)
	}
}

func TestRouteHoldsALease(t *testing.T) {
	l := &log{}
	e := engine(t, l)
	route := web.Route{Path: "/me", Access: web.Needs(identity.SelfView), On: own, Serve: func(w http.ResponseWriter, r *http.Request) error {
		if web.LeaseFrom(r.Context()) == nil || len(e.LeasesOf(ada)) != 1 {
			t.Error("there is no lease while the answer is made")
		}
		return web.WriteJSON(w, http.StatusOK, "ada")
	}}
	s := serve(t, e, true, route)
	if status, body, _ := get(t, s, "GET", "/me", ""); status != http.StatusOK || body != "\"ada\"\n" {
		t.Errorf("%d %s", status, body)
	}
	if n := len(e.LeasesOf(ada)); n != 0 {
		t.Errorf("%d leases are left", n)
	}
	if l.durable != 0 {
		t.Error("reading waited for the log")
	}
	if status, _, _ := get(t, s, "POST", "/me", "http://pages"); status != http.StatusOK || l.durable != 1 {
		t.Errorf("%d; %d entries on disk before an unsafe method's answer", status, l.durable)
	}
	anonymous := serve(t, e, false, route)
	if status, body, _ := get(t, anonymous, "GET", "/me", ""); status != http.StatusUnauthorized {
		t.Errorf("nobody: %d %s", status, body)
	}
}

// An answer that is cut is never taken for whole; one that had not begun says why.
func TestCutAnswer(t *testing.T) {
	for _, begun := range []bool{false, true} {
		e := engine(t, &log{})
		ready := make(chan struct{})
		s := serve(t, e, true, web.Route{Path: "/stream", Access: web.Needs(identity.SelfView), On: own,
			Serve: func(w http.ResponseWriter, r *http.Request) error {
				if begun {
					_, _ = io.WriteString(w, "some\n")
					_ = http.NewResponseController(w).Flush()
				}
				close(ready)
				<-r.Context().Done()
				return r.Context().Err()
			}})
		go func() {
			<-ready
			for l := range e.Leases {
				e.Revoke(l.ID, access.Reason{Code: access.Revoked, Text: "an administrator ended it"})
			}
		}()
		status, body, err := get(t, s, "GET", "/stream", "")
		if err == nil && (begun || status != http.StatusForbidden || !strings.Contains(body, "an administrator ended it")) {
			t.Errorf("begun %t: %d %q", begun, status, body)
		}
	}
}

func TestAttack14UnsafeFromElsewhere(t *testing.T) {
	s := serve(t, engine(t, &log{}), true, web.Route{Path: "/me", Access: web.Needs(identity.SelfView), On: own,
		Serve: func(w http.ResponseWriter, _ *http.Request) error { return web.WriteJSON(w, http.StatusOK, 1) }})
	for _, origin := range []string{"", "null", "http://evil", "http://pages.evil", "HTTP://PAGES/"} {
		if status, _, _ := get(t, s, "POST", "/me", origin); status != http.StatusForbidden {
			t.Errorf("origin %q: %d", origin, status)
		}
	}
	r, _ := http.NewRequestWithContext(t.Context(), "GET", s.URL+"/me", nil)
	r.Header.Set("Connection", "keep-alive, Upgrade")
	r.Header.Set("Upgrade", "websocket")
	r.Header.Set("Origin", "http://evil")
	resp, err := s.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusForbidden {
		t.Errorf("upgrade from elsewhere: %d", resp.StatusCode)
	}
}

func TestInternalErrorsSayNothing(t *testing.T) {
	s := serve(t, engine(t, &log{}), true, web.Route{Path: "/x", Access: web.Public("test of errors"),
		Serve: func(http.ResponseWriter, *http.Request) error { return errors.New("password=hunter2 at /var/lib/x") }})
	if status, body, _ := get(t, s, "GET", "/x", ""); status != http.StatusInternalServerError || strings.Contains(body, "hunter2") {
		t.Errorf("%d %s", status, body)
	}
}

func TestReadJSON(t *testing.T) {
	for body, kind := range map[string]problem.Kind{
		`{"a":1}`: problem.Internal, `{"b":1}`: problem.Invalid, `{"a":1} x`: problem.Invalid, `{`: problem.Invalid,
		`{"a":"` + strings.Repeat("x", 2<<20) + `"}`: problem.TooLarge,
	} {
		var v struct {
			A any `json:"a"`
		}
		err := web.ReadJSON(httptest.NewRequest("POST", "/", strings.NewReader(body)), &v)
		if (err == nil) != (kind == problem.Internal) || err != nil && problem.KindOf(err) != kind {
			t.Errorf("%.20q: %v", body, err)
		}
	}
}

func TestLocalPath(t *testing.T) {
	for _, good := range []string{"/", "/open?to=t-x.localhost&bind=y", "/a/b"} {
		if got, err := web.LocalPath(good); err != nil || got != good {
			t.Errorf("%q: %q %v", good, got, err)
		}
	}
	for _, bad := range []string{"", "x", "//evil", `/\evil`, "/a b", "/\x00", "/#x", "http://evil/", "/" + strings.Repeat("a", 3000)} {
		if got, err := web.LocalPath(bad); err == nil {
			t.Errorf("%q passed as %q", bad, got)
		}
	}
}
