package storetest

import (
	"testing"
	"time"
)

// revokedTokens are kept until they would have ended by themselves, and known to every process.
func revokedTokens(t *testing.T, db Database) {
	ctx, s := t.Context(), db.Open(t, "one")
	until := now().Add(time.Hour)
	for id, end := range map[string]time.Time{"jti a": until, "right s-one ledger": until, "jti old": now().Add(-time.Minute)} {
		if err := s.RevokeToken(ctx, id, end); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.RevokeToken(ctx, "jti a", now().Add(time.Minute)); err != nil { // again, and for less long
		t.Fatal(err)
	}
	all, err := db.Open(t, "two").RevokedTokens(ctx)
	if err != nil || len(all) != 2 || !all["jti a"].Equal(until) || !all["right s-one ledger"].Equal(until) {
		t.Errorf("%v %v", all, err)
	}
}
