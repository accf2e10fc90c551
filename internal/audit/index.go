package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"strings"
	"time"
)

// IndexPosition is the name under which the index's position is stored.
const IndexPosition = "index"

// indexBatch is how many events are filed in one transaction.
const indexBatch = 2000

// IndexRow is what an event is found by. Fields other than Seq and At are hashes of values, 0 for none.
type IndexRow struct {
	Seq                                                            int64
	At                                                             time.Time
	Action, Outcome, Person, Session, Workspace, Project, Resource int64
}

// term hashes a value of a field. What is found is compared with what was asked for, so two that collide cost time only.
func term(field, value string) int64 {
	if value == "" {
		return 0
	}
	var room [160]byte
	b := append(append(append(room[:0], field...), 0), value...)
	sum := sha256.Sum256(b)
	if t := int64(binary.BigEndian.Uint64(sum[:8])); t != 0 {
		return t
	}
	return 1
}

// Terms of the fields that more than one place needs.
func personTerm(object string) int64 { return term("person", object) }

// indexRow files an event. A person whose ID was erased cannot be found by it any more.
func indexRow(e Event) IndexRow {
	r := IndexRow{
		Seq: e.Seq, At: e.Time.UTC(), Action: term("action", e.Action), Outcome: term("outcome", string(e.Outcome)),
		Session: term("session", string(e.Session)), Workspace: term("workspace", string(e.Workspace)),
		Project: term("project", e.Project), Resource: term("resource", resourceName(e.Resource)),
	}
	if e.User != nil && !committed(e.User.Object) {
		r.Person = personTerm(e.User.Object)
	}
	return r
}

// resourceName leaves out a resource's kind, which who searches need not know: "repo https://…" is found as "https://…".
func resourceName(s string) string {
	if _, name, ok := strings.Cut(s, " "); ok {
		return name
	}
	return s
}

// index files what is in the log and not filed yet.
func (l *Log) index(ctx context.Context) {
	for ctx.Err() == nil && l.leader.leading.Load() {
		n, err := l.indexSome(ctx)
		if !l.report("file events in the audit log's index", err) || n < indexBatch {
			return
		}
	}
}

// indexSome files one batch and returns its size.
func (l *Log) indexSome(ctx context.Context) (int, error) {
	sizes, err := l.rows.Sizes(ctx)
	if err != nil {
		return 0, err
	}
	l.sizes.Store(&sizes)
	leaves, err := l.rows.Leaves(ctx, sizes.Indexed-1, indexBatch)
	if err != nil {
		return 0, err
	}
	rows := make([]IndexRow, 0, len(leaves))
	for i, leaf := range leaves {
		if leaf.Seq != sizes.Indexed+int64(i) {
			break // a number that is missing is what Verify reports; the index stops before it
		}
		e, err := leaf.Event()
		if err != nil {
			e = Event{Seq: leaf.Seq} // unreadable: found by its position alone
		}
		rows = append(rows, indexRow(e))
	}
	if len(rows) == 0 {
		return 0, nil
	}
	if err := l.rows.AppendIndex(ctx, sizes.Indexed, rows); err != nil {
		return 0, err
	}
	filed := sizes
	filed.Indexed += int64(len(rows))
	l.sizes.Store(&filed)
	return len(rows), nil
}
