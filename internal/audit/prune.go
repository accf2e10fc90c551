package audit

import (
	"context"
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// pruneBatch is how many events one transaction removes.
const pruneBatch = 2000

// Pruning says that the bodies of the first Size events were removed because they were older than Before. Root is the
// tree that they make; their hashes stay. It is a signed note whose first line no checkpoint has:
//
//	<origin>/pruned
//	<size>
//	<root in base64>
//	<before, RFC 3339>
type Pruning struct {
	Size   int64
	Root   tlog.Hash
	Before time.Time
}

const prunedSuffix = "/pruned"

func (p Pruning) sign(signer note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: fmt.Sprintf("%s%s\n%d\n%s\n%s\n", signer.Name(), prunedSuffix, p.Size,
		base64.StdEncoding.EncodeToString(p.Root[:]), p.Before.UTC().Format(time.RFC3339))}, signer)
}

// openPruning reads a signed pruning.
func openPruning(signed []byte, key note.Verifier) (p Pruning, err error) {
	n, err := note.Open(signed, note.VerifierList(key))
	if err != nil {
		return p, err
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) != 5 || lines[0] != key.Name()+prunedSuffix || lines[4] != "" {
		return p, fmt.Errorf("it is no statement about removed events of this log")
	}
	if p.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || p.Size < 1 {
		return p, fmt.Errorf("its second line is not a size")
	}
	root, err := base64.StdEncoding.Strict().DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return p, fmt.Errorf("its third line is not a hash")
	}
	copy(p.Root[:], root)
	if p.Before, err = time.Parse(time.RFC3339, lines[3]); err != nil {
		return p, fmt.Errorf("its fourth line is not a time")
	}
	return p, nil
}

// prune removes what is older than the retention, if this process leads. What a receiver of exports has not got stays.
func (l *Log) prune(ctx context.Context, now time.Time) {
	if l.leader.leading.Load() {
		l.report("remove old audit events", l.pruneBefore(ctx, now.Add(-l.retention)))
	}
}

func (l *Log) pruneBefore(ctx context.Context, before time.Time) error {
	sizes, err := l.rows.Sizes(ctx)
	if err != nil {
		return err
	}
	end := min(sizes.Signed, sizes.Indexed)
	if first, err := l.rows.FirstSince(ctx, before); err != nil {
		return err
	} else if first >= 0 {
		end = min(end, first)
	}
	positions, err := l.rows.Positions(ctx)
	if err != nil {
		return err
	}
	for _, e := range l.exports {
		end = min(end, positions[ExportPosition(e.Name())])
	}
	if end > sizes.Pruned {
		stored, err := l.rows.TreeHashesAt(ctx, edgeIndexes(end))
		if err != nil {
			return err
		}
		t, err := treeOf(end, stored)
		if err != nil {
			return err
		}
		signed, err := Pruning{Size: end, Root: t.root(), Before: before}.sign(l.leader.signer)
		if err != nil {
			return err
		}
		event, err := Encode(Event{Action: "audit:prune", Outcome: Done, Actor: "service:audit",
			Detail: map[string]any{"events": end - sizes.Pruned, "before": before.UTC().Format(time.RFC3339), "first": end}})
		if err != nil {
			return err
		}
		if err := l.rows.PruneLog(ctx, l.leader.number.Load(), StoredCheckpoint{Size: end, Note: signed}, event); err != nil {
			return err
		}
		sizes.Pruned = end
	}
	if sizes.Pruned == 0 {
		return nil
	}
	for ctx.Err() == nil {
		n, err := l.rows.PruneEvents(ctx, sizes.Pruned, pruneBatch)
		if err != nil || n == 0 {
			return err
		}
	}
	return ctx.Err()
}

// Forget erases the personal values, with their salts, of all events that are about a person, and records that e.Actor
// or e.User did so. The events stay, with their place in the tree. It returns how many they are.
func (l *Log) Forget(ctx context.Context, object string, e Event) (int64, error) {
	sizes, err := l.rows.Sizes(ctx)
	if err != nil {
		return 0, err
	}
	for wait := time.NewTicker(indexEvery); ; {
		now, err := l.rows.Sizes(ctx)
		if err != nil {
			return 0, err
		}
		if now.Indexed >= sizes.Given {
			wait.Stop()
			break
		}
		select {
		case <-ctx.Done():
			wait.Stop()
			return 0, problem.Wrap(ctx.Err(), problem.Unavailable, "The audit log's index has not come so far yet; try again in a moment.")
		case <-wait.C:
		}
	}
	return l.rows.Erase(ctx, personTerm(object), sizes.Given, func(events int64) (Record, error) {
		e.Action, e.Outcome = ForgetAction, Done
		e.Detail = map[string]any{"events": events}
		return Encode(e)
	})
}

// ForgetAction is the action of the event that says that personal values were erased.
const ForgetAction = "audit:forget"
