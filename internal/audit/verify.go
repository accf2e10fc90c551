package audit

import (
	"cmp"
	"context"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Verify checks the whole log: every event's bytes against the tree, every stored hash, every signed checkpoint of
// the database, and those of a copy that was kept elsewhere: one checkpoint, or a file to which they were appended.
// It needs the database alone, and may run beside a server that goes on appending. An error means that the database
// could not be read; what is wrong with the log is in the report.
func Verify(ctx context.Context, rows Reader, key note.Verifier, copied []byte) (Report, error) {
	r := Report{Origin: key.Name()}
	signed, err := r.storedCheckpoints(ctx, rows, key)
	if err != nil {
		return r, err
	}
	signed = append(signed, r.copiedCheckpoints(copied, key)...)
	slices.SortStableFunc(signed, func(a, b target) int { return cmp.Compare(a.Size, b.Size) })
	w := walk{Reader: rows, report: &r, targets: signed}
	if err := w.run(ctx); err != nil {
		return r, err
	}
	if err := r.unsigned(ctx, rows, w.size()); err != nil {
		return r, err
	}
	pending, err := rows.PendingEvents(ctx, maxBatch)
	r.Pending = len(pending)
	return r, err
}

// target is a checkpoint whose signature is good, and which the log has to fit.
type target struct {
	Checkpoint
	copied bool
}

// storedCheckpoints reads the database's own checkpoints.
func (r *Report) storedCheckpoints(ctx context.Context, rows Reader, key note.Verifier) (all []target, err error) {
	for after := int64(-1 << 62); ; {
		page, err := rows.Checkpoints(ctx, after, pageSize)
		if err != nil {
			return nil, err
		}
		for _, stored := range page {
			after = stored.Size
			c, err := openCheckpoint(stored.Note, key)
			switch {
			case err != nil:
				r.add(BadSign, stored.Size, stored.Size, "the checkpoint of size %d is not signed by this log: %v", stored.Size, err)
			case c.Size != stored.Size:
				r.add(BadSign, stored.Size, stored.Size, "the checkpoint stored for size %d signs size %d", stored.Size, c.Size)
				all = append(all, target{Checkpoint: c})
			default:
				r.Checkpoints++
				all = append(all, target{Checkpoint: c})
			}
		}
		if len(page) == 0 {
			return all, nil
		}
	}
}

// copiedCheckpoints reads the copy.
func (r *Report) copiedCheckpoints(copied []byte, key note.Verifier) (all []target) {
	if copied == nil {
		return nil
	}
	for _, n := range splitCheckpoints(copied, key.Name()) {
		c, err := openCheckpoint(n.note, key)
		switch {
		case err != nil && !n.whole:
			r.Incomplete++
		case err != nil:
			r.add(BadCopy, 0, 0, "a copied checkpoint is not signed by this log: %v", err)
		default:
			r.Copied++
			all = append(all, target{c, true})
		}
	}
	if r.Copied == 0 {
		r.add(BadCopy, 0, 0, "the copy holds no checkpoint of the log %q", r.Origin)
	}
	return all
}

// unsigned looks for events that no checkpoint covers. The newest event is read first: a server that is appending
// writes both at once, so its checkpoint is there by then.
func (r *Report) unsigned(ctx context.Context, rows Reader, checked int64) error {
	newest, err := rows.SearchLeaves(ctx, Filter{After: checked - 1, Limit: 1, Newest: true})
	if err != nil || len(newest) == 0 {
		return err
	}
	last, err := rows.LastCheckpoint(ctx)
	if err != nil {
		return err
	}
	if end := newest[0].Seq; end >= max(last.Size, checked) {
		from := max(last.Size, checked)
		r.add(Unsigned, from, end, "%s: no checkpoint covers them; checkpoints were removed, or events added", events(from, end))
	}
	return nil
}

// stream reads ordered rows in pages and gives out those that are asked for by ascending position.
type stream[T any] struct {
	page  []T
	ended bool
	next  func() ([]T, error) // the page after the last; empty at the end
	at    func(T) int64
}

// get returns the row at a position, if there is one, and whether any row is there or later.
func (s *stream[T]) get(position int64) (row T, here, more bool, err error) {
	for !s.ended {
		for len(s.page) > 0 && s.at(s.page[0]) < position {
			s.page = s.page[1:]
		}
		if len(s.page) > 0 {
			if s.at(s.page[0]) == position {
				return s.page[0], true, true, nil
			}
			return row, false, true, nil
		}
		if s.page, err = s.next(); err != nil {
			return row, false, false, err
		}
		s.ended = len(s.page) == 0
	}
	return row, false, false, nil
}

// mismatch is a position whose event does not have the stored leaf hash.
type mismatch struct {
	seq      int64
	missing  bool
	computed tlog.Hash // of the event that is there
	stored   tlog.Hash
	noStored bool
}
