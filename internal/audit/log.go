package audit

import (
	"context"
	"errors"
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
	indexEvery    = 200 * time.Millisecond // how often the index catches up
	pruneEvery    = 10 * time.Minute       // how often old events are looked for
	takeOverAfter = time.Second            // how long an event stays pending before another process takes the lead
	writeTimeout  = 10 * time.Second       // after which a database that does not answer counts as failed
	shutdownTime  = 5 * time.Second        // for the last flush
	maxBatch      = 4000                   // events that one transaction makes leaves of
	maxLater      = 8192                   // events that wait in memory
)

// Config is what a log is made of.
type Config struct {
	Rows Rows
	// Signer signs checkpoints. Its name is the log's origin, such as "lanyard.localhost/audit".
	Signer note.Signer
	// Holder names this process as leader; random per process.
	Holder string
	// Copies are files to which signed checkpoints are appended, Remotes addresses that they are sent to: where those
	// who can write the database cannot.
	Copies  []string
	Remotes []Remote
	// Retention is the age at which events' bodies are removed; 0 keeps them.
	Retention time.Duration
	// Receivers get every event, at least once. Their names are kept in the database and must not change.
	Receivers []Receiver
	Log       *slog.Logger
}

// Log is the server's side of the audit log. Its methods may be called concurrently.
type Log struct {
	rows      Rows
	log       *slog.Logger
	group     group
	later     later
	leader    leader
	retention time.Duration
	exports   []*export

	failing sync.Map              // what was being done to why it failed
	sizes   atomic.Pointer[Sizes] // when last looked at
}

// New makes a log. Nothing happens before Run.
func New(c Config) *Log {
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	l := &Log{rows: c.Rows, log: c.Log, retention: c.Retention}
	l.group.insert = c.Rows.InsertRecords
	l.leader = leader{rows: c.Rows, signer: c.Signer, holder: c.Holder, copies: newCopies(c), log: c.Log}
	for _, r := range c.Receivers {
		l.exports = append(l.exports, &export{Receiver: r, log: l})
	}
	return l
}

// Run moves events into the log until ctx ends, and once more then. It returns nil.
func (l *Log) Run(ctx context.Context) error {
	var all sync.WaitGroup
	all.Go(func() {
		every(ctx, flushEvery, func() { l.flush(ctx) })
	})
	all.Go(func() {
		every(ctx, leadEvery, func() { l.lead(ctx) })
	})
	all.Go(func() {
		every(ctx, indexEvery, func() { l.index(ctx) })
	})
	all.Go(func() {
		every(ctx, remoteEvery, func() {
			if l.leader.leading.Load() {
				l.leader.copies.sendAll(ctx)
			}
		})
	})
	if l.retention > 0 {
		all.Go(func() {
			every(ctx, pruneEvery, func() { l.prune(ctx, time.Now()) })
		})
	}
	for _, e := range l.exports {
		all.Go(func() { e.run(ctx) })
	}
	all.Wait()
	// The context has ended; what is still in memory has not.
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime)
	defer cancel()
	l.flush(last)
	l.lead(last)
	l.index(last)
	l.leader.resign(last)
	l.leader.copies.close()
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

// lead makes leaves of what was given, if this process leads.
func (l *Log) lead(ctx context.Context) {
	defer l.leader.copies.write()
	for ctx.Err() == nil {
		n, err := l.leader.step(ctx)
		if !l.report("move events into the audit log", err) || n < maxBatch {
			return
		}
	}
}

// report keeps why something fails until it does not, and logs it when it begins, not at every attempt. It returns
// whether all is well.
func (l *Log) report(doing string, err error) bool {
	switch {
	case err == nil:
		l.failing.Delete(doing)
		return true
	case errors.Is(err, ErrFenced): // another process does it
		return false
	}
	text := doing + ": " + err.Error()
	if old, _ := l.failing.Swap(doing, text); old != text {
		l.log.Error("audit log", "doing", doing, "err", err)
	}
	return false
}
