package storetest

import (
	"bytes"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

func request(user int) grant.Request {
	return grant.Request{
		ID: identity.NewGrantID(), User: userID(user), Action: identity.RepoWrite,
		Resource:  identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: "p-1", Owner: userID(9)},
		Approvers: groupID(1), Why: "release ✓", For: 2 * time.Hour, Asked: now(), Expires: now().Add(time.Hour), Decision: grant.Pending,
	}
}

func grantOf(q grant.Request) grant.Grant {
	return grant.Grant{
		ID: q.ID, Kind: grant.Approval, User: q.User, Group: q.Approvers, Why: q.Why, By: userID(2), From: now(), Until: now().Add(time.Hour),
		Allowed: []grant.Allowed{{Action: q.Action, Kind: q.Resource.Kind, Name: q.Resource.Name, Project: q.Resource.Project}},
	}
}

// grantsRoundTrip stores, decides, ends and reads requests and grants.
func grantsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	q, other, old := request(1), request(3), request(4)
	old.Asked, old.Expires = now().Add(-48*time.Hour), now().Add(-24*time.Hour)
	for _, one := range []grant.Request{q, other, old} {
		if _, err := s.SaveRequest(ctx, one, entry(feed.Grants, string(one.ID)), audit.Event{Time: now(), Action: "grant:request"}); err != nil {
			t.Fatal(err)
		}
	}
	g := grantOf(q)
	q.Decision, q.By, q.Decided, q.Words, q.Given = grant.Approved, userID(2), now(), "do", time.Hour
	if _, err := s.DecideRequest(ctx, q, []grant.Grant{g}, entry(feed.Grants, string(q.ID))); err != nil {
		t.Fatal(err)
	}
	part := grant.Grant{ID: identity.NewGrantID(), Kind: grant.Delegation, User: userID(1), Agent: "helper", Session: "s-1", By: userID(1), From: now(),
		Until: now().Add(time.Hour), Allowed: []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Project: "p-1"}, g.Allowed[0]}}
	broken := grant.Grant{ID: identity.NewGrantID(), Kind: grant.BreakGlass, User: userID(5), Project: "p-1", Role: "maintainer", Why: "outage",
		From: now(), Until: now().Add(time.Hour)}
	over := grant.Grant{ID: identity.NewGrantID(), Kind: grant.BreakGlass, User: userID(5), Project: "p-1", Role: "viewer", From: now().Add(-48 * time.Hour),
		Until: now().Add(-47 * time.Hour)}
	if _, err := s.SaveGrants(ctx, []grant.Grant{part, broken, over}, entry(feed.Grants)); err != nil {
		t.Fatal(err)
	}
	key := func(g grant.Grant) string { return string(g.ID) }
	requestKey := func(q grant.Request) string { return string(q.ID) }
	requests, list, seq, err := s.LoadGrants(ctx, now().Add(-24*time.Hour))
	if err != nil || seq != 5 {
		t.Fatalf("number %d, %v", seq, err)
	}
	if diff := cmp.Diff(sorted([]grant.Request{q, other}, requestKey), sorted(requests, requestKey)); diff != "" {
		t.Errorf("requests: %s", diff)
	}
	if diff := cmp.Diff(sorted([]grant.Grant{g, part, broken}, key), sorted(list, key)); diff != "" {
		t.Errorf("grants: %s", diff)
	}
	ended := g
	ended.Ended, ended.EndedWhy = now(), "revoked"
	if _, err := s.SaveGrants(ctx, []grant.Grant{ended}, entry(feed.Grants)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SaveGrants(ctx, []grant.Grant{g}, entry(feed.Grants)); err != nil { // by who does not know of the end
		t.Fatal(err)
	}
	if _, list, err = s.ReadGrants(ctx, []string{string(g.ID), "g-unknown"}); err != nil || len(list) != 1 || !cmp.Equal(list[0], ended) {
		t.Errorf("read %+v, %v", list, err)
	}
	if _, list, _, err = s.LoadGrants(ctx, now()); err != nil || len(list) != 2 {
		t.Errorf("an ended grant is loaded: %+v, %v", list, err)
	}
	if err := s.ForgetGrants(ctx, now().Add(-12*time.Hour)); err != nil {
		t.Fatal(err)
	}
	requests, list, err = s.ReadGrants(ctx, []string{string(q.ID), string(other.ID), string(old.ID), string(over.ID), string(part.ID)})
	if err != nil || len(requests) != 2 || len(list) != 2 {
		t.Errorf("left are %+v, %+v, %v", requests, list, err)
	}
}

// restoredGrantsEnd brings no grant back that may have been revoked since the backup, and no question that may have been
// refused.
func restoredGrantsEnd(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	q := request(1)
	if _, err := s.SaveRequest(ctx, q, entry(feed.Grants)); err != nil {
		t.Fatal(err)
	}
	g := grantOf(request(2))
	if _, err := s.SaveGrants(ctx, []grant.Grant{g}, entry(feed.Grants)); err != nil {
		t.Fatal(err)
	}
	var backup bytes.Buffer
	if _, err := s.Backup(ctx, &backup); err != nil {
		t.Fatal(err)
	}
	into := fresh(t, db).Open(t, "two")
	if _, err := into.Restore(ctx, &backup, audit.Event{Time: now(), Action: "restore"}); err != nil {
		t.Fatal(err)
	}
	requests, grants, err := into.ReadGrants(ctx, []string{string(q.ID), string(g.ID)})
	if err != nil || len(requests) != 1 || requests[0].Decision != grant.Withdrawn || len(grants) != 1 || grants[0].EndedWhy != store.RestoredWhy {
		t.Errorf("%+v, %+v, %v", requests, grants, err)
	}
}

// oneDecides has many processes decide one request at once: one of them does, with its grant and its event.
func oneDecides(t *testing.T, db Database) {
	ctx := t.Context()
	q := request(1)
	if _, err := db.Open(t, "asker").SaveRequest(ctx, q, entry(feed.Grants)); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int64
	var all sync.WaitGroup
	for n := range 4 {
		s := db.Open(t, string(rune('a'+n)))
		all.Go(func() {
			mine := q
			mine.Decision, mine.By, mine.Decided, mine.Given = grant.Approved, userID(10+n), now(), time.Hour
			given := grantOf(q)
			given.By = mine.By
			switch _, err := s.DecideRequest(ctx, mine, []grant.Grant{given}, entry(feed.Grants)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, grant.ErrDecided):
				t.Errorf("decide: %v", err)
			}
		})
	}
	all.Wait()
	requests, grants, err := db.Open(t, "reader").ReadGrants(ctx, []string{string(q.ID)})
	if err != nil || won.Load() != 1 || len(requests) != 1 || len(grants) != 1 || requests[0].By != grants[0].By {
		t.Errorf("%d decided; %+v, %+v, %v", won.Load(), requests, grants, err)
	}
}
