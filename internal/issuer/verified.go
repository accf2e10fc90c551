package issuer

import (
	"sync"
	"time"
)

// verified remembers access tokens whose signatures were checked, by their hashes, until they expire. Only the signature
// is spared: whether the session lives is asked each time.
type verified struct{ part [16]verifiedPart }

type verifiedPart struct {
	mu     sync.Mutex
	tokens map[[32]byte]accessClaims
}

// verifiedAtMost bounds what one part holds; beyond it all of it is forgotten, which costs a signature each.
const verifiedAtMost = 4096

func (v *verified) get(hash [32]byte, now time.Time) (accessClaims, bool) {
	p := &v.part[hash[0]%byte(len(v.part))]
	p.mu.Lock()
	defer p.mu.Unlock()
	a, ok := p.tokens[hash]
	if ok && now.Unix() >= a.Expires {
		delete(p.tokens, hash)
		return accessClaims{}, false
	}
	return a, ok
}

func (v *verified) put(hash [32]byte, a accessClaims) {
	p := &v.part[hash[0]%byte(len(v.part))]
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.tokens == nil || len(p.tokens) >= verifiedAtMost {
		p.tokens = map[[32]byte]accessClaims{}
	}
	p.tokens[hash] = a
}
