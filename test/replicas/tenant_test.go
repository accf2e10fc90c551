package replicas

import (
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// briefly are the bounds of a directory's age, short enough that a test outlives them many times over, as an hour outlives
// the defaults.
const briefly = "directory: {sweep: 500ms, stale_after: 5s, close_after: 9s}\n"

// lasts is longer than what is open outlives a directory that is not read.
const lasts = 11 * time.Second

// TestTenantDown is what docs/operations.md says of a tenant that is away, by half, slow, or wrong about the time: what goes
// on, and what is refused.
func TestTenantDown(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		faults   entrasim.Faults
		signIn   bool // somebody new can sign in
		allowed  bool // at the end what is new is allowed, and what was open is open
		follows  bool // a change at the tenant has its effect
		explains string
		slow     bool // only with LANYARD_SLOW=1
	}{
		{name: "all of it away", faults: befalls("/", entrasim.FaultDrop), explains: "the directory"},
		{name: "all of it answers 503", faults: befalls("/", entrasim.FaultError), explains: "the directory", slow: true},
		{name: "the sign-in away", faults: befalls("/"+entrasim.ContosoTenantID, entrasim.FaultDrop), allowed: true, follows: true},
		{name: "Graph away", faults: befalls("/v1.0/", entrasim.FaultDrop), signIn: true, explains: "the directory"},
		{name: "Graph stalls in the middle of answers", faults: befalls("/v1.0/", entrasim.FaultStall), signIn: true, explains: "the directory", slow: true},
		{name: "slow", faults: entrasim.Faults{Requests: []entrasim.Fault{{Kind: entrasim.FaultSlow, Path: "/", DelaySeconds: 0.2}}}, signIn: true, allowed: true, follows: true, slow: true},
		{name: "its answers an hour ahead", faults: entrasim.Faults{ClockOffsetSeconds: 3600}, signIn: true, allowed: true, follows: true},
		{name: "its answers an hour behind", faults: entrasim.Faults{ClockOffsetSeconds: -3600}, signIn: true, allowed: true, follows: true, slow: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.slow && os.Getenv("LANYARD_SLOW") == "" {
				t.Skip("slow: only with LANYARD_SLOW=1 (make test-all)")
			}
			t.Parallel()
			w := newWorld(t)
			r := w.start("a", options{database: sqlite, more: briefly})
			grace := w.signIn(r, "grace")
			w.eventually("all is allowed", func() bool {
				status, _ := w.get(r, grace, "/api/v1/projects")
				return status == http.StatusOK
			})
			open := w.stream(r, grace)
			if err := w.tenant.SetFaults(c.faults); err != nil {
				t.Fatal(err)
			}
			began := time.Now()

			fresh := browser.New()
			t.Cleanup(fresh.Close)
			err := fresh.SignIn(w.context(), w.url, "barbara@contoso.example", "lanyard-barbara")
			switch {
			case c.signIn && err != nil:
				t.Errorf("nobody can sign in: %v", err)
			case !c.signIn && err == nil:
				t.Error("somebody signed in at a tenant that is away")
			case !c.signIn:
				t.Logf("a sign-in: %v", err)
			}

			if c.allowed {
				w.goesOn(r, grace, open, began)
			} else {
				var said string
				w.eventually("nothing new is allowed", func() bool {
					status, text := w.get(r, grace, "/api/v1/projects")
					said = text
					return status != http.StatusOK
				})
				refused := time.Now()
				t.Logf("refused %v after: %s", refused.Sub(began).Round(100*time.Millisecond), said)
				if !strings.Contains(said, c.explains) {
					t.Errorf("the refusal does not say why: %s", said)
				}
				closed := w.closes(open)
				if closed.Before(refused) {
					t.Error("what was open closed before anything new was refused")
				}
				t.Logf("closed %v after: %s", closed.Sub(began).Round(100*time.Millisecond), last(open.String()))
			}
			if c.follows {
				w.followed(r)
			}
			if err := w.tenant.SetFaults(entrasim.Faults{}); err != nil {
				t.Fatal(err)
			}
			again := time.Now()
			w.eventually("with the tenant again all is allowed", func() bool {
				status, _ := w.get(r, grace, "/api/v1/projects")
				return status == http.StatusOK
			})
			t.Logf("allowed again %v after the tenant came back", time.Since(again).Round(10*time.Millisecond))
			w.eventually("and people sign in", func() bool {
				b := browser.New()
				defer b.Close()
				return b.SignIn(w.context(), w.url, "barbara@contoso.example", "lanyard-barbara") == nil
			})
		})
	}
}

