// Package token keeps signing keys, signs and verifies tokens, and publishes and reads key sets (JWKS, RFC 7517).
// Tokens are signed JWTs (RFC 7519) in compact form. It also holds the Sealer, under which keys and other secrets
// are kept at rest.
package token

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// Config makes Keys.
type Config struct {
	Rows   Rows
	Sealer *Sealer
	Kinds  []string         // the kinds of key this installation signs with
	Now    func() time.Time // nil: time.Now
}

// A new key is published for publishedFor before it signs, so that whoever keeps a key set for a while has it by then.
// The one it takes the place of goes on verifying for verifiesFor, longer than any token lives.
const (
	publishedFor = 2 * time.Minute
	verifiesFor  = 24 * time.Hour
)

// Keys are an installation's signing keys. Of each kind the newest that is not retired and was published for long
// enough signs; all of them verify.
type Keys struct {
	rows   Rows
	sealer *Sealer
	kinds  []string
	now    func() time.Time

	writing sync.Mutex // one reading or rotation at a time; signing never takes it
	set     atomic.Pointer[keySet]
}

type keySet struct {
	byKind map[string][]signing // oldest first
	kinds  []string
}

// Open reads the keys and makes those that are missing.
func Open(ctx context.Context, c Config) (*Keys, error) {
	k := &Keys{rows: c.Rows, sealer: c.Sealer, kinds: c.Kinds, now: c.Now}
	if k.now == nil {
		k.now = time.Now
	}
	k.writing.Lock()
	defer k.writing.Unlock()
	if err := k.read(ctx); err != nil {
		return nil, err
	}
	for _, kind := range k.kinds {
		if _, ok := k.set.Load().signer(kind, k.now()); ok {
			continue
		}
		if err := k.add(ctx, kind); err != nil {
			return nil, err
		}
	}
	return k, nil
}

// Reload reads the keys again: another replica may have added one.
func (k *Keys) Reload(ctx context.Context) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.read(ctx)
}

// Rotate adds a key of a kind; soon it signs, and the older ones go on verifying.
func (k *Keys) Rotate(ctx context.Context, kind string) error {
	k.writing.Lock()
	defer k.writing.Unlock()
	return k.add(ctx, kind)
}

// JWKS is the set of public keys, to be published.
func (k *Keys) JWKS() jose.JSONWebKeySet { return k.set.Load().public(k.now()) }

func (k *Keys) add(ctx context.Context, kind string) error {
	row, opened, err := generate(k.sealer, kind, k.now())
	if err != nil {
		return fmt.Errorf("make a key for %s: %w", kind, err)
	}
	if err := k.rows.AddKey(ctx, row); err != nil {
		return fmt.Errorf("store a key for %s: %w", kind, err)
	}
	next := map[string][]signing{}
	for kind, list := range k.set.Load().byKind {
		next[kind] = list[:len(list):len(list)]
	}
	next[kind] = append(next[kind], opened)
	k.set.Store(newKeySet(k.kinds, next))
	return nil
}

func (k *Keys) read(ctx context.Context) error {
	byKind := map[string][]signing{}
	for _, kind := range k.kinds {
		rows, err := k.rows.Keys(ctx, kind)
		if err != nil {
			return fmt.Errorf("read the keys for %s: %w", kind, err)
		}
		for _, row := range rows {
			opened, err := open(k.sealer, row)
			if err != nil {
				return fmt.Errorf("open the key %s for %s: %w", row.ID, kind, err)
			}
			byKind[kind] = append(byKind[kind], opened)
		}
	}
	k.set.Store(newKeySet(k.kinds, byKind))
	return nil
}

func newKeySet(kinds []string, byKind map[string][]signing) *keySet {
	return &keySet{byKind: byKind, kinds: kinds}
}

// public are the keys that may verify now.
func (s *keySet) public(now time.Time) jose.JSONWebKeySet {
	set := jose.JSONWebKeySet{Keys: []jose.JSONWebKey{}}
	for _, kind := range s.kinds {
		set.Keys = append(set.Keys, s.publicOf(kind, now)...)
	}
	return set
}

func (s *keySet) publicOf(kind string, now time.Time) (keys []jose.JSONWebKey) {
	list := s.byKind[kind]
	for i, key := range list {
		if i+1 < len(list) && now.Sub(list[i+1].created) > publishedFor+verifiesFor {
			continue
		}
		keys = append(keys, key.public)
	}
	return keys
}

func (s *keySet) signer(kind string, now time.Time) (signing, bool) {
	list := s.byKind[kind]
	oldest := -1
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].retired {
			continue
		}
		if oldest = i; now.Sub(list[i].created) >= publishedFor {
			break
		}
	}
	if oldest < 0 {
		return signing{}, false
	}
	return list[oldest], true // the only one signs from its first moment
}
