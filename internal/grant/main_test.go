package grant_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("database/sql.(*DB).connectionOpener"))
}

const tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

func userN(n int) identity.UserID {
	return identity.UserID{Tenant: tenant, Object: fmt.Sprintf("00000000-0000-4000-8000-%012d", n)}
}

var (
	ada, barbara, linus = userN(1), userN(2), userN(3)
	leads               = identity.GroupID{Tenant: tenant, Object: "00000000-0000-4000-9000-000000000001"}
	repo                = identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: "p-1"}
)

// onBoth runs a test on SQLite and on PostgreSQL.
func onBoth(t *testing.T, test func(*testing.T, storetest.Database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, storetest.SQLite(t)) })
	t.Run("PostgreSQL", func(t *testing.T) { test(t, storetest.OnPostgreSQL(t)) })
}

// rows is a store whose writing can be made to fail or to wait.
type rows struct {
	grant.Rows
	down   atomic.Bool
	before func() // called before a decision is stored
	after  func() // called when it is
}

var errDown = errors.New("the database is down")

func (r *rows) SaveGrants(ctx context.Context, list []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	if r.down.Load() {
		return 0, errDown
	}
	return r.Rows.SaveGrants(ctx, list, e, events...)
}

func (r *rows) SaveRequest(ctx context.Context, q grant.Request, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	if r.down.Load() {
		return 0, errDown
	}
	return r.Rows.SaveRequest(ctx, q, e, events...)
}

func (r *rows) DecideRequest(ctx context.Context, q grant.Request, g []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	if r.down.Load() {
		return 0, errDown
	}
	if r.before != nil {
		r.before()
	}
	seq, err := r.Rows.DecideRequest(ctx, q, g, e, events...)
	if r.after != nil {
		r.after()
	}
	return seq, err
}

// replica is a manager on a database, with what it published.
type replica struct {
	*grant.Manager
	rows *rows
	now  atomic.Int64 // what is added to the clock, in nanoseconds

	mu      sync.Mutex
	shown   *grant.Set
	touched []identity.UserID
	alarms  []grant.Grant
}

func newReplica(t *testing.T, db storetest.Database, name string) *replica {
	r := &replica{rows: &rows{Rows: db.Open(t, name)}}
	r.Manager = grant.NewManager(grant.Config{
		Rows: r.rows, Log: slog.New(slog.DiscardHandler),
		Publish: func(s *grant.Set, users []identity.UserID, _ feed.Seq) {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.shown, r.touched = s, users
		},
		Alarm: func(g grant.Grant) { r.alarms = append(r.alarms, g) },
		Now:   func() time.Time { return time.Now().Add(time.Duration(r.now.Load())) },
	})
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return r
}

func (r *replica) ask(t *testing.T) grant.Request {
	t.Helper()
	q, err := r.Ask(t.Context(), question(), event())
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func question() grant.Request {
	return grant.Request{User: ada, Action: identity.RepoWrite, Resource: repo, Approvers: leads, Why: "hotfix", For: 2 * time.Hour}
}

func event() audit.Event { return audit.Event{Time: time.Now()} }

func anybody(grant.Request) error { return nil }

func by(u identity.UserID) grant.Answer { return grant.Answer{By: u, Check: anybody, Event: event()} }

// may reports whether the published facts let ada write.
func (r *replica) may() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, ok := r.shown.Of(ada).Approved(identity.RepoWrite, repo, leads, time.Now().Add(time.Duration(r.now.Load())))
	return ok
}
