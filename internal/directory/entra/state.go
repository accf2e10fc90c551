package entra

import (
	"sync"
	"sync/atomic"
	"time"
)

// State is how the reading of the tenant is doing since the source was made: for metrics and for who looks what is wrong.
type State struct {
	Read     time.Time // when all that is read here was last asked for and heard; zero: not yet
	Problem  string    // why the last reading failed, in words for an operator; empty when it did not
	Failing  time.Time // since when readings fail; zero when they do not
	Requests int64     // sent to Graph, repeated ones too
	// Throttled and Failed are the requests that Graph answered with 429, and those that were answered with another
	// error that may pass, in a broken way, or not at all.
	Throttled, Failed int64
	// Quiet is until when Graph asked not to be asked; zero when it did not.
	Quiet   time.Time
	Resyncs int64      // whole readings that were taken over
	Reading []Progress // whole readings that are under way
	// Skew is how far Graph's clock is ahead of ours, by the Date of its last answer. Nothing is decided by it.
	Skew time.Duration
	// Roles and SignIns say why app roles with their assignments, and the ends of sign-ins (signInSessionsValidFromDateTime),
	// cannot be read, as far as Graph refuses it: they stay as they were. Empty when they can.
	Roles, SignIns string
	Watched        int // users whose ends of sign-ins are asked for at each sweep
}

// Progress is how far a whole reading is.
type Progress struct {
	Of      string // users, groups
	Pages   int
	Objects int       // users or groups seen, those seen again too
	Resumed bool      // it goes on where an earlier process was
	Since   time.Time // when it began, in whichever process
}

// figures count what a source does. They are safe for concurrent use.
type figures struct {
	requests, throttled, failed, resyncs, skew atomic.Int64

	mu    sync.Mutex
	state State // what is not counted above
}

// say changes what is not counted.
func (f *figures) say(change func(*State)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(&f.state)
}

// State says how the reading is doing. It is safe for concurrent use and waits for nothing.
func (s *Source) State() State {
	f := s.figures
	f.mu.Lock()
	now := f.state
	now.Reading = append([]Progress(nil), now.Reading...)
	f.mu.Unlock()
	now.Requests, now.Throttled, now.Failed = f.requests.Load(), f.throttled.Load(), f.failed.Load()
	now.Resyncs, now.Skew = f.resyncs.Load(), time.Duration(f.skew.Load())
	return now
}
