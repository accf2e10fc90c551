package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// auditRows moves events from pending to the log, with checked terms.
func auditRows(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	if err := s.InsertEvents(ctx, []audit.Event{{Action: "a"}, {Action: "b"}, {Action: "c"}}); err != nil {
		t.Fatal(err)
	}
	pending, err := s.PendingEvents(ctx, 2)
	if err != nil || len(pending) != 2 || pending[0].Num >= pending[1].Num {
		t.Fatalf("%v, %v", pending, err)
	}
	term, err := s.AuditTerm(ctx)
	if err != nil || term.Holder != "" {
		t.Fatalf("%v, %v", term, err)
	}
	mine, ok, err := s.TakeAuditTerm(ctx, term.Number, "one")
	if err != nil || !ok {
		t.Fatal(ok, err)
	}
	if _, ok, err := s.TakeAuditTerm(ctx, term.Number, "two"); ok || err != nil {
		t.Errorf("taken by who had not seen the term: %v, %v", ok, err)
	}
	at := now()
	batch := audit.Batch{Term: mine.Number, FirstPending: pending[0].Num, LastPending: pending[1].Num,
		Leaves: []audit.Leaf{{Seq: 0, At: at, Action: "a", Person: "ada", Workspace: "w-1", Body: []byte("zero")},
			{Seq: 1, At: at.Add(time.Second), Action: "b", Person: "ada", Body: []byte("one")}},
		Hashes:     []audit.StoredHash{{Index: 0, Hash: tlog.Hash{1}}, {Index: 1, Hash: tlog.Hash{2}}, {Index: 2, Hash: tlog.Hash{3}}},
		Checkpoint: audit.StoredCheckpoint{Size: 2, Note: []byte("note")}}
	fenced := batch
	fenced.Term--
	if err := s.AppendLeaves(ctx, fenced); !errors.Is(err, audit.ErrFenced) {
		t.Errorf("with an old term: %v", err)
	}
	if err := s.AppendLeaves(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendLeaves(ctx, batch); !errors.Is(err, audit.ErrFenced) {
		t.Errorf("the same events again: %v", err)
	}
	if pending, err = s.PendingEvents(ctx, 9); err != nil || len(pending) != 1 {
		t.Errorf("still pending: %v, %v", pending, err)
	}
	leaves, err := s.Leaves(ctx, -1, 9)
	if diff := cmp.Diff(batch.Leaves, leaves); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	hashes, err := s.TreeHashes(ctx, 1, 9)
	if diff := cmp.Diff(batch.Hashes[1:], hashes); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if hashes, err = s.TreeHashesAt(ctx, []int64{2, 77}); err != nil || len(hashes) != 1 || hashes[0].Index != 2 {
		t.Errorf("%v, %v", hashes, err)
	}
	last, err := s.LastCheckpoint(ctx)
	if diff := cmp.Diff(batch.Checkpoint, last); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	for _, c := range []struct {
		filter audit.Filter
		want   int
	}{
		{audit.Filter{After: -1, Limit: 9}, 2},
		{audit.Filter{After: 0, Limit: 9}, 1},
		{audit.Filter{After: -1, Limit: 9, Person: "ada", Action: "b"}, 1},
		{audit.Filter{After: -1, Limit: 9, Workspace: "w-1"}, 1},
		{audit.Filter{After: -1, Limit: 9, Since: at.Add(time.Millisecond)}, 1},
		{audit.Filter{After: -1, Limit: 9, Person: "' OR 1=1 --"}, 0},
	} {
		if got, err := s.SearchLeaves(ctx, c.filter); err != nil || len(got) != c.want {
			t.Errorf("%+v: %v, %v", c.filter, got, err)
		}
	}
	if got, err := s.SearchLeaves(ctx, audit.Filter{After: -1, Limit: 1, Newest: true}); err != nil || len(got) != 1 || got[0].Seq != 1 {
		t.Errorf("newest: %v, %v", got, err)
	}
}

// auditOrder holds up a transaction that has numbered an event: a later one waits, so that what is read in between is
// the beginning of what is read afterwards.
func auditOrder(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	tx, err := db.Raw(t).Begin()
	if err != nil {
		t.Fatal(err)
	}
	defer tx.Rollback()
	var num int64
	if err := tx.QueryRow(`UPDATE audit_pending_head SET num = num + 1 WHERE id = 1 RETURNING num`).Scan(&num); err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec(`INSERT INTO audit_pending (num, body) VALUES ($1, $2)`, num, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	second := later(func() (feed.Seq, error) { return 0, s.InsertEvents(ctx, []audit.Event{{Action: "second"}}) })
	mustWait(t, db, second, "audit_pending_head")
	if pending, err := s.PendingEvents(ctx, 9); err != nil || len(pending) != 0 {
		t.Errorf("in between: %v, %v", pending, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, second)
	if pending, err := s.PendingEvents(ctx, 9); err != nil || len(pending) != 2 || pending[0].Num != num || string(pending[0].Body) != "{}" {
		t.Errorf("afterwards: %v, %v", pending, err)
	}
}
