package audit

import (
	"context"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// Inclusion proves that an event is in the tree that a checkpoint signs.
type Inclusion struct {
	Seq        int64       `json:"seq"`
	Size       int64       `json:"size"`            // of the tree
	Event      string      `json:"event,omitempty"` // a line of an export; absent when its body was removed because of its age
	Leaf       tlog.Hash   `json:"leaf"`            // its hash
	Proof      []tlog.Hash `json:"proof"`           // RFC 6962, section 2.1.1
	Checkpoint string      `json:"checkpoint"`      // signed note (C2SP tlog-checkpoint)
}

// Consistency proves that a tree begins with all of an older one.
type Consistency struct {
	Old           int64       `json:"old"`
	New           int64       `json:"new"`
	OldRoot       tlog.Hash   `json:"old_root"`
	NewRoot       tlog.Hash   `json:"new_root"`
	Proof         []tlog.Hash `json:"proof"`                    // RFC 6962, section 2.1.2
	OldCheckpoint string      `json:"old_checkpoint,omitempty"` // absent where none was signed for this size
	NewCheckpoint string      `json:"new_checkpoint,omitempty"`
}

// hashesOf reads the tree's hashes for proofs.
func hashesOf(ctx context.Context, rows Reader) tlog.HashReader {
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		stored, err := rows.TreeHashesAt(ctx, indexes)
		if err != nil {
			return nil, err
		}
		at := make(map[int64]tlog.Hash, len(stored))
		for _, h := range stored {
			at[h.Index] = h.Hash
		}
		hashes := make([]tlog.Hash, len(indexes))
		for i, index := range indexes {
			h, ok := at[index]
			if !ok {
				return nil, fmt.Errorf("the stored hash %d is missing", index)
			}
			hashes[i] = h
		}
		return hashes, nil
	})
}

// ProveInclusion proves that an event is in the log, as of its last checkpoint.
func ProveInclusion(ctx context.Context, rows Reader, seq int64) (p Inclusion, err error) {
	last, err := rows.LastCheckpoint(ctx)
	if err != nil {
		return p, err
	}
	if seq < 0 || seq >= last.Size {
		return p, problem.New(problem.NotFound, "There is no entry %d under the last checkpoint, which covers %d.", seq, last.Size)
	}
	p = Inclusion{Seq: seq, Size: last.Size, Checkpoint: string(last.Note)}
	hashes := hashesOf(ctx, rows)
	if p.Proof, err = tlog.ProveRecord(last.Size, seq, hashes); err != nil {
		return p, fmt.Errorf("prove event %d: %w", seq, err)
	}
	leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, seq)})
	if err != nil {
		return p, err
	}
	p.Leaf = leaf[0]
	found, err := rows.Leaves(ctx, seq-1, 1)
	if err != nil {
		return p, err
	}
	if len(found) == 1 && found[0].Seq == seq {
		line, err := exportLine(found[0])
		if err != nil {
			return p, err
		}
		p.Event = string(line)
	}
	return p, nil
}

// Check checks the proof against its checkpoint, and the checkpoint's signature. It needs no server.
func (p Inclusion) Check(key note.Verifier) error {
	c, err := openCheckpoint([]byte(p.Checkpoint), key)
	if err != nil {
		return fmt.Errorf("the checkpoint: %w", err)
	}
	if c.Size != p.Size {
		return fmt.Errorf("the checkpoint is of %d entries, the proof of %d", c.Size, p.Size)
	}
	if p.Event != "" {
		body, err := leafOfLine([]byte(p.Event))
		if err != nil {
			return fmt.Errorf("the entry: %w", err)
		}
		if tlog.RecordHash(body) != p.Leaf || !saysNumber(body, p.Seq) {
			return fmt.Errorf("the entry is not the one that is proven")
		}
	}
	return tlog.CheckRecord(p.Proof, p.Size, c.Root, p.Seq, p.Leaf)
}

// ProveConsistency proves that the first old events are the beginning of the first new ones; new 0 means all that the
// last checkpoint covers.
func ProveConsistency(ctx context.Context, rows Reader, old, new int64) (p Consistency, err error) {
	last, err := rows.LastCheckpoint(ctx)
	if err != nil {
		return p, err
	}
	if new == 0 {
		new = last.Size
	}
	if old < 1 || old > new || new > last.Size {
		return p, problem.New(problem.Invalid, "Sizes go from 1 up to %d, what the last checkpoint covers, the older one first.", last.Size)
	}
	p = Consistency{Old: old, New: new}
	hashes := hashesOf(ctx, rows)
	if p.Proof, err = tlog.ProveTree(new, old, hashes); err != nil {
		return p, fmt.Errorf("prove that %d events begin with %d: %w", new, old, err)
	}
	for _, one := range []struct {
		size int64
		root *tlog.Hash
		note *string
	}{{old, &p.OldRoot, &p.OldCheckpoint}, {new, &p.NewRoot, &p.NewCheckpoint}} {
		if *one.root, err = tlog.TreeHash(one.size, hashes); err != nil {
			return p, err
		}
		c, err := rows.CheckpointOf(ctx, one.size)
		if err != nil {
			return p, err
		}
		*one.note = string(c.Note)
	}
	return p, nil
}

// Check checks the proof, and those of its checkpoints that are there. It needs no server.
func (p Consistency) Check(key note.Verifier) error {
	for _, one := range []struct {
		note string
		size int64
		root tlog.Hash
	}{{p.OldCheckpoint, p.Old, p.OldRoot}, {p.NewCheckpoint, p.New, p.NewRoot}} {
		if one.note == "" {
			continue
		}
		c, err := openCheckpoint([]byte(one.note), key)
		if err != nil {
			return fmt.Errorf("the checkpoint of %d entries: %w", one.size, err)
		}
		if c.Size != one.size || c.Root != one.root {
			return fmt.Errorf("the checkpoint of %d entries is not of the tree that is proven", one.size)
		}
	}
	return tlog.CheckTree(p.Proof, p.New, p.NewRoot, p.Old, p.OldRoot)
}

// ProveInclusion proves that an event is in the log, as of its last checkpoint.
func (l *Log) ProveInclusion(ctx context.Context, seq int64) (Inclusion, error) {
	return ProveInclusion(ctx, l.rows, seq)
}

// ProveConsistency proves that the first old events are the beginning of the first new ones.
func (l *Log) ProveConsistency(ctx context.Context, old, new int64) (Consistency, error) {
	return ProveConsistency(ctx, l.rows, old, new)
}
