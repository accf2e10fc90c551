package signin

import (
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// Anybody may send any answer of a tenant to the callback, so within refusalGap no more than this many of those that
// are refused are entries of the audit log; of further ones the log has the number.
const (
	refusalGap  = 10 * time.Second
	maxRefusals = 20
)

type refusals struct {
	log   Recorder
	mu    sync.Mutex
	since time.Time
	noted int
	more  int64
}

func (r *refusals) add(e audit.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(e.Time)
	if r.noted >= maxRefusals {
		r.more++
		return
	}
	r.noted++
	r.log.Later(e)
}

// settle writes how many were not entries of their own, when their time is over.
func (r *refusals) settle(now time.Time) {
	if now.Sub(r.since) < refusalGap {
		return
	}
	if r.more > 0 {
		r.log.Later(audit.Event{Time: now, Action: "signin", Outcome: audit.Denied, Detail: map[string]any{"repeated": r.more}})
	}
	r.since, r.noted, r.more = now, 0, 0
}

func (r *refusals) flush(now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settle(now)
}
