package grant_test

import (
	"context"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

func given(t *testing.T, m *replica) identity.GrantID {
	t.Helper()
	q := m.ask(t)
	if _, err := m.Approve(t.Context(), q.ID, by(barbara)); err != nil || !m.may() {
		t.Fatal(err)
	}
	return q.ID
}

// TestAttack18RevokeWithTheDatabaseDown ends the grant here at once, gives nothing meanwhile, and writes the end later. What is
// read in between does not revive it.
func TestAttack18RevokeWithTheDatabaseDown(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		m := newReplica(t, db, "one")
		id := given(t, m)
		m.rows.down.Store(true)
		done := m.Revoke(t.Context(), id, "revoked", event())
		if done.Grants != 1 || !done.Unrecorded || m.may() {
			t.Fatalf("%+v, %v", done, m.may())
		}
		if len(m.touched) != 1 || m.touched[0] != ada {
			t.Errorf("touched %v", m.touched)
		}
		if _, err := m.Ask(t.Context(), question(), event()); problem.KindOf(err) != problem.Unavailable {
			t.Errorf("asked: %v", err)
		}
		for _, again := range []func(context.Context) error{
			func(ctx context.Context) error { return m.Follow(ctx, feed.Entry{Keys: []string{string(id)}}) }, m.Load,
		} {
			if err := again(t.Context()); err != nil || m.may() {
				t.Fatalf("revived: %v, %v", m.may(), err)
			}
		}
		ctx, stop := context.WithCancel(t.Context())
		ran := make(chan struct{})
		go func() { defer close(ran); m.Run(ctx) }()
		m.rows.down.Store(false)
		stop() // what is left is written on the way down
		<-ran
		if newReplica(t, db, "two").may() {
			t.Error("the end was not recorded")
		}
	})
}

// TestKilledBetweenStoringAndPublishing stops at the worst moment: what the store took is there after a restart, with
// its request decided, and what it did not take is not.
func TestKilledBetweenStoringAndPublishing(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		m := newReplica(t, db, "one")
		q := m.ask(t)
		type killed struct{}
		die := func() { panic(killed{}) }
		try := func(before, after func()) {
			m.rows.before, m.rows.after = before, after
			defer func() {
				if v := recover(); v != (killed{}) {
					t.Fatalf("not killed: %v", v)
				}
			}()
			_, _ = m.Approve(t.Context(), q.ID, by(barbara))
		}
		try(die, nil)
		if next := newReplica(t, db, "two"); next.may() {
			t.Error("given without being stored")
		}
		try(nil, die)
		next := newReplica(t, db, "three")
		if got, ok := next.Request(q.ID); !ok || got.Decision != grant.Approved || !next.may() {
			t.Errorf("after a restart: %+v, %v", got, next.may())
		}
	})
}

// TestLoadEndsWhatWasEndedElsewhere loads again at a replica that missed the entry of an ending.
func TestLoadEndsWhatWasEndedElsewhere(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		one := newReplica(t, db, "one")
		id := given(t, one)
		two := newReplica(t, db, "two")
		two.Revoke(t.Context(), id, "ended elsewhere", event())
		if !one.may() {
			t.Fatal("one heard of it")
		}
		if err := one.Load(t.Context()); err != nil || one.may() {
			t.Errorf("it holds still: %v", err)
		}
		if was, ok := one.Set().Ended(id); !ok || was.EndedWhy != "ended elsewhere" {
			t.Errorf("why: %+v", was)
		}
	})
}

// TestLeavingEndsAll ends everything a person holds.
func TestLeavingEndsAll(t *testing.T) {
	m := newReplica(t, storetest.SQLite(t), "one")
	given(t, m)
	if _, err := m.BreakGlass(t.Context(), grant.Emergency{User: ada, Project: "p-1", Role: "viewer", Why: "outage", For: time.Hour}, event()); err != nil {
		t.Fatal(err)
	}
	if done := m.RevokeAll(t.Context(), ada, "disabled", event()); done.Grants != 2 || len(m.Set().Every()) != 0 {
		t.Errorf("%+v", done)
	}
	if done := m.RevokeAll(t.Context(), ada, "disabled", event()); done.Grants != 0 {
		t.Errorf("ended twice: %+v", done)
	}
}

// TestDelegate holds what a delegation may be.
func TestDelegate(t *testing.T) {
	m := newReplica(t, storetest.SQLite(t), "one")
	part := func() grant.Part {
		return grant.Part{User: ada, Session: "s-1", Ends: time.Now().Add(10 * time.Minute), Agent: "helper", For: time.Hour,
			Allowed: []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Name: repo.Name, Project: repo.Project}}}
	}
	for name, change := range map[string]func(*grant.Part){
		"a bad name":   func(p *grant.Part) { p.Agent = "Help er\x1b" },
		"no name":      func(p *grant.Part) { p.Agent = "" },
		"nothing":      func(p *grant.Part) { p.Allowed = nil },
		"too long":     func(p *grant.Part) { p.For = 48 * time.Hour },
		"much":         func(p *grant.Part) { p.Allowed = make([]grant.Allowed, 51) },
		"a line break": func(p *grant.Part) { p.Agent = "helper\n" },
	} {
		p := part()
		change(&p)
		if _, err := m.Delegate(t.Context(), p, event()); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := part()
	g, err := m.Delegate(t.Context(), p, event())
	if err != nil || g.Until.After(p.Ends) {
		t.Fatalf("it outlives its session: %+v, %v", g, err)
	}
	now := time.Now()
	if !g.Delegated(identity.RepoRead, repo, now) || g.Delegated(identity.RepoWrite, repo, now) || g.Delegated(identity.RepoRead, repo, p.Ends) {
		t.Error("it covers something else")
	}
}
