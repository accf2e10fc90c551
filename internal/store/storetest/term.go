package storetest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// termIsChecked lets who has lost a work write once more.
func termIsChecked(t *testing.T, db Database) {
	ctx := t.Context()
	one, two := db.Open(t, "one"), db.Open(t, "two")
	none, err := one.Term(ctx, "sync")
	if err != nil || none.Holder != "" {
		t.Fatalf("%+v, %v", none, err)
	}
	first, ok, err := one.TakeTerm(ctx, none, "one")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, err := two.TakeTerm(ctx, none, "two"); ok || err != nil {
		t.Errorf("a term was taken twice: %v, %v", ok, err)
	}
	if ok, err := one.BeatTerm(ctx, first); !ok || err != nil {
		t.Errorf("%v, %v", ok, err)
	}
	if _, ok, err := two.TakeTerm(ctx, first, "two"); ok || err != nil {
		t.Errorf("a term was taken although its holder had moved: %v, %v", ok, err)
	}
	fenced := one.Fenced(func() (feed.Term, bool) { return first, true })
	if _, err := fenced.Announce(ctx, entry(feed.Projects)); err != nil {
		t.Fatal(err)
	}
	head, err := one.FeedHead(ctx)
	if err != nil {
		t.Fatal(err)
	}
	seen, err := two.Term(ctx, "sync")
	if err != nil {
		t.Fatal(err)
	}
	if _, ok, err := two.TakeTerm(ctx, seen, "two"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	if _, err := fenced.Announce(ctx, entry(feed.Projects)); !errors.Is(err, feed.ErrFenced) {
		t.Errorf("who lost the work writes on: %v", err)
	}
	i := signIn(now())
	if _, err := fenced.SaveSignIn(ctx, i, []session.Session{below(i)}, entry(feed.Sessions)); !errors.Is(err, feed.ErrFenced) {
		t.Errorf("who lost the work writes on: %v", err)
	}
	if ok, err := one.BeatTerm(ctx, first); ok || err != nil {
		t.Errorf("a term that is over goes on: %v, %v", ok, err)
	}
	if now, err := two.FeedHead(ctx); err != nil || now != head {
		t.Errorf("a refused change left something: %d, %d, %v", now, head, err)
	}
	if ins, _, err := two.ReadSessions(ctx, []string{string(i.ID)}); err != nil || len(ins) != 0 {
		t.Errorf("a refused change left something: %v, %v", ins, err)
	}
}

// pruning removes what is old and nothing else, and leaves a follower that missed it a sign.
func pruning(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	old, young := signIn(now().Add(-100*time.Hour)), signIn(now())
	old.Expires, young.Expires = old.At.Add(12*time.Hour), young.At.Add(12*time.Hour)
	waiting := signIn(now().Add(-99 * time.Hour))
	waiting.Expires = waiting.At.Add(12 * time.Hour)
	ws := below(waiting)
	ws.Kind, ws.Workspace, ws.Expires = session.Workspace, "w-kept", time.Time{}
	lost := below(old)
	lost.Kind, lost.Workspace, lost.Expires = session.Workspace, "w-gone", time.Time{}
	for _, tree := range []struct {
		in    session.SignIn
		below session.Session
	}{{old, below(old)}, {old, lost}, {young, below(young)}, {waiting, ws}, {waiting, below(waiting)}} {
		if _, err := s.SaveSignIn(ctx, tree.in, []session.Session{tree.below}, entry(feed.Sessions)); err != nil {
			t.Fatal(err)
		}
	}
	w := workspace.Workspace{ID: "w-kept", Owner: userID(1), Desired: workspace.WantRunning, Phase: workspace.Running, Created: now(), Changed: now()}
	if _, err := s.SaveWorkspace(ctx, w, entry(feed.Workspace)); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Prune(ctx, time.Now().Add(time.Second), store.Retention{Feed: 0, Ended: 24 * time.Hour, Revisions: 10}); err != nil {
		t.Fatal(err)
	}
	ins, sessions, _, err := s.LoadSessions(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if len(ins) != 2 || len(sessions) != 2 {
		t.Errorf("%d sign-ins and %d sessions are left", len(ins), len(sessions))
	}
	entries, err := s.FeedAfter(ctx, 0, 100)
	if err != nil || len(entries) != 1 || entries[0].Seq != 6 {
		t.Errorf("the feed has %v, %v", entries, err)
	}
	follower := feed.NewFollower(feed.FollowerConfig{Source: s, Origin: "two",
		Handle: func(context.Context, feed.Entry) error { return nil },
		Reload: func(ctx context.Context) (feed.Seq, error) { return s.FeedHead(ctx) }})
	until, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = follower.Run(until, 2)
	}()
	for end := time.Now().Add(20 * time.Second); follower.Seq() != 6 && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	cancel()
	<-done
	if follower.Seq() != 6 {
		t.Errorf("a follower behind the retention stays at %d", follower.Seq())
	}
}

// replicasAreListed until they leave.
func replicasAreListed(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	for _, id := range []string{"one", "two", "one"} {
		if _, err := s.Beat(ctx, store.Replica{ID: id, Node: "n-" + id, Started: now(), Seen: now(), Reads: []string{"k"}, Seals: "k"}); err != nil {
			t.Fatal(err)
		}
	}
	all, err := s.Replicas(ctx)
	if err != nil || len(all) != 2 {
		t.Fatalf("%v, %v", all, err)
	}
	if err := s.Leave(ctx, "one"); err != nil {
		t.Fatal(err)
	}
	if err := s.LeaveNode(ctx, "n-two"); err != nil {
		t.Fatal(err)
	}
	if all, err := s.Replicas(ctx); err != nil || len(all) != 0 {
		t.Errorf("%v, %v", all, err)
	}
}
