package token

import (
	"crypto/sha256"
	"sync"
	"time"
)

// Once remembers what may be shown once, such as a proof's jti, for as long as it would be good otherwise. It is of one
// process; its locks are many, so that requests do not wait for each other. It holds some tens of megabytes at most: when
// more is shown, nothing is first until a life is over. Of that one party gets a sixteenth.
type Once struct {
	life time.Duration
	part [64]oncePart
}

type oncePart struct {
	mu      sync.Mutex
	current map[onceKey]struct{}
	before  map[onceKey]struct{}
	of      map[onceKey]int // how many of the current ones are a party's
	turned  time.Time
}

// onceKey is as much of a hash as nobody finds twice.
type onceKey [16]byte

// What a part holds within a life: which part something is in is its hash's to say, and whoever tries until it is a certain
// one gets no further there than this.
const (
	onceAtMost = 8192
	onceOfOne  = onceAtMost / 16
)

// NewOnce returns an empty Once whose entries are remembered for at least life.
func NewOnce(life time.Duration) *Once {
	return &Once{life: life}
}

// First reports whether something is shown for the first time within its life, by a party that has not shown too much.
func (o *Once) First(party, what string, now time.Time) bool {
	digest, by := sha256.Sum256([]byte(what)), sha256.Sum256([]byte(party))
	key, p := onceKey(digest[:16]), &o.part[int(digest[16])%len(o.part)]
	p.mu.Lock()
	defer p.mu.Unlock()
	if age := now.Sub(p.turned); age >= o.life || age < 0 {
		p.before, p.current, p.turned = p.current, map[onceKey]struct{}{}, now
		p.of = map[onceKey]int{}
		if age >= 2*o.life {
			p.before = nil
		}
	}
	if _, seen := p.current[key]; seen || len(p.current) >= onceAtMost || p.of[onceKey(by[:16])] >= onceOfOne {
		return false
	}
	if _, seen := p.before[key]; seen {
		return false
	}
	p.current[key] = struct{}{}
	p.of[onceKey(by[:16])]++
	return true
}
