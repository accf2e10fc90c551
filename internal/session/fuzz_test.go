package session_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
)

// Only the very cookie that was set identifies anybody, and only alone.
func FuzzCookie(f *testing.F) {
	rows, err := store.Open(f.Context(), store.Config{SQLite: filepath.Join(f.TempDir(), "lanyard.db"), Origin: "test", Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { rows.Close() })
	m := session.NewManager(session.Config{
		Rows: rows, Publish: func(*session.Set, []identity.UserID, feed.Seq) {}, Idle: time.Hour, Lifetime: 12 * time.Hour, Log: slog.New(slog.DiscardHandler),
		Now: time.Now,
	})
	_, cookie, err := m.Begin(context.Background(), session.SignIn{User: ada, Name: "Ada", At: time.Now()}, site, audit.Event{Action: "signin"})
	if err != nil {
		f.Fatal(err)
	}
	door := session.Identifier{Sessions: m}
	// Inputs are kept from run to run, and secrets are not: <secret> stands for the cookie.
	for _, s := range []string{
		session.CookieName + "=<secret>", session.CookieName + "=<secret>; " + session.CookieName + "=<secret>", session.CookieName + "=", "a=b; " + session.CookieName + `="<secret>"`,
		strings.ToLower(session.CookieName) + "=<secret>", session.CookieName + "=<secret>\n", ";;=;", session.CookieName + "=<secret>x",
	} {
		f.Add(s, "")
		f.Add("x=y", s)
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		one, two = strings.ReplaceAll(one, "<secret>", cookie), strings.ReplaceAll(two, "<secret>", cookie)
		r.Header["Cookie"] = []string{one, two}
		p, err := door.Cookie(r, site)
		if p.Kind == identity.Anonymous {
			return
		}
		if err != nil || strings.Count(one+";"+two, cookie) == 0 || len(r.CookiesNamed(session.CookieName)) != 1 {
			t.Fatalf("%q %q is %+v (%v)", one, two, p, err)
		}
	})
}
