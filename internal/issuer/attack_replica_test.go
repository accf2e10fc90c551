package issuer_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// A right that is revoked at one replica is revoked at the others for as long as any token that they gave by it, and what they
// hold of it is closed (SECURITY row 18).
func TestAttack18ARevokedRightAtAnotherReplica(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	here, there := issuer.New(w.config), issuer.New(w.config)
	if _, err := here.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "reports", Until: w.clock().Add(time.Minute)}); err != nil {
		t.Fatal(err)
	}
	mine := w.engine.LeasesOf(ada)
	longer, err := there.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "reports"})
	if err != nil || len(mine) != 1 || len(w.engine.LeasesOf(ada)) != 2 {
		t.Fatal(err, len(mine))
	}
	w.engine.Revoke(mine[0].ID, access.Reason{Code: access.Revoked, Text: "it was revoked"})
	if !eventually(func() bool {
		all, err := w.rows.RevokedTokens(t.Context())
		return err == nil && len(all) == 1
	}) {
		t.Fatal("nothing is stored")
	}
	if err := there.Revoked(t.Context()); err != nil {
		t.Fatal(err)
	}
	if open := w.engine.LeasesOf(ada); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	w.later(2 * time.Minute)
	claims, err := there.Minted(t.Context(), longer.Token)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, ok := there.Stands(t.Context(), claims); ok {
		t.Error("a token of the other replica stands")
	}
	w.later(9 * time.Minute)
	if got, err := there.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "reports"}); problem.KindOf(err) != problem.Denied {
		t.Errorf("a new one is given: %+v %v", got, err)
	}
	if all, err := w.rows.RevokedTokens(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%v %v", all, err)
	}
}

// A proof by another key than the access token's is not remembered, so that who has stolen the token uses nothing up
// (SECURITY row 33).
func TestAttack33AProofOfAnotherKeyIsNotKept(t *testing.T) {
	w := newWorld(t)
	p, thief := w.program(issuer.CLI), w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	got := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	thief.me(got.Access, nil) // it has a nonce now
	once := map[string]any{"jti": "the same"}
	if a := thief.me(got.Access, once); a.Status != http.StatusUnauthorized {
		t.Fatalf("%+v", a)
	}
	code, verifier = w.code(issuer.CLI, laptop, nil)
	if a := thief.postWith(issuer.TokenPath, byCode(code, verifier, laptop), once); a.Status != http.StatusOK {
		t.Errorf("it was remembered: %+v", a)
	}
}
