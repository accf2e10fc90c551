package token

import (
	"hash/maphash"
	"sync"
	"time"
)

// Once remembers what may be shown once, such as a proof's jti, for as long as it would be good otherwise. It is of one
// process; its locks are many, so that requests do not wait for each other.
type Once struct {
	life time.Duration
	seed maphash.Seed
	part [64]oncePart
}

type oncePart struct {
	mu      sync.Mutex
	current map[string]struct{}
	before  map[string]struct{}
	turned  time.Time
}

// NewOnce returns an empty Once whose entries are remembered for at least life.
func NewOnce(life time.Duration) *Once {
	return &Once{life: life, seed: maphash.MakeSeed()}
}

// First reports whether something is shown for the first time within its life.
func (o *Once) First(what string, now time.Time) bool {
	p := &o.part[maphash.String(o.seed, what)%uint64(len(o.part))]
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.turned); age >= o.life || age < 0 {
		p.before, p.current, p.turned = p.current, map[string]struct{}{}, now
		if age >= 2*o.life {
			p.before = nil
		}
	}
	if _, seen := p.current[what]; seen {
		return false
	}
	if _, seen := p.before[what]; seen {
		return false
	}
	p.current[what] = struct{}{}
	return true
}
