package issuer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// RevokedRows keeps what was revoked of minted tokens until it would have ended by itself. Of tokens that are good nothing
// is kept.
type RevokedRows interface {
	// RevokeToken stores an ID and announces it to other replicas. It is harmless to store one twice.
	RevokeToken(ctx context.Context, id string, until time.Time, events ...audit.Event) error
	// RevokedTokens are the IDs stored, and when each ends.
	RevokedTokens(ctx context.Context) (map[string]time.Time, error)
}

// revoked are single tokens, by "jti …", and rights to mint with all that was got by them, by rightKey.id.
type revoked struct {
	mu   sync.RWMutex
	ends map[string]time.Time
}

// tokenID is how a token is named among what was revoked.
func tokenID(jti string) string { return "jti " + jti }

func (v *revoked) until(id string, now time.Time) (until time.Time, is bool) {
	v.mu.RLock()
	defer v.mu.RUnlock()
	until = v.ends[id]
	return until, now.Before(until)
}

func (v *revoked) add(all map[string]time.Time, now time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.ends == nil {
		v.ends = map[string]time.Time{}
	}
	for id, until := range v.ends {
		if !now.Before(until) {
			delete(v.ends, id)
		}
	}
	for id, until := range all {
		if now.Before(until) && v.ends[id].Before(until) {
			v.ends[id] = until
		}
	}
}

// Revoked reads what was revoked, at the start and whenever another replica has revoked something.
func (s *Issuer) Revoked(ctx context.Context) error {
	all, err := s.c.Mint.Rows.RevokedTokens(ctx)
	if err != nil {
		return fmt.Errorf("read which tokens were revoked: %w", err)
	}
	s.revoked.add(all, s.c.Now())
	s.cutRevoked()
	return nil
}

// revokeWithin is how long the database may take to store a revocation, which holds here already.
const revokeWithin = 5 * time.Second

// revokeAgain is when storing it is tried again.
const revokeAgain = 2 * time.Second

// revokeUntil takes effect here at once; the error is that it is not stored yet.
func (s *Issuer) revokeUntil(ctx context.Context, id string, until time.Time, events ...audit.Event) error {
	s.revoked.add(map[string]time.Time{id: until}, s.c.Now())
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), revokeWithin)
	defer cancel()
	err := s.c.Mint.Rows.RevokeToken(ctx, id, until, events...)
	if err != nil {
		s.c.Log.Warn("what was revoked of tokens holds here and is not stored yet", "error", err)
		time.AfterFunc(revokeAgain, func() {
			if s.c.Now().Before(until) {
				_ = s.revokeUntil(context.Background(), id, until, events...) // it says so itself, and comes again
			}
		})
	}
	return err
}
