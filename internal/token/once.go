package token

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Once remembers what may be shown once, such as a proof's jti, for as long as it would be good otherwise. It is of one
// process; its locks are many, so that requests do not wait for each other. It holds some tens of megabytes at most: when
// more is shown, nothing is first until a life is over.
type Once struct {
	life time.Duration
	part [64]oncePart
}

type oncePart struct {
	mu      sync.Mutex
	current map[onceKey]struct{}
	before  map[onceKey]struct{}
	turned  time.Time
}

// onceKey is as much of a hash as nobody finds twice.
type onceKey [16]byte

const onceAtMost = 8192 // in a part, within a life

// NewOnce returns an empty Once whose entries are remembered for at least life.
func NewOnce(life time.Duration) *Once {
	return &Once{life: life}
}

// First reports whether something is shown for the first time within its life.
func (o *Once) First(what string, now time.Time) bool {
	digest := sha256.Sum256([]byte(what))
	key, p := onceKey(digest[:16]), &o.part[int(digest[16])%len(o.part)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.turned); age >= o.life || age < 0 {
		p.before, p.current, p.turned = p.current, map[onceKey]struct{}{}, now
		if age >= 2*o.life {
			p.before = nil
		}
	}
	if _, seen := p.current[key]; seen || len(p.current) >= onceAtMost {
		return false
	}
	if _, seen := p.before[key]; seen {
		return false
	}
	p.current[key] = struct{}{}
	return true
}
