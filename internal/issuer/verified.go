package issuer

import (
	"sync"
	"time"
)

// verified remembers tokens whose signatures were checked, by their hashes, until they expire. Only the signature is
// spared: whether what a token rests on holds is asked each time.
type verified[T expiring] struct{ part [16]verifiedPart[T] }

// expiring says when it ends, in Unix seconds.
type expiring interface{ ends() int64 }

func (a accessClaims) ends() int64 { return a.Expires }

func (c Claims) ends() int64 { return c.Expires }

type verifiedPart[T expiring] struct {
	mu     sync.Mutex
	tokens map[[32]byte]T
}

// verifiedAtMost bounds what one part holds; beyond it all of it is forgotten, which costs a signature each.
const verifiedAtMost = 4096

func (v *verified[T]) get(hash [32]byte, now time.Time) (t T, ok bool) {
	p := &v.part[hash[0]%byte(len(v.part))]
	p.mu.Lock()
	defer p.mu.Unlock()
	t, ok = p.tokens[hash]
	if ok && now.Unix() >= t.ends() {
		delete(p.tokens, hash)
		var none T
		return none, false
	}
	return t, ok
}

func (v *verified[T]) put(hash [32]byte, t T) {
	p := &v.part[hash[0]%byte(len(v.part))]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens == nil || len(p.tokens) >= verifiedAtMost {
		p.tokens = map[[32]byte]T{}
	}
	p.tokens[hash] = t
}
