package provision

import (
	"sync"
	"time"
)

// pace lets so many requests a second pass, and so many at once after a pause.
type pace struct {
	each  time.Duration
	burst time.Duration

	mu   sync.Mutex
	next time.Time // when the bucket would be full again
}

func newPace(perSecond, atOnce int) *pace {
	each := time.Second / time.Duration(perSecond)
	return &pace{each: each, burst: each * time.Duration(atOnce)}
}

// pass reports whether one more may pass.
func (p *pace) pass(now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next.Before(now) {
		p.next = now
	}
	if p.next.Sub(now)+p.each > p.burst {
		return false
	}
	p.next = p.next.Add(p.each)
	return true
}
