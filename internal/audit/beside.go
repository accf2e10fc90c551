package audit

import (
	"context"
	"encoding/json"
)

// pruned is the size up to which events may be missing.
func (w *walk) pruned() int64 {
	if n := len(w.prunings); n > 0 {
		return w.prunings[n-1].Size
	}
	return 0
}

// readPrunings reads the signed statements about removed events.
func (w *walk) readPrunings(ctx context.Context, first bool) error {
	stored, err := w.Prunings(ctx)
	if err != nil {
		return err
	}
	w.prunings = w.prunings[:0]
	for _, s := range stored {
		p, err := openPruning(s.Note, w.key)
		switch {
		case err == nil && p.Size == s.Size:
			w.prunings = append(w.prunings, p)
		case first:
			w.report.add(BadPruning, 0, s.Size-1, "the statement that %s were removed because of their age is not signed by this log", events(0, s.Size-1))
		}
	}
	return nil
}

// beside checks what stands beside an event whose bytes are good: its personal values, and what it is filed under.
func (w *walk) beside(ctx context.Context, e Event, leaf Leaf) error {
	if w.asItShouldBe(e, leaf) {
		row, filed, _, err := w.filed.get(leaf.Seq)
		if err != nil {
			return err
		}
		if w.filedRight(leaf, row, filed) {
			w.account(e, leaf)
			return nil
		}
	}
	// Personal values may have been erased between the two reads: look once more, at this event alone.
	leaves, err := w.Leaves(ctx, leaf.Seq-1, 1)
	if err != nil {
		return err
	}
	rows, err := w.IndexRows(ctx, leaf.Seq-1, 1)
	if err != nil {
		return err
	}
	if len(leaves) == 0 || leaves[0].Seq != leaf.Seq {
		return nil // removed in between, because of its age
	}
	row, filed := IndexRow{}, len(rows) == 1 && rows[0].Seq == leaf.Seq
	if filed {
		row = rows[0]
	}
	switch {
	case !w.asItShouldBe(e, leaves[0]):
		w.report.add(ClearWrong, leaf.Seq, leaf.Seq, "event %d: the personal values beside it are not those that it commits to, or were removed without a record", leaf.Seq)
	case !w.filedRight(leaves[0], row, filed):
		w.report.add(IndexWrong, leaf.Seq, leaf.Seq, "event %d is not filed, or filed under other values than it has", leaf.Seq)
	default:
		w.account(e, leaves[0])
	}
	return nil
}

// asItShouldBe compares an event with its personal values. e holds commitments.
func (w *walk) asItShouldBe(e Event, leaf Leaf) bool {
	if e.User != nil {
		user := *e.User
		e.User = &user
	}
	erased, wrong := openEvent(&e, leaf.Clear)
	return !wrong && erased == (leaf.Erased >= 0)
}

func (w *walk) filedRight(leaf Leaf, row IndexRow, filed bool) bool {
	if leaf.Seq >= w.sizes.Indexed && !filed {
		return true // not yet
	}
	e, err := leaf.Event()
	if err != nil || !filed {
		return false
	}
	want := indexRow(e)
	at := want.At.Equal(row.At)
	want.At = row.At
	return at && want == row
}

// account counts erased events by what records them, and compares a record with the count.
func (w *walk) account(e Event, leaf Leaf) {
	if leaf.Erased >= 0 {
		w.erased[leaf.Erased]++
		w.report.Erased++
	}
	n, ok := w.erased[leaf.Seq]
	if !ok {
		return
	}
	recorded, _ := e.Detail["events"].(json.Number)
	said, err := recorded.Int64()
	if e.Action != ForgetAction || err != nil || n > said || n < said && w.report.Pruned == 0 {
		w.report.add(ClearWrong, leaf.Seq, leaf.Seq, "%s lost personal values and refer to event %d, which does not record that", count(int(n), "event"), leaf.Seq)
	}
	delete(w.erased, leaf.Seq)
}

// unrecorded reports erased events whose record is not there.
func (w *walk) unrecorded() {
	for seq, n := range w.erased {
		if seq < w.size() {
			w.report.add(ClearWrong, seq, seq, "%s lost personal values and refer to event %d, which is not there", count(int(n), "event"), seq)
		} else if seq >= w.sizes.Given {
			w.report.add(ClearWrong, seq, seq, "%s lost personal values and refer to event %d, which the log never gave out", count(int(n), "event"), seq)
		}
	}
}
