package audit

import (
	"context"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// hashRows is how many rows of hashes are read at once.
const hashRows = 64

// walk goes through the log once, building two trees side by side: one from the events, one from the stored leaf
// hashes. Where they differ, the signed checkpoints tell which of the two is what was signed.
type walk struct {
	Reader
	report   *Report
	key      note.Verifier
	sizes    Sizes           // when it began
	targets  []target        // by size
	prunings []Pruning       // by size, with good signatures
	erased   map[int64]int64 // by the position of the event that records it: events whose personal values are gone

	leaves stream[Leaf]
	filed  stream[IndexRow]
	hashes stream[StoredHash]
	events tree // from the events' bytes; where one is missing, from its stored hash
	stored tree // from the stored leaf hashes; where one is missing, from the event

	good       int64      // the size of the last checkpoint that fitted
	goodCopied int64      // likewise, of the copy
	suspects   []mismatch // since then
	nodes      []int64    // since then: events below whose right end a stored tree hash is wrong
	broken     bool       // a checkpoint fitted neither tree: everything after it is bad too
	copyBroken bool
}

func (w *walk) size() int64 { return w.events.size }

func (w *walk) run(ctx context.Context) error {
	if err := w.readPrunings(ctx, true); err != nil {
		return err
	}
	after, filedAfter, from := int64(-1), int64(-1), int64(0)
	w.filed = stream[IndexRow]{at: func(r IndexRow) int64 { return r.Seq }, next: func() ([]IndexRow, error) {
		page, err := w.IndexRows(ctx, filedAfter, pageSize)
		if len(page) > 0 {
			filedAfter = page[len(page)-1].Seq
		}
		return page, err
	}}
	w.leaves = stream[Leaf]{at: func(l Leaf) int64 { return l.Seq }, next: func() ([]Leaf, error) {
		page, err := w.Leaves(ctx, after, pageSize)
		if len(page) > 0 {
			after = page[len(page)-1].Seq
		}
		return page, err
	}}
	w.hashes = stream[StoredHash]{at: func(h StoredHash) int64 { return h.Index }, next: func() ([]StoredHash, error) {
		page, err := w.TreeHashes(ctx, from, hashRows)
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
	w.settle(false)
	w.unrecorded()
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
	if err != nil {
		return false, err
	}
	if !here && seq >= w.pruned() {
		if err := w.readPrunings(ctx, false); err != nil { // it may have been removed since
			return false, err
		}
	}
	removed := !here && seq < w.pruned()
	if !more && !removed {
		return false, nil
	}
	kept, hashed, _, err := w.hashes.get(tlog.StoredHashIndex(0, seq))
	if err != nil {
		return false, err
	}
	one := kept.Hash
	if here {
		one = tlog.RecordHash(leaf.Body)
	}
	other := kept.Hash
	if !hashed {
		other = one
	}
	if removed && hashed {
		w.report.Pruned = seq + 1
	} else if err := w.compare(ctx, leaf, here, hashed, one == kept.Hash); err != nil {
		return false, err
	}
	byEvents, byHashes := w.events.append(one), w.stored.append(other)
	for i := 1; i < len(byEvents); i++ { // the nodes above the leaf
		node, there, _, err := w.hashes.get(byEvents[i].Index)
		if err != nil {
			return false, err
		}
		if !there || node.Hash != byEvents[i].Hash && node.Hash != byHashes[i].Hash {
			w.nodes = append(w.nodes, seq)
		}
	}
	for _, p := range w.prunings {
		if p.Size == w.size() && p.Root != w.stored.root() && p.Root != w.events.root() {
			w.report.add(BadPruning, 0, p.Size-1, "the statement that %s were removed is of another tree", events(0, p.Size-1))
		}
	}
	return true, nil
}

// compare notes what is odd about one position: of an event whose hash is the stored one, what stands beside it.
func (w *walk) compare(ctx context.Context, leaf Leaf, here, hashed, same bool) error {
	m := mismatch{seq: w.size()}
	e, unreadable := Decode(leaf.Body)
	switch {
	case !here:
		m.kind = Dropped
	case !hashed:
		m.kind = HashWrong
	case !same:
		m.kind = Changed
		if unreadable != nil || e.Seq == m.seq || e.Seq < 0 {
			break
		}
		// It says that it belongs elsewhere. If its hash is stored there, it was moved.
		there, err := w.TreeHashesAt(ctx, []int64{tlog.StoredHashIndex(0, e.Seq)})
		if err != nil {
			return err
		}
		if len(there) == 1 && there[0].Hash == tlog.RecordHash(leaf.Body) {
			m.kind, m.signedAs = Swapped, e.Seq
		}
	case unreadable != nil:
		w.report.add(IndexWrong, m.seq, m.seq, "event %d cannot be read", m.seq)
		return nil
	default:
		return w.beside(ctx, e, leaf)
	}
	w.suspects = append(w.suspects, m)
	return nil
}

// judge compares both trees with a checkpoint of their size.
func (w *walk) judge(t target) {
	byEvents, byHashes := w.events.root() == t.Root, w.stored.root() == t.Root
	if !byEvents && !byHashes {
		w.misfit(t)
		return
	}
	w.settle(byEvents && !byHashes)
	if t.stored {
		w.good = t.Size
	}
	if t.copied {
		w.goodCopied, w.report.Complete = t.Size, t.Size
	}
	if byHashes {
		w.events = w.stored.clone()
	} else {
		w.stored = w.events.clone()
	}
}

// misfit reports the first checkpoint, of the database's and of the copy's, that the log does not fit.
func (w *walk) misfit(t target) {
	switch {
	case t.stored && !w.broken && w.good < t.Size:
		w.report.add(Rewritten, w.good, t.Size-1, "%s: something among them is not what was signed, and hashes were made to fit", events(w.good, t.Size-1))
	case t.stored && !w.broken:
		w.report.add(Rewritten, 0, t.Size-1, "two signed checkpoints of size %d contradict each other", t.Size)
	case !t.stored && !w.copyBroken:
		w.report.add(Rewritten, w.goodCopied, t.Size-1, "%s: something among them is not what the copied checkpoint signs; the log was rewritten",
			events(w.goodCopied, t.Size-1))
	}
	w.broken = w.broken || t.stored
	w.copyBroken = w.copyBroken || t.copied
}
