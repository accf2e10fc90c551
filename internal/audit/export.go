package audit

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// An export is lines of JSON: one for each event, from which the exact leaf follows. Where the first events are not in
// it, lines before them say what the tree was made of up to there:
//
//	{"from":N,"edge":["…"]}           the export begins at position N; the roots of the complete subtrees before it
//	{"pruning":"…"}                   a signed statement that events were removed because of their age
//	{"seq":N,"pruned":"…"}            the hash of such an event

type exportHead struct {
	From *int64      `json:"from,omitempty"`
	Edge []tlog.Hash `json:"edge,omitempty"`
}

type exportPruning struct {
	Note string `json:"pruning"`
}

type exportPruned struct {
	Seq  int64     `json:"seq"`
	Hash tlog.Hash `json:"pruned"`
}

// Export writes every event from a position on that is covered by a checkpoint, one a line.
func Export(ctx context.Context, rows Reader, from int64, to io.Writer) error {
	sizes, err := rows.Sizes(ctx)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(to, 64<<10)
	lines := json.NewEncoder(w)
	from = min(max(0, from), sizes.Signed)
	if from > 0 {
		stored, err := rows.TreeHashesAt(ctx, edgeIndexes(from))
		if err != nil {
			return err
		}
		t, err := treeOf(from, stored)
		if err != nil {
			return err
		}
		if err := lines.Encode(exportHead{From: &from, Edge: t.edge}); err != nil {
			return err
		}
	}
	if from < sizes.Pruned {
		prunings, err := rows.Prunings(ctx)
		if err != nil {
			return err
		}
		for _, p := range prunings {
			if err := lines.Encode(exportPruning{string(p.Note)}); err != nil {
				return err
			}
		}
	}
	for next := from; next < sizes.Signed; {
		leaves, err := rows.Leaves(ctx, next-1, pageSize)
		if err != nil {
			return err
		}
		if len(leaves) == 0 || leaves[0].Seq > next { // removed
			end := sizes.Signed
			if len(leaves) > 0 {
				end = min(end, leaves[0].Seq)
			}
			if next, err = exportRemoved(ctx, rows, next, end, lines); err != nil {
				return err
			}
		}
		for _, leaf := range leaves {
			if leaf.Seq != next || next >= sizes.Signed {
				break
			}
			line, err := exportLine(leaf)
			if err != nil {
				return err
			}
			if _, err := w.Write(line); err != nil {
				return err
			}
			if err := w.WriteByte('\n'); err != nil {
				return err
			}
			next++
		}
	}
	return w.Flush()
}

// exportRemoved writes the hashes of events that are not there.
func exportRemoved(ctx context.Context, rows Reader, from, to int64, lines *json.Encoder) (int64, error) {
	for ; from < to; from++ {
		h, err := rows.TreeHashesAt(ctx, []int64{tlog.StoredHashIndex(0, from)})
		if err != nil {
			return 0, err
		}
		if len(h) == 1 {
			if err := lines.Encode(exportPruned{from, h[0].Hash}); err != nil {
				return 0, err
			}
		}
	}
	return to, nil
}

// Exported is an event as receivers get it.
type Exported struct {
	Event Event  // with its personal values, where they are not erased
	Line  []byte // of an export: JSON without a newline
}

// Receiver takes events outside. Send returns nil when the receiver has them, as far as its protocol tells; with no
// events it looks whether the receiver is still there.
type Receiver interface {
	Name() string
	Send(context.Context, []Exported) error
	// Settle is for how long after Send its loss can still show, for protocols without acknowledgement: the position
	// is stored when so much time has passed without an error, and after one all since then is sent again.
	Settle() time.Duration
}

// How exports pace themselves.
const (
	exportEvery = 200 * time.Millisecond
	exportBatch = 500
	minBackoff  = 500 * time.Millisecond
	maxBackoff  = time.Minute
)

