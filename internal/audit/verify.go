package audit

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Verify checks the whole log: every event's bytes against the tree, every stored hash, every signed checkpoint of
// the database, what stands beside the events and what they are filed under, and the checkpoints of a copy that was
// kept elsewhere: one, or a file to which they were appended. It needs the database alone, and may run beside a server
// that goes on appending. An error means that the database could not be read; what is wrong with the log is in the
// report. keyFrom is KeyFromDatabase or KeyGiven.
func Verify(ctx context.Context, rows Reader, key note.Verifier, keyFrom string, copied []byte) (Report, error) {
	r := newReport(key, keyFrom)
	before, err := rows.Sizes(ctx)
	if err != nil {
		return r, err
	}
	signed, err := r.storedCheckpoints(ctx, rows, key, -1<<62)
	if err != nil {
		return r, err
	}
	w := walk{Reader: rows, report: &r, key: key, sizes: before, targets: merge(signed, r.copiedCheckpoints(copied, key)), erased: map[int64]int64{}}
	if err := w.run(ctx); err != nil {
		return r, err
	}
	if err := r.unsigned(ctx, rows, key, w.size(), before); err != nil {
		return r, err
	}
	r.sort()
	return r, nil
}

func newReport(key note.Verifier, keyFrom string) Report {
	return Report{Origin: key.Name(), Key: fmt.Sprintf("%s+%08x", key.Name(), key.KeyHash()), KeyFrom: keyFrom}
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int { return cmp.Or(cmp.Compare(a.From, b.From), cmp.Compare(a.To, b.To)) })
}

// target is a checkpoint whose signature is good, and which the log has to fit.
type target struct {
	Checkpoint
	stored, copied bool // where it comes from; both when they agree
}

// merge orders targets by size, and makes one of those that say the same.
func merge(lists ...[]target) (all []target) {
	sorted := slices.Concat(lists...)
	slices.SortStableFunc(sorted, func(a, b target) int { return cmp.Compare(a.Size, b.Size) })
next:
	for _, t := range sorted {
		for i := len(all) - 1; i >= 0 && all[i].Size == t.Size; i-- {
			if all[i].Root == t.Root {
				all[i].stored = all[i].stored || t.stored
				all[i].copied = all[i].copied || t.copied
				continue next
			}
		}
		all = append(all, t)
	}
	return all
}

// storedCheckpoints reads the database's own checkpoints of trees larger than after.
func (r *Report) storedCheckpoints(ctx context.Context, rows Reader, key note.Verifier, after int64) (all []target, err error) {
	for {
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
				all = append(all, target{Checkpoint: c, stored: true})
			default:
				r.Checkpoints++
				all = append(all, target{Checkpoint: c, stored: true})
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
			all = append(all, target{Checkpoint: c, copied: true})
		}
	}
	if r.Copied == 0 {
		r.add(BadCopy, 0, 0, "the copy holds no checkpoint of the log %q", r.Origin)
	}
	return all
}

// unsigned looks at what comes after the last checkpoint that was checked: events that wait for theirs, which is
// normal; events that have hashes and none, whose checkpoint was removed; and events that nobody numbered.
func (r *Report) unsigned(ctx context.Context, rows Reader, key note.Verifier, checked int64, before Sizes) error {
	hashed, err := rows.TreeHashes(ctx, tlog.StoredHashIndex(0, checked), 1)
	if err != nil {
		return err
	}
	var aside Report // bad ones are in the report already
	since, err := aside.storedCheckpoints(ctx, rows, key, checked)
	if err != nil {
		return err
	}
	after, err := rows.Sizes(ctx)
	if err != nil {
		return err
	}
	last := after.Last
	covered := checked
	for _, c := range since {
		covered = max(covered, c.Size)
	}
	if last >= after.Given {
		from := max(after.Given, covered)
		r.add(Unsigned, from, last, "%s: no checkpoint covers %s, and the log never gave out the number; added from outside", events(from, last), them(from, last))
		last = after.Given - 1
	}
	switch {
	case len(hashed) > 0 && covered == checked && last >= checked:
		r.add(Unsigned, checked, last, "%s: no checkpoint covers %s; checkpoints were removed", events(checked, last), them(checked, last))
	case last >= covered:
		r.Pending = last - covered + 1
	}
	if end := max(last+1, covered); end < before.Given && len(hashed) == 0 && !r.has(Truncated) {
		r.add(Truncated, end, before.Given-1, "%s: cut off the end; the log gave out %s", events(end, before.Given-1), count(int(before.Given), "number"))
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
	kind     FindingKind
	signedAs int64 // for Swapped: the position whose stored hash the event has
}
