package grant_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// TestAskAndApprove follows a request to its end, at two replicas, over a restart.
func TestAskAndApprove(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		one, two := newReplica(t, db, "one"), newReplica(t, db, "two")
		q := one.ask(t)
		if q.State(time.Now()) != grant.Pending || one.may() {
			t.Fatalf("%+v", q)
		}
		if _, err := one.Ask(t.Context(), question(), event()); problem.KindOf(err) != problem.Conflict {
			t.Errorf("asked twice: %v", err)
		}
		follow := func() {
			if err := two.Follow(t.Context(), feed.Entry{Topic: feed.Grants, Keys: []string{string(q.ID)}, Seq: 9}); err != nil {
				t.Fatal(err)
			}
		}
		follow()
		a := by(barbara)
		a.For, a.Words = 3*time.Hour, "ok"
		if _, err := two.Approve(t.Context(), q.ID, a); problem.KindOf(err) != problem.Invalid {
			t.Errorf("lengthened: %v", err)
		}
		a.For = time.Hour
		done, err := two.Approve(t.Context(), q.ID, a)
		if err != nil || done.Given != time.Hour || done.By != barbara || done.Words != "ok" || !two.may() {
			t.Fatalf("%+v, %v, %v", done, err, two.may())
		}
		if _, err := one.Approve(t.Context(), q.ID, by(linus)); problem.KindOf(err) != problem.Conflict || !strings.Contains(problem.Message(err), "approved") {
			t.Errorf("approved at another replica, which had not heard of it: %v", err)
		}
		if !one.may() {
			t.Error("the replica that came too late does not know the grant")
		}
		three := newReplica(t, db, "three")
		if !three.may() {
			t.Error("forgotten at a restart")
		}
		three.now.Store(int64(61 * time.Minute))
		if three.may() {
			t.Error("it does not end by itself")
		}
	})
}

// TestTwoApproversAtOnce lets one win and tells the other.
func TestTwoApproversAtOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, db storetest.Database) {
		one, two := newReplica(t, db, "one"), newReplica(t, db, "two")
		q := one.ask(t)
		if err := two.Load(t.Context()); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Add(2)
		meet := func() { both.Done(); both.Wait() } // both have found it pending
		one.rows.before, two.rows.before = meet, meet
		errs := make([]error, 2)
		var wait sync.WaitGroup
		wait.Go(func() { _, errs[0] = one.Approve(t.Context(), q.ID, by(barbara)) })
		wait.Go(func() { _, errs[1] = two.Approve(t.Context(), q.ID, by(linus)) })
		wait.Wait()
		lost := errors.Join(errs...)
		if (errs[0] == nil) == (errs[1] == nil) || problem.KindOf(lost) != problem.Conflict {
			t.Fatalf("%v and %v", errs[0], errs[1])
		}
		if _, grants, err := one.rows.ReadGrants(t.Context(), []string{string(q.ID)}); err != nil || len(grants) != 1 {
			t.Errorf("%v, %v", grants, err)
		}
	})
}

// TestNobodyApprovesForThemselves holds in the store's own door, whatever stands before it allows.
func TestNobodyApprovesForThemselves(t *testing.T) {
	m := newReplica(t, storetest.SQLite(t), "one")
	q := m.ask(t)
	for name, who := range map[string]identity.UserID{"oneself": ada, "the operator": {}} {
		if _, err := m.Approve(t.Context(), q.ID, by(who)); problem.KindOf(err) != problem.Denied {
			t.Errorf("%s: %v", name, err)
		}
	}
	left := by(barbara)
	left.Check = func(grant.Request) error { return problem.New(problem.Denied, "not in the group any more") }
	if _, err := m.Approve(t.Context(), q.ID, left); problem.KindOf(err) != problem.Denied {
		t.Errorf("an approver who left the group: %v", err)
	}
	checks := 0
	left.Check = func(grant.Request) error { // while the store is waited for
		if checks++; checks > 1 {
			return problem.New(problem.Denied, "not in the group any more")
		}
		return nil
	}
	if _, err := m.Approve(t.Context(), q.ID, left); problem.KindOf(err) != problem.Denied {
		t.Errorf("an approver who left the group in between: %v", err)
	}
	if m.may() {
		t.Error("it was given")
	}
	if _, err := m.BreakGlass(t.Context(), grant.Emergency{User: ada, By: ada, Project: "p-1", Role: "maintainer", Why: "x", For: time.Hour}, event()); problem.KindOf(err) != problem.Denied {
		t.Errorf("the glass for oneself: %v", err)
	}
}