// ExportPosition is the name under which a receiver's position is stored.
func ExportPosition(receiver string) string { return "export:" + receiver }

// export sends the log to one receiver, while this process leads.
type export struct {
	Receiver
	log *Log

	mu      sync.Mutex
	now     ExportStatus
	sent    int64 // next position to send
	pending []sending
}

// sending is what was sent and is not settled.
type sending struct {
	to int64
	at time.Time
}

func (e *export) status() ExportStatus {
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.now
	s.Name = e.Name()
	if sizes := e.log.sizes.Load(); sizes != nil {
		s.Lag = max(0, sizes.Signed-s.Position)
	}
	return s
}

func (e *export) run(ctx context.Context) {
	backoff, begun := minBackoff, false
	wait := time.NewTimer(exportEvery)
	defer wait.Stop()
	if c, ok := e.Receiver.(io.Closer); ok {
		defer c.Close()
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-wait.C:
		}
		if !e.log.leader.leading.Load() {
			begun = false
			wait.Reset(exportEvery)
			continue
		}
		var err error
		if !begun {
			err = e.begin(ctx)
			begun = err == nil
		}
		more := false
		if begun {
			more, err = e.some(ctx)
		}
		e.said(err)
		switch {
		case err != nil:
			begun = false // what was not settled is sent again
			wait.Reset(backoff)
			backoff = min(2*backoff, maxBackoff)
		case more:
			backoff = minBackoff
			wait.Reset(0)
		default:
			backoff = minBackoff
			wait.Reset(exportEvery)
		}
	}
}

// begin goes back to the stored position.
func (e *export) begin(ctx context.Context) error {
	positions, err := e.log.rows.Positions(ctx)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.now.Position = positions[ExportPosition(e.Name())]
	e.sent, e.pending = e.now.Position, nil
	return nil
}

// some sends one batch, and stores the position of what is settled.
func (e *export) some(ctx context.Context) (more bool, err error) {
	sizes, err := e.log.rows.Sizes(ctx)
	if err != nil {
		return false, err
	}
	leaves, err := e.log.rows.Leaves(ctx, e.sent-1, exportBatch)
	if err != nil {
		return false, err
	}
	batch := make([]Exported, 0, len(leaves))
	for _, leaf := range leaves {
		if leaf.Seq >= sizes.Signed {
			break // receivers get what is in the tree
		}
		line, err := exportLine(leaf)
		if err != nil {
			return false, err
		}
		event, err := leaf.Event()
		if err != nil {
			return false, err
		}
		batch = append(batch, Exported{Event: event.Shown(), Line: line})
	}
	if len(batch) > 0 || len(e.pending) > 0 {
		if err := e.Send(ctx, batch); err != nil {
			return false, err
		}
	}
	if len(batch) > 0 {
		e.sent = batch[len(batch)-1].Event.Seq + 1
		e.pending = append(e.pending, sending{e.sent, time.Now()})
	}
	settled := e.now.Position
	for len(e.pending) > 0 && time.Since(e.pending[0].at) >= e.Settle() {
		settled, e.pending = e.pending[0].to, e.pending[1:]
	}
	if settled != e.now.Position {
		if err := e.log.rows.MovePosition(ctx, ExportPosition(e.Name()), e.now.Position, settled); err != nil {
			return false, err
		}
		e.mu.Lock()
		e.now.Position = settled
		e.mu.Unlock()
	}
	return len(batch) == exportBatch, nil
}

// said keeps why nothing arrives, and logs it when it begins.
func (e *export) said(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text == e.now.Problem {
		return
	}
	if e.now.Problem == "" || text == "" {
		e.now.Since = time.Now()
	}
	e.now.Problem = text
	if err != nil {
		e.log.log.Error("the audit log is not exported", "to", e.Name(), "err", err)
	} else {
		e.log.log.Info("the audit log is exported again", "to", e.Name())
	}
}
