package storetest

import (
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// refreshTokens are spent once, whoever comes at the same time; what was spent is known for it.
func refreshTokens(t *testing.T, db Database) {
	ctx, s := t.Context(), db.Open(t, "one")
	at := func(n byte) [32]byte { return [32]byte{n, 9} }
	if err := s.AddRefreshToken(ctx, at(1), "s-one", "openid", now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if err := s.AddRefreshToken(ctx, at(1), "s-two", "", now().Add(time.Hour)); err == nil {
		t.Error("a token of two sessions")
	}
	var all sync.WaitGroup
	var mu sync.Mutex
	first, again := 0, 0
	for i := range 8 {
		all.Go(func() {
			session, used, err := s.UseRefreshToken(ctx, at(1), at(byte(10+i)), now())
			mu.Lock()
			defer mu.Unlock()
			switch {
			case err != nil || session != "s-one":
				t.Errorf("%q %v", session, err)
			case used:
				again++
			default:
				first++
			}
		})
	}
	all.Wait()
	if first != 1 || again != 7 {
		t.Errorf("%d had it, and for %d it was used", first, again)
	}
	next := 0
	for i := range 8 {
		session, scope, err := s.RefreshTokenOf(ctx, at(byte(10+i)))
		if err != nil {
			t.Error(err)
		}
		if session == "s-one" && scope == "openid" {
			next++
		}
	}
	if next != 1 {
		t.Errorf("%d next tokens", next)
	}
	if session, used, err := s.UseRefreshToken(ctx, at(99), at(98), now()); session != "" || used || err != nil {
		t.Errorf("an unknown token: %q %t %v", session, used, err)
	}
	if err := s.AddRefreshToken(ctx, at(2), "s-old", "", now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if session, _, err := s.UseRefreshToken(ctx, at(2), at(3), now().Add(time.Hour)); session != "" || err != nil {
		t.Errorf("an expired token: %q %v", session, err)
	}
	if session, _, err := s.RefreshTokenOf(ctx, at(1)); err != nil || session != identity.SessionID("s-one") {
		t.Errorf("a spent token's session: %q %v", session, err)
	}
}
