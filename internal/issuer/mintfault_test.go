package issuer_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// hooked is the log, at which something happens while an entry is made durable.
type hooked struct {
	*events
	durable func() error
}

func (h hooked) Durable(ctx context.Context, all ...audit.Event) error {
	if err := h.durable(); err != nil {
		return err
	}
	return h.events.Durable(ctx, all...)
}

// What is taken away while the entry of a token is written takes the token along.
func TestAttack18NoTokenAfterItsRoleWent(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	w.config.Audit = hooked{w.audit, func() error { w.member(false); return nil }}
	w.restart()
	w.refused(w.inWorkspace(), "reports", problem.Denied, "Access has just ended: you are no longer in the group payments-engineers")
}

// Without its entry no token is given.
func TestNoTokenWithoutItsEntry(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	w.config.Audit = hooked{w.audit, func() error { return errors.New("the disk is full") }}
	w.restart()
	w.refused(w.inWorkspace(), "reports", problem.Unavailable, "The audit log cannot be written")
}

// Many at once share one lease, and what is revoked meanwhile stays revoked.
func TestManyMintAtOnce(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			for range 10 {
				if _, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "reports"}); err != nil && problem.KindOf(err) != problem.Denied {
					t.Error(err)
				}
			}
		})
	}
	all.Go(func() {
		if !eventually(func() bool { return len(w.engine.LeasesOf(ada)) == 1 }) {
			t.Error("no lease, or several")
			return
		}
		w.engine.Revoke(w.engine.LeasesOf(ada)[0].ID, access.Reason{Code: access.Revoked, Text: "it was revoked"})
	})
	all.Wait()
	w.refused(who, "reports", problem.Denied, "was revoked")
	if open := w.engine.LeasesOf(ada); len(open) != 0 {
		t.Errorf("open: %+v", open)
	}
	if _, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: identity.Principal{}, Audience: "reports"}); err == nil {
		t.Error("nobody gets a token")
	}
}

// While the directory cannot be read, what is open goes on for longer than new access is given, and tokens are open.
func TestTokensWhileTheDirectoryIsOld(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	got := w.mint(w.inWorkspace(), "reports")
	w.engine.Publish(func(f access.Facts) access.Facts {
		f.Bounds = access.Bounds{Stale: time.Nanosecond, Close: time.Hour}
		return f
	}, access.Touched{All: true})
	if a := w.introspected(got.Token); !a.Active {
		t.Errorf("a token whose right is open: %+v", a)
	}
	w.refused(w.inWorkspace(), "reports", problem.Unavailable, "the directory was last read")
	w.engine.Publish(func(f access.Facts) access.Facts { f.Bounds.Close = time.Nanosecond; return f }, access.Touched{All: true})
	if a := w.introspected(got.Token); a.Active {
		t.Errorf("a token whose right was closed: %+v", a)
	}
}
