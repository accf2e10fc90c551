package storetest

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// Records makes the records of events.
func Records(t testing.TB, events ...audit.Event) []audit.Record {
	t.Helper()
	records, err := audit.EncodeAll(events)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// auditRows numbers events and stores their tree, with checked terms.
func auditRows(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	ada := audit.PersonOf(identity.UserID{Tenant: "contoso", Object: "ada"}, "Ada")
	if err := s.InsertRecords(ctx, Records(t, audit.Event{Action: "a", User: ada}, audit.Event{Action: "b"}, audit.Event{Action: "c"})); err != nil {
		t.Fatal(err)
	}
	leaves, err := s.Leaves(ctx, -1, 2)
	if err != nil || len(leaves) != 2 || leaves[0].Seq != 0 || leaves[1].Seq != 1 || leaves[0].Erased != -1 || leaves[1].Clear != nil {
		t.Fatalf("%v, %v", leaves, err)
	}
	if e, err := leaves[0].Event(); err != nil || e.User == nil || e.User.Name != "Ada" || e.Seq != 0 {
		t.Errorf("%v, %v", e, err)
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
	// More hashes than one row holds.
	batch := audit.Batch{Term: mine.Number, Checkpoint: audit.StoredCheckpoint{Size: 2, Note: []byte("note")}}
	for i := range int64(600) {
		batch.Hashes = append(batch.Hashes, audit.StoredHash{Index: i, Hash: tlog.RecordHash(fmt.Append(nil, i))})
	}
	stale := batch
	stale.Term--
	if err := s.AppendTree(ctx, stale); !errors.Is(err, audit.ErrFenced) {
		t.Errorf("with an old term: %v", err)
	}
	if err := s.AppendTree(ctx, batch); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendTree(ctx, batch); !errors.Is(err, audit.ErrFenced) {
		t.Errorf("the same hashes again: %v", err)
	}
	hashes, err := s.TreeHashes(ctx, 300, 9)
	if diff := cmp.Diff(batch.Hashes[300:], hashes); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	hashes, err = s.TreeHashesAt(ctx, []int64{255, 256, 599, 600})
	if diff := cmp.Diff([]audit.StoredHash{batch.Hashes[255], batch.Hashes[256], batch.Hashes[599]}, hashes); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	last, err := s.LastCheckpoint(ctx)
	if diff := cmp.Diff(batch.Checkpoint, last); diff != "" || err != nil {
		t.Errorf("%v %s", err, diff)
	}
	if c, err := s.CheckpointOf(ctx, 1); err != nil || c.Size != 0 {
		t.Errorf("%v, %v", c, err)
	}
	sizes, err := s.Sizes(ctx)
	if want := (audit.Sizes{Given: 3, Last: 2, Signed: 2}); err != nil || sizes != want {
		t.Errorf("%+v, %v", sizes, err)
	}
}

// auditIndex files events and finds them by every field, in both directions.
func auditIndex(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	at := now()
	var events []audit.Event
	for n := range 6 {
		events = append(events, audit.Event{Action: "a", Detail: map[string]any{"n": n}})
	}
	if err := s.InsertRecords(ctx, Records(t, events...)); err != nil {
		t.Fatal(err)
	}
	row := func(seq int64, minutes int, action, person int64) audit.IndexRow {
		return audit.IndexRow{Seq: seq, At: at.Add(time.Duration(minutes) * time.Minute), Action: action, Outcome: 1, Person: person, Project: 7}
	}
	rows := []audit.IndexRow{row(0, 0, 1, 5), row(1, 2, 2, 5), row(2, 1, 1, 0), row(3, 3, 1, 5), row(4, 3, 2, 6)}
	if err := s.AppendIndex(ctx, 0, rows); err != nil {
		t.Fatal(err)
	}
	if err := s.AppendIndex(ctx, 0, rows); !errors.Is(err, audit.ErrFenced) {
		t.Errorf("the same rows again: %v", err)
	}
	if got, err := s.IndexRows(ctx, 1, 9); err != nil || len(got) != 3 || got[0] != rows[2] {
		t.Errorf("%+v, %v", got, err)
	}
	for _, c := range []struct {
		terms audit.Terms
		want  string
	}{
		{audit.Terms{}, "[0 2 1 3 4]"},
		{audit.Terms{Down: true}, "[4 3 1 2 0]"},
		{audit.Terms{Down: true, Limit: 2}, "[4 3]"},
		{audit.Terms{Person: 5}, "[0 1 3]"},
		{audit.Terms{Person: 5, Action: 1, Outcome: 1, Project: 7}, "[0 3]"},
		{audit.Terms{Action: 1, Since: at.Add(time.Minute), Until: at.Add(3 * time.Minute)}, "[2]"},
		{audit.Terms{From: &audit.Mark{At: at.Add(3 * time.Minute), Seq: 3}}, "[4]"},
		{audit.Terms{Down: true, From: &audit.Mark{At: at.Add(3 * time.Minute), Seq: 3}}, "[1 2 0]"},
		{audit.Terms{Session: 1}, "[]"}, {audit.Terms{Workspace: 1}, "[]"}, {audit.Terms{Resource: 1}, "[]"},
	} {
		if c.terms.Limit == 0 {
			c.terms.Limit = 9
		}
		found, err := s.FindLeaves(ctx, c.terms)
		got := []int64{}
		for _, l := range found {
			got = append(got, l.Seq)
		}
		if err != nil || fmt.Sprint(got) != c.want {
			t.Errorf("%+v: %v, %v", c.terms, got, err)
		}
	}
	if seq, err := s.FirstSince(ctx, at.Add(time.Minute)); err != nil || seq != 2 {
		t.Errorf("%d, %v", seq, err)
	}
	if seq, err := s.FirstSince(ctx, at.Add(time.Hour)); err != nil || seq != -1 {
		t.Errorf("%d, %v", seq, err)
	}
	for _, move := range []struct {
		from, to int64
		fenced   bool
	}{{0, 2, false}, {2, 4, false}, {2, 5, true}, {0, 9, true}} {
		if err := s.MovePosition(ctx, "export:x", move.from, move.to); errors.Is(err, audit.ErrFenced) != move.fenced || err != nil && !move.fenced {
			t.Errorf("from %d to %d: %v", move.from, move.to, err)
		}
	}
	if positions, err := s.Positions(ctx); err != nil || positions["export:x"] != 4 || positions[audit.IndexPosition] != 5 {
		t.Errorf("%v, %v", positions, err)
	}
	n, err := s.PruneEvents(ctx, 3, 2)
	more, errMore := s.PruneEvents(ctx, 3, 2)
	if n != 2 || more != 1 || err != nil || errMore != nil {
		t.Errorf("pruned %d and %d, %v, %v", n, more, err, errMore)
	}
	if left, err := s.FindLeaves(ctx, audit.Terms{Limit: 9}); err != nil || len(left) != 2 {
		t.Errorf("after pruning: %v, %v", left, err)
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
	if _, err := tx.Exec(`INSERT INTO audit_entries (seq, leaf) VALUES ($1, $2)`, num-1, []byte("{}")); err != nil {
		t.Fatal(err)
	}
	records := Records(t, audit.Event{Action: "second"})
	second := later(func() (feed.Seq, error) { return 0, s.InsertRecords(ctx, records) })
	mustWait(t, db, second, "audit_pending_head")
	if leaves, err := s.Leaves(ctx, -1, 9); err != nil || len(leaves) != 0 {
		t.Errorf("in between: %v, %v", leaves, err)
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
	await(t, second)
	if leaves, err := s.Leaves(ctx, -1, 9); err != nil || len(leaves) != 2 || leaves[0].Seq != num-1 || string(leaves[0].Body) != "{}" {
		t.Errorf("afterwards: %v, %v", leaves, err)
	}
}

// auditAdopted opens a database of the first release, whose log stood elsewhere and was numbered later.
func auditAdopted(t *testing.T, db Database) {
	db.Open(t, "one")
	raw := db.Raw(t)
	for _, do := range []string{
		`UPDATE audit_pending_head SET num = 3 WHERE id = 1`,
		`INSERT INTO audit_events (seq, at, action, person, workspace, body) VALUES (0, 0, '', '', '', '{"seq":0,"action":"a"}')`,
		`INSERT INTO audit_pending (num, body) VALUES (2, '{"seq":0,"action":"b"}'), (3, '{"seq":0,"action":"c"}')`,
	} {
		if _, err := raw.Exec(do); err != nil {
			t.Fatal(err)
		}
	}
	s := db.Open(t, "two")
	if err := s.InsertRecords(t.Context(), Records(t, audit.Event{Action: "d"})); err != nil {
		t.Fatal(err)
	}
	leaves, err := s.Leaves(t.Context(), -1, 9)
	if err != nil || len(leaves) != 4 {
		t.Fatalf("%v, %v", leaves, err)
	}
	for n, l := range leaves {
		if e, err := l.Event(); err != nil || e.Seq != int64(n) || e.Action != string("abcd"[n]) || l.Erased != -1 {
			t.Errorf("event %d: %s, %v", n, l.Body, err)
		}
	}
}