// TestRefuseWithdrawExpire end a request without a grant; what has ended does not come back.
func TestRefuseWithdrawExpire(t *testing.T) {
	m := newReplica(t, storetest.SQLite(t), "one")
	q := m.ask(t)
	if _, err := m.Refuse(t.Context(), q.ID, by(barbara)); problem.KindOf(err) != problem.Invalid {
		t.Errorf("refused without a word: %v", err)
	}
	no := by(barbara)
	no.Words = "not during the freeze"
	if done, err := m.Refuse(t.Context(), q.ID, no); err != nil || done.State(time.Now()) != grant.Refused {
		t.Fatalf("%+v, %v", done, err)
	}
	q = m.ask(t)
	if done, err := m.Withdraw(t.Context(), q.ID, by(ada)); err != nil || done.State(time.Now()) != grant.Withdrawn {
		t.Fatalf("%+v, %v", done, err)
	}
	if _, err := m.Approve(t.Context(), q.ID, by(barbara)); problem.KindOf(err) != problem.Conflict {
		t.Errorf("approved after it was withdrawn: %v", err)
	}
	q = m.ask(t)
	m.now.Store(int64(grant.PendingFor + time.Minute))
	if _, err := m.Approve(t.Context(), q.ID, by(barbara)); problem.KindOf(err) != problem.Conflict || !strings.Contains(problem.Message(err), "expired") {
		t.Errorf("approved after its time: %v", err)
	}
	if _, err := m.Ask(t.Context(), question(), event()); err != nil {
		t.Errorf("asked again after it expired: %v", err)
	}
}

// TestBounds holds what a person may write and want.
func TestBounds(t *testing.T) {
	m := newReplica(t, storetest.SQLite(t), "one")
	for name, change := range map[string]func(*grant.Request){
		"no reason":      func(q *grant.Request) { q.Why = " \t\x00\u202e" },
		"a long reason":  func(q *grant.Request) { q.Why = strings.Repeat("ö", 501) },
		"not UTF-8":      func(q *grant.Request) { q.Why = "a\xff" },
		"too long":       func(q *grant.Request) { q.For = 25 * time.Hour },
		"no time":        func(q *grant.Request) { q.For = 0 },
		"backwards":      func(q *grant.Request) { q.For = -time.Hour },
		"beyond numbers": func(q *grant.Request) { q.For = 1<<63 - 1 },
	} {
		q := question()
		change(&q)
		if _, err := m.Ask(t.Context(), q, event()); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	q := question()
	q.Why = "\x1b[2J hot\r\nfix \u202e\u200b✓ "
	got, err := m.Ask(t.Context(), q, event())
	if err != nil || got.Why != "[2J hot fix ✓" {
		t.Errorf("%q, %v", got.Why, err)
	}
	for n := range 19 {
		q.Resource.Name = "https://git.example.test/payments/" + string(rune('a'+n))
		if _, err := m.Ask(t.Context(), q, event()); err != nil {
			t.Fatal(err)
		}
	}
	q.Resource.Name += "more"
	if _, err := m.Ask(t.Context(), q, event()); problem.KindOf(err) != problem.Conflict {
		t.Errorf("a flood of requests: %v", err)
	}
	last := got
	for n := 0; ; n++ {
		if _, err := m.Withdraw(t.Context(), last.ID, by(ada)); err != nil {
			t.Fatal(err)
		}
		if last, err = m.Ask(t.Context(), q, event()); problem.KindOf(err) == problem.TooMany && err != nil {
			break
		} else if err != nil || n > 100 {
			t.Fatalf("asked and withdrawn %d times: %v", n, err)
		}
	}
}

// TestEventsAreStoredWithRows finds the audit events of everything that was stored.
func TestEventsAreStoredWithRows(t *testing.T) {
	db := storetest.SQLite(t)
	m := newReplica(t, db, "one")
	q := m.ask(t)
	if _, err := m.Approve(t.Context(), q.ID, by(barbara)); err != nil {
		t.Fatal(err)
	}
	m.Revoke(t.Context(), q.ID, "barbara ended it", event())
	if _, err := m.BreakGlass(t.Context(), grant.Emergency{User: ada, Project: "p-1", Role: "maintainer", Why: "outage", For: time.Hour}, event()); err != nil {
		t.Fatal(err)
	}
	if len(m.alarms) != 1 {
		t.Errorf("%d alarms", len(m.alarms))
	}
	leaves, err := db.Open(t, "reader").Leaves(t.Context(), -1, 100)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, leaf := range leaves {
		all = append(all, string(leaf.Body))
	}
	want := []string{`"grant:request"`, `"grant:approve"`, `"grant:revoke"`, `"grant:break-glass"`}
	if len(all) != len(want) || !strings.Contains(all[len(all)-1], string(audit.Alarm)) || !strings.Contains(all[len(all)-1], `"reasons":["outage"]`) {
		t.Fatalf("%q", all)
	}
	for i, one := range want {
		if !strings.Contains(all[i], one) {
			t.Errorf("event %d is %s, not %s", i, all[i], one)
		}
	}
}
