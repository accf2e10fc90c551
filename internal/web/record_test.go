package web_test

import (
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/observe"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// kept keeps the records of requests.
type kept chan observe.Request

func (kept) Begin(q *observe.Request, _ *http.Request) { q.ID = "r-1" }
func (k kept) End(q *observe.Request)                  { k <- *q }

// Every request is counted once and has one record, however it ends.
func TestEveryRequestIsCountedAndRecorded(t *testing.T) {
	e := engine(t, &log{})
	records := make(kept, 1)
	meter := &observe.Site{}
	needs := func(path string, a identity.Action, serve web.Handler) web.Route {
		return web.Route{Method: "GET", Path: path, Access: web.Needs(a), On: own, Serve: serve}
	}
	site := web.Site{
		Name: "test",
		Identify: func(r *http.Request) (identity.Principal, error) {
			if r.Header.Get("X-Nobody") != "" {
				return identity.Principal{}, nil
			}
			return identity.Principal{Kind: identity.Person, User: ada, Session: "s-a"}, nil
		},
		Routes: []web.Route{
			needs("/fine", identity.SelfView, func(w http.ResponseWriter, _ *http.Request) error {
				_, err := io.WriteString(w, "hello")
				return err
			}),
			{Method: "GET", Path: "/refused", Access: web.Needs(identity.AuditRead), Serve: func(http.ResponseWriter, *http.Request) error { return nil }},
			needs("/wrong", identity.SelfView, func(http.ResponseWriter, *http.Request) error { return problem.New(problem.Invalid, "no") }),
			needs("/failing", identity.SelfView, func(http.ResponseWriter, *http.Request) error { return errors.New("ours") }),
			needs("/broken", identity.SelfView, func(w http.ResponseWriter, _ *http.Request) error {
				_, _ = io.WriteString(w, "half")
				return errors.New("the upstream is gone")
			}),
			needs("/cut", identity.SelfView, func(_ http.ResponseWriter, r *http.Request) error {
				e.Revoke(web.LeaseFrom(r.Context()).ID, access.Reason{Code: access.Revoked, Text: "it was revoked"})
				return nil
			}),
		},
	}
	h, err := site.Handler(web.Config{Access: e, Log: slog.New(slog.DiscardHandler), Meter: func(string) *observe.Site { return meter }, Sink: records})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]observe.Outcome{
		"/fine?secret=1": observe.OK, "/refused": observe.Denied, "/wrong": observe.ClientError, "/failing": observe.ServerError,
		"/broken": observe.Broken, "/cut": observe.Cut, "/nowhere": observe.ClientError, "/fine?nobody": observe.SignIn,
	} {
		before := meter.Requests(want)
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if r.URL.RawQuery == "nobody" {
			r.Header.Set("X-Nobody", "1")
		}
		w := httptest.NewRecorder()
		func() {
			defer func() {
				if p := recover(); (p != nil) != (want == observe.Broken) {
					t.Errorf("%s: it panicked with %v", path, p)
				}
			}()
			h.ServeHTTP(w, r)
		}()
		got := <-records
		if got.Outcome != want || meter.Requests(want) != before+1 {
			t.Errorf("%s: %s, want %s, counted %d times", path, got.Outcome, want, meter.Requests(want)-before)
		}
		if got.Path != r.URL.Path || got.Site != "test" || w.Header().Get(observe.RequestHeader) != "r-1" {
			t.Errorf("%s: %+v", path, got)
		}
		if want == observe.OK && (got.User != ada.String() || got.Session != "s-a" || got.Action != string(identity.SelfView) || got.Status != 200 || got.Bytes != 5 || got.Effect != "allow") {
			t.Errorf("%s: %+v", path, got)
		}
		if want == observe.Denied && (got.Action != string(identity.AuditRead) || got.Code == "" || got.Status < 400) {
			t.Errorf("%s: %+v", path, got)
		}
	}
}