// goesOn asks again and again for longer than a directory that is not read would be relied on. A machine that stands still for
// seconds may make it refuse for a moment, and no longer.
func (w *world) goesOn(r *replica, b *browser.Browser, open *stream, began time.Time) {
	w.Helper()
	asked, refused := 0, 0
	for ; time.Since(began) < lasts; time.Sleep(200 * time.Millisecond) {
		asked++
		if status, said := w.get(r, b, "/api/v1/projects"); status != http.StatusOK {
			refused++
			w.Logf("refused after %v: %d %s", time.Since(began), status, said)
		}
	}
	if refused > asked/4 {
		w.Errorf("%d of %d were refused", refused, asked)
	}
	if !open.open() {
		w.Errorf("what was open closed: %s", open)
	}
}

// followed changes a membership at the tenant, and back, and waits for what follows from it.
func (w *world) followed(r *replica) {
	w.Helper()
	may := func() bool {
		why, err := r.Operator.Why(w.context(), "repo:read", "https://git.example.test/payments/api", "alan")
		return err == nil && why.Decision == "allow"
	}
	for _, change := range []struct {
		do  func(group, member string) error
		may bool
	}{{w.tenant.AddMember, true}, {w.tenant.RemoveMember, false}} {
		if err := change.do("payments-viewers", "alan@contoso.example"); err != nil {
			w.Fatal(err)
		}
		began := time.Now()
		w.eventually("a change is followed", func() bool { return may() == change.may })
		w.Logf("a change of a membership was followed after %v", time.Since(began).Round(time.Millisecond))
	}
}

// TestTenantClockWrong: tokens of a tenant whose clock is an hour off say of themselves that they are not valid, so nobody
// signs in with them; who is signed in goes on, and changes are followed.
func TestTenantClockWrong(t *testing.T) {
	if os.Getenv("LANYARD_SLOW") == "" {
		t.Skip("slow: only with LANYARD_SLOW=1 (make test-all)")
	}
	t.Parallel()
	w := newWorld(t)
	r := w.start("a", options{database: sqlite, more: briefly})
	grace := w.signIn(r, "grace")
	open := w.stream(r, grace)
	for _, off := range []time.Duration{time.Hour, -time.Hour} {
		w.tenant.Advance(off)
		b := browser.New()
		t.Cleanup(b.Close)
		err := b.SignIn(w.context(), w.url, "barbara@contoso.example", "lanyard-barbara")
		if err == nil {
			t.Errorf("somebody signed in with a token of %v from now", off)
		}
		t.Logf("with the tenant's clock off by %v: %v", off, err)
		w.followed(r)
		w.goesOn(r, grace, open, time.Now())
		w.tenant.Advance(-off)
	}
	w.eventually("with the clock set right people sign in", func() bool {
		b := browser.New()
		defer b.Close()
		return b.SignIn(w.context(), w.url, "barbara@contoso.example", "lanyard-barbara") == nil
	})
}

// befalls is a fault of all requests whose paths begin so.
func befalls(path, kind string) entrasim.Faults {
	return entrasim.Faults{Requests: []entrasim.Fault{{Kind: kind, Path: path}}}
}

func last(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	return lines[len(lines)-1]
}
