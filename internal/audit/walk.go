package audit

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"
)

// walk goes through the log once, building two trees side by side: one from the events, one from the stored leaf
// hashes. Where they differ, the signed checkpoints tell which of the two is what was signed.
type walk struct {
	Reader
	report  *Report
	targets []target // by size

	leaves stream[Leaf]
	hashes stream[StoredHash]
	events tree // from the events' bytes; where one is missing, from its stored hash
	stored tree // from the stored leaf hashes; where one is missing, from the event

	good       int64      // the size of the last checkpoint that fitted
	suspects   []mismatch // since then
	broken     bool       // a checkpoint fitted neither tree: everything after it is bad too
	copyBroken bool
}

func (w *walk) size() int64 { return w.events.size }

func (w *walk) run(ctx context.Context) error {
	after, from := int64(-1), int64(0)
	w.leaves = stream[Leaf]{at: func(l Leaf) int64 { return l.Seq }, next: func() ([]Leaf, error) {
		page, err := w.Leaves(ctx, after, pageSize)
		if len(page) > 0 {
			after = page[len(page)-1].Seq
		}
		return page, err
	}}
	w.hashes = stream[StoredHash]{at: func(h StoredHash) int64 { return h.Index }, next: func() ([]StoredHash, error) {
		page, err := w.TreeHashes(ctx, from, 2*pageSize)
		if len(page) > 0 {
			from = page[len(page)-1].Index + 1
		}
		return page, err
	}}
	targets := w.targets
	for ; len(targets) > 0 && targets[0].Size == 0; targets = targets[1:] {
		w.judge(targets[0]) // a checkpoint of the empty log
	}
	for len(targets) > 0 {
		more, err := w.step(ctx)
		if err != nil {
			return err
		}
		if !more {
			break
		}
		for ; len(targets) > 0 && targets[0].Size == w.size(); targets = targets[1:] {
			w.judge(targets[0])
		}
	}
	w.truncated(targets)
	w.settle(false, false)
	root := w.events.root()
	w.report.Size, w.report.Root = w.size(), root.String()
	return nil
}

// step takes in one position. It returns false when no event is there or later.
func (w *walk) step(ctx context.Context) (bool, error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	seq := w.size()
	leaf, here, more, err := w.leaves.get(seq)
	if err != nil || !more {
		return false, err
	}
	kept, hashed, _, err := w.hashes.get(tlog.StoredHashIndex(0, seq))
	if err != nil {
		return false, err
	}
	m := mismatch{seq: seq, missing: !here, stored: kept.Hash, noStored: !hashed}
	if here {
		m.computed = tlog.RecordHash(leaf.Body)
		w.compareIndex(leaf)
	}
	if m.missing || m.noStored || m.computed != m.stored {
		w.suspects = append(w.suspects, m)
	}
	one, other := m.computed, m.stored
	if m.missing {
		one = m.stored
	}
	if m.noStored {
		other = one
	}
	byEvents, byHashes := w.events.append(one), w.stored.append(other)
	for i := 1; i < len(byEvents); i++ { // the nodes above the leaf
		node, there, _, err := w.hashes.get(byEvents[i].Index)
		if err != nil {
			return false, err
		}
		if !there || node.Hash != byEvents[i].Hash && node.Hash != byHashes[i].Hash {
			w.report.add(HashWrong, seq, seq, "the stored tree hash %d, above event %d, is missing or wrong", byEvents[i].Index, seq)
		}
	}
	return true, nil
}

// compareIndex checks what the event is found by, and the position in its bytes.
func (w *walk) compareIndex(leaf Leaf) {
	e, err := Decode(leaf.Body)
	if err != nil {
		return // its hash tells already, or it was signed like that
	}
	if e.Seq != leaf.Seq {
		w.report.add(Swapped, leaf.Seq, leaf.Seq, "event %d says of itself that it is event %d", leaf.Seq, e.Seq)
		return
	}
	if !sameIndex(indexed(e, leaf.Body), leaf) {
		w.report.add(IndexWrong, leaf.Seq, leaf.Seq, "event %d is filed under another time, action, person or workspace than it says", leaf.Seq)
	}
}

// judge compares both trees with a checkpoint of their size.
func (w *walk) judge(t target) {
	byEvents, byHashes := w.events.root() == t.Root, w.stored.root() == t.Root
	if !byEvents && !byHashes {
		w.misfit(t)
		return
	}
	w.settle(byEvents, byHashes)
	w.good = t.Size
	if t.copied {
		w.report.Complete = max(w.report.Complete, t.Size)
	}
	if byHashes {
		w.events = w.stored.clone()
	} else {
		w.stored = w.events.clone()
	}
}

// misfit reports the first checkpoint, of the database's and of the copy's, that the log does not fit.
func (w *walk) misfit(t target) {
	first := &w.broken
	if t.copied {
		first = &w.copyBroken
	}
	if *first {
		return
	}
	*first = true
	switch {
	case t.copied && !w.broken:
		w.report.add(Rewritten, 0, t.Size-1, "the first %s are not those that the copied checkpoint signs: the log was rewritten and signed again",
			count(int(t.Size), "event"))
	case w.good < t.Size:
		w.report.add(Rewritten, w.good, t.Size-1, "%s: something among them is not what was signed, and its hashes were made to fit", events(w.good, t.Size-1))
	default:
		w.report.add(Rewritten, 0, t.Size-1, "two signed checkpoints of size %d contradict each other", t.Size)
	}
}
