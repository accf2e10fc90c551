package audit

import (
	"context"
	"time"
)

// Lead does now what Run does at its next tick.
func (l *Log) Lead(ctx context.Context) {
	l.lead(ctx)
	l.index(ctx)
}

// Prune does now what Run does every few minutes.
func (l *Log) Prune(ctx context.Context, now time.Time) { l.prune(ctx, now) }

// Of what parses what comes from outside.
var (
	ParseCursor      = parseCursor
	Cursor           = cursor
	OpenCheckpoint   = openCheckpoint
	SplitCheckpoints = splitCheckpoints
	OpenPruning      = openPruning
	LeafOfLine       = leafOfLine
	ExportLine       = exportLine
)

// Flush inserts now what Later was given.
func (l *Log) Flush(ctx context.Context) { l.flush(ctx) }

// MaxLater is how many events wait in memory.
const MaxLater = maxLater

// Waiting is how many callers of Durable wait for the next transaction.
func (l *Log) Waiting() int {
	l.group.mu.Lock()
	defer l.group.mu.Unlock()
	return len(l.group.waiting)
}

// Note is the note's text.
func (n copiedNote) Note() []byte { return n.note }
