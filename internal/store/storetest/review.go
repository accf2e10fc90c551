package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

func remembered(id string, at time.Time, ip, device string) review.Remembered {
	return review.Remembered{ID: id, Kind: review.SignIn, User: userID(1), Name: "Ada", At: at, Proved: at.Add(-time.Second), Strength: "1",
		Contexts: []string{"c1"}, Guest: true, IP: ip, Device: device, TenantSession: "sid-" + id, TokenID: "uti-" + id}
}

// reviewRoundTrip remembers sign-ins, keeps the tenant's log beside them, and joins both.
func reviewRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	start := now().Add(-time.Hour)
	for i, c := range []struct {
		ip, device    string
		place, gadget bool
	}{
		{"203.0.113.7", "Firefox on Linux", false, false}, // the first one is nothing to be told of
		{"203.0.113.99", "Firefox on Linux", false, false},
		{"198.51.100.1", "Firefox on Linux", true, false},
		{"198.51.100.1", "Edge on Windows", false, true},
	} {
		r := remembered(string(rune('a'+i)), start.Add(time.Duration(i)*time.Minute), c.ip, c.device)
		got, err := s.Remember(ctx, r)
		r.NewPlace, r.NewDevice = c.place, c.gadget
		if diff := cmp.Diff(r, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	stepUp := remembered("e", start.Add(5*time.Minute), "192.0.2.1", "another")
	stepUp.Kind, stepUp.Contexts = review.StepUp, nil
	arrived := stepUp
	arrived.Kind = review.Arrival
	if _, err := s.Remember(ctx, arrived); err != nil {
		t.Fatal(err)
	}
	if _, waiting, err := s.Unsettled(ctx, start, 10); err != nil || len(waiting) != 4 {
		t.Error("an arrival is waited for:", waiting, err)
	}
	if _, err := s.Remember(ctx, stepUp); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Remember(ctx, remembered("a", now(), "192.0.2.1", "replaced")); err != nil {
		t.Fatal(err)
	}
	all, err := other.RememberedSince(ctx, start, now())
	if err != nil || len(all) != 5 || all[4].Device != "Firefox on Linux" {
		t.Fatal(all, err)
	}
	if diff := cmp.Diff(stepUp, all[0]); diff != "" {
		t.Error(diff)
	}
	fresh, err := s.NewSignIns(ctx, userID(1), start)
	if err != nil || len(fresh) != 2 || fresh[0].ID != "d" || !fresh[0].New() {
		t.Fatal(fresh, err)
	}
	if found, err := s.KnowSignIn(ctx, userID(2), "d"); found || err != nil {
		t.Error("somebody else knew it", found, err)
	}
	if found, err := s.KnowSignIn(ctx, userID(1), "d"); !found || err != nil {
		t.Error(found, err)
	}
	if fresh, err = s.NewSignIns(ctx, userID(1), start); err != nil || len(fresh) != 1 || fresh[0].ID != "c" {
		t.Error(fresh, err)
	}
	if known, err := s.IsRemembered(ctx, []string{"a", "z", "e"}); err != nil || !cmp.Equal(known, map[string]bool{"a": true, "e": true}) {
		t.Error(known, err)
	}

	first := review.Logged{ID: "l1", At: start, User: userID(1), Name: "Ada", UserName: "ada", IP: "203.0.113.7", Place: "Lisbon, PT", Device: "Firefox", Strength: []string{"Mfa", "CompliantDevice"},
		Correlation: "a", TokenID: "x"}
	refused := review.Logged{ID: "l2", At: start, User: userID(1), Code: 53003, Failure: "blocked"}
	for range 2 { // it comes again at every reading
		if err := s.SaveLogged(ctx, []review.Logged{first, refused}); err != nil {
			t.Fatal(err)
		}
	}
	among, err := s.Candidates(ctx, first, time.Minute)
	if err != nil || len(among) != 2 { // under the correlation ID, and within a minute
		t.Fatal(among, err)
	}
	if among, err = s.Candidates(ctx, review.Logged{User: userID(9), TokenID: "uti-e", At: start}, time.Minute); err != nil || len(among) != 1 {
		t.Error(among, err)
	}
	open, waiting, err := s.Unsettled(ctx, start, 10)
	if err != nil || len(open) != 1 || len(waiting) != 5 || waiting[0].ID != "a" {
		t.Fatal(open, waiting, err)
	}
	if diff := cmp.Diff(first, open[0]); diff != "" {
		t.Error(diff)
	}
	first.Joined, first.JoinedBy = "a", review.ByCorrelation
	waiting[4].Flagged = now()
	waiting[3].LoggedBy = review.NotListed
	if err := s.Settle(ctx, []review.Logged{first}, waiting[3:]); err != nil {
		t.Fatal(err)
	}
	if err := s.SaveLogged(ctx, []review.Logged{{ID: "l1", At: start}}); err != nil { // what is joined stays joined
		t.Fatal(err)
	}
	if open, waiting, err = s.Unsettled(ctx, start, 10); err != nil || len(open) != 0 || len(waiting) != 2 || waiting[0].ID != "b" {
		t.Error(open, waiting, err)
	}
	if logged, found, err := s.SameSession(ctx, all[4]); logged != "l1" || !found || err != nil {
		t.Error(logged, found, err)
	}
	entries, err := other.LoggedSince(ctx, start, now())
	if diff := cmp.Diff([]review.Logged{first, refused}, entries); diff != "" || err != nil {
		t.Error(diff, err)
	}

	if state, err := s.ReviewState(ctx); err != nil || state != (review.State{Position: -1}) {
		t.Error(state, err)
	}
	use := review.Use{Kind: review.OfGroup, Project: "payments", Role: "developer", ID: "g", Last: start, Times: 2}
	if err := s.CountUses(ctx, []review.Use{use}, start, 7); err != nil {
		t.Fatal(err)
	}
	use.Last = start.Add(-time.Hour) // later in the log and earlier in time
	if err := s.CountUses(ctx, []review.Use{use}, time.Time{}, 9); err != nil {
		t.Fatal(err)
	}
	if err := s.NoteLog(ctx, start, now(), "it is not allowed"); err != nil {
		t.Fatal(err)
	}
	state, err := other.ReviewState(ctx)
	if err != nil || state.Position != 9 || !state.UsesFrom.Equal(start) || !state.LogFrom.Equal(start) || state.Problem != "it is not allowed" {
		t.Error(state, err)
	}
	use.Last, use.Times = start, 4
	if uses, err := s.UsesSince(ctx, start); err != nil || !cmp.Equal(uses, []review.Use{use}) {
		t.Error(uses, err)
	}
	g := grant.Grant{ID: "g-1", Kind: grant.BreakGlass, User: userID(1), From: start, Until: start.Add(time.Hour), Ended: start.Add(time.Minute), EndedWhy: "done", Allowed: []grant.Allowed{}}
	if _, err := s.SaveGrants(ctx, []grant.Grant{g}, entry(feed.Grants, "g-1")); err != nil {
		t.Fatal(err)
	}
	if list, err := s.GrantsSince(ctx, start); err != nil || len(list) != 1 || list[0].ID != "g-1" {
		t.Error(list, err)
	}
	if list, err := s.GrantsSince(ctx, start.Add(2*time.Minute)); err != nil || len(list) != 0 {
		t.Error("a grant that had ended before:", list, err)
	}

	if err := s.ForgetSignInsOf(ctx, userID(2).Object); err != nil {
		t.Fatal(err)
	}
	if err := s.ForgetReviewed(ctx, start.Add(90*time.Second)); err != nil {
		t.Fatal(err)
	}
	if all, err = s.RememberedSince(ctx, time.Time{}, now()); err != nil || len(all) != 3 {
		t.Error(all, err)
	}
	if err := s.ForgetSignInsOf(ctx, userID(1).Object); err != nil {
		t.Fatal(err)
	}
	if all, err = s.RememberedSince(ctx, time.Time{}, now()); err != nil || len(all) != 0 {
		t.Error(all, err)
	}
}
