package audit

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// leader makes leaves of a tree of events. Only the goroutine that calls step and resign touches its plain fields.
//
// There is no heartbeat: a process that does not lead watches how much is signed, and takes over when events wait
// for takeOverAfter and nothing more is. Two leaders cannot both write, because the transaction checks the term.
type leader struct {
	rows   Rows
	signer note.Signer
	holder string
	copies *copies
	log    *slog.Logger

	leading atomic.Bool
	number  atomic.Int64 // the term's, for others
	known   atomic.Int64 // the tree's size, for Status
	term    Term
	tree    tree

	stuck      int64     // how much was signed when last looked at
	stuckSince time.Time // since when more waits; zero: nothing does
}

// step moves up to maxBatch events and returns how many it moved.
func (l *leader) step(ctx context.Context) (int, error) {
	if !l.leading.Load() {
		if ok, err := l.takeOver(ctx); err != nil || !ok {
			return 0, err
		}
	}
	leaves, err := l.rows.Leaves(ctx, l.tree.size-1, maxBatch)
	if err != nil || len(leaves) == 0 {
		return 0, err
	}
	batch, grown, err := l.batch(leaves)
	if err != nil {
		return 0, err
	}
	if err := l.rows.AppendTree(ctx, batch); err != nil {
		// Whether it was committed may be unknown. Leading again begins by reading what is there.
		l.leading.Store(false)
		if errors.Is(err, ErrFenced) {
			l.log.Info("another process took over the audit log", "term", l.term.Number)
			return 0, nil
		}
		return 0, err
	}
	// From here on the batch is in the log. A crash before the copies are written leaves them one behind, and the
	// next leader catches up.
	l.tree = grown
	l.known.Store(grown.size)
	l.copies.grown(batch.Checkpoint)
	return len(leaves), nil
}

// batch hashes events, and signs the tree that they make.
func (l *leader) batch(leaves []Leaf) (Batch, tree, error) {
	b := Batch{Term: l.term.Number, Hashes: make([]StoredHash, 0, 2*len(leaves)+64)}
	grown := l.tree.clone()
	for _, leaf := range leaves {
		if leaf.Seq != grown.size || !saysNumber(leaf.Body, leaf.Seq) {
			return Batch{}, tree{}, fmt.Errorf("the audit log was changed from outside: event %d, which no checkpoint covers yet, is missing or renumbered", grown.size)
		}
		b.Hashes = append(b.Hashes, grown.append(tlog.RecordHash(leaf.Body))...)
	}
	signed, err := Checkpoint{Origin: l.signer.Name(), Size: grown.size, Root: grown.root()}.sign(l.signer)
	if err != nil {
		return Batch{}, tree{}, fmt.Errorf("sign a checkpoint: %w", err)
	}
	b.Checkpoint = StoredCheckpoint{Size: grown.size, Note: signed}
	return b, grown, nil
}

// takeOver begins a term if nobody else is leading.
func (l *leader) takeOver(ctx context.Context) (bool, error) {
	sizes, err := l.rows.Sizes(ctx)
	if err != nil {
		return false, err
	}
	now, err := l.rows.AuditTerm(ctx)
	if err != nil {
		return false, err
	}
	if now.Holder != "" && now.Holder != l.holder && !l.idle(sizes) {
		return false, nil
	}
	term, ok, err := l.rows.TakeAuditTerm(ctx, now.Number, l.holder)
	if err != nil || !ok {
		return false, err
	}
	// The last term can write no more, so what is read now stays the end of the log.
	last, t, err := storedTree(ctx, l.rows)
	if err != nil {
		return false, err
	}
	l.term, l.tree = term, t
	l.number.Store(term.Number)
	l.known.Store(t.size)
	l.leading.Store(true)
	l.log.Info("leading the audit log", "term", term.Number, "size", t.size)
	l.copies.begin(ctx, last, l.rows)
	return true, nil
}

// idle reports whether events wait for the same checkpoint for long enough to say that nobody takes them in.
func (l *leader) idle(s Sizes) bool {
	if waits := s.Given > s.Signed; !waits || s.Signed != l.stuck || l.stuckSince.IsZero() {
		l.stuck, l.stuckSince = s.Signed, time.Time{}
		if waits {
			l.stuckSince = time.Now()
		}
		return false
	}
	return time.Since(l.stuckSince) >= takeOverAfter
}

// storedTree reads the end of the log. It refuses a tree that is not the one that was signed last, so that a new
// signature never covers up a change.
func storedTree(ctx context.Context, rows Reader) (StoredCheckpoint, tree, error) {
	last, err := rows.LastCheckpoint(ctx)
	if err != nil || last.Size == 0 {
		return StoredCheckpoint{}, tree{}, err
	}
	stored, err := rows.TreeHashesAt(ctx, edgeIndexes(last.Size))
	if err != nil {
		return StoredCheckpoint{}, tree{}, err
	}
	t, err := treeOf(last.Size, stored)
	if err != nil {
		return StoredCheckpoint{}, tree{}, fmt.Errorf("the audit log was changed from outside: %w", err)
	}
	c, err := parseCheckpoint(string(last.Note))
	if err != nil {
		return StoredCheckpoint{}, tree{}, fmt.Errorf("the audit log was changed from outside: last checkpoint: %w", err)
	}
	if c.Size != last.Size || c.Root != t.root() {
		return StoredCheckpoint{}, tree{}, errors.New("the audit log was changed from outside: its hashes do not make the tree that was signed last")
	}
	return last, t, nil
}

// resign lets another process lead at once.
func (l *leader) resign(ctx context.Context) {
	if !l.leading.Swap(false) {
		return
	}
	if _, _, err := l.rows.TakeAuditTerm(ctx, l.term.Number, ""); err != nil {
		l.log.Warn("give up leading the audit log", "err", err)
	}
}
