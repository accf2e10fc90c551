package audit

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"
)

// How the log paces itself.
const (
	leadEvery     = 200 * time.Millisecond // how often pending events become leaves
	flushEvery    = 200 * time.Millisecond // how often what Later was given is inserted
	takeOverAfter = time.Second            // how long an event stays pending before another process takes the lead
	writeTimeout  = 10 * time.Second       // after which a database that does not answer counts as failed
	shutdownTime  = 5 * time.Second        // for the last flush
	maxBatch      = 1000                   // events in one transaction
	maxLater      = 8192                   // events that wait in memory
)

// Config is what a log is made of.
type Config struct {
	Rows Rows
	// Signer signs checkpoints. Its name is the log's origin, such as "lanyard.localhost/audit".
	Signer note.Signer
	// Holder names this process as leader; random per process.
	Holder string
	// Copies are files to which every signed checkpoint is appended: where those who can write the database cannot.
	Copies []string
	Log    *slog.Logger
}

// Log is the server's side of the audit log. Its methods may be called concurrently.
type Log struct {
	rows   Rows
	log    *slog.Logger
	group  group
	later  later
	leader leader

	mu      sync.Mutex
	grown   chan struct{} // closed, and replaced, when this process has appended
	failing atomic.Pointer[string]
}

// New makes a log. Nothing happens before Run.
func New(c Config) *Log {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{rows: c.Rows, log: c.Log, grown: make(chan struct{})}
	l.group.insert = c.Rows.InsertEvents
	l.leader = leader{rows: c.Rows, signer: c.Signer, holder: c.Holder, copies: newCopies(c.Copies, c.Log), log: c.Log}
	return l
}

// Status is how the log is doing, for the operations site.
type Status struct {
	Leading bool
	Size    int64  // of the tree, as far as this process knows
	Dropped int64  // events given to Later that could not be kept
	Problem string // why the log is not written, or a copy is not; empty when all is well
}

// Status reports how the log is doing.
func (l *Log) Status() Status {
	s := Status{Leading: l.leader.leading.Load(), Size: l.leader.known.Load(), Dropped: l.later.dropped.Load()}
	if p := l.failing.Load(); p != nil {
		s.Problem = *p
	}
	if p := l.leader.copies.problem(); s.Problem == "" && p != "" {
		s.Problem = p
	}
	return s
}

// Run moves events into the log until ctx ends, and once more then. It returns nil.
func (l *Log) Run(ctx context.Context) error {
	var both sync.WaitGroup
	both.Go(func() {
		every(ctx, flushEvery, func() { l.flush(ctx) })
	})
	both.Go(func() {
		every(ctx, leadEvery, func() { l.lead(ctx) })
	})
	both.Wait()
	// The context has ended; what is still in memory has not.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	l.flush(last)
	l.lead(last)
	l.leader.resign(last)
	return nil
}

func every(ctx context.Context, interval time.Duration, do func()) {
	ticker := time.NewTicker(interval)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			do()
		}
	}
}

// lead takes in what is pending, if this process leads.
func (l *Log) lead(ctx context.Context) {
	for ctx.Err() == nil {
		n, err := l.leader.step(ctx)
		if err != nil {
			l.report("move events into the audit log", err)
			return
		}
		l.failing.Store(nil)
		if n > 0 {
			l.mu.Lock()
			close(l.grown)
			l.grown = make(chan struct{})
			l.mu.Unlock()
		}
		if n < maxBatch {
			return
		}
	}
}

// report logs a failure when it begins, not at every attempt.
func (l *Log) report(doing string, err error) {
	text := doing + ": " + err.Error()
	if old := l.failing.Swap(&text); old == nil || *old != text {
		l.log.Error("audit log", "doing", doing, "err", err)
	}
}
