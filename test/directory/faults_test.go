package directory

import (
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// TestFaults: changes of a tenant whose Graph is throttled, fails and drops connections, whose notifications are lost and
// whose delta token expires, read by a real server that is killed twice. In the end its database and its memory equal
// the tenant, field by field.
func TestFaults(t *testing.T) {
	for _, database := range []string{"sqlite", "postgresql"} {
		t.Run(database, func(t *testing.T) {
			t.Parallel()
			endure(t, database)
		})
	}
}

func endure(t *testing.T, database string) {
	changes, size := 1000, entrasim.Size{Seed: 3, Users: 200, Groups: 40, Memberships: 900, Depth: 4, Assigned: 5}
	if os.Getenv("LANYARD_SLOW") != "" {
		changes, size = 10_000, entrasim.Size{Seed: 3, Users: 2000, Groups: 200, Memberships: 15_000, Depth: 5, Assigned: 20}
	}
	sim := newTenant(t, size)
	s := newServed(t, sim, database, "1s")
	eventually(t, "the first reading", s.differs)

	began, calls := time.Now(), sim.calls.Load()
	faults := entrasim.Faults{
		Seed: 3,
		Requests: []entrasim.Fault{{Kind: entrasim.FaultExpire, Path: "/v1.0/groups/delta", Count: 1}, {Kind: entrasim.FaultThrottle, Rate: 0.05},
			{Kind: entrasim.FaultError, Rate: 0.02, Status: 500}, {Kind: entrasim.FaultDrop, Rate: 0.01}},
		Notifications: entrasim.NotificationFaults{Lost: 0.1},
	}
	if err := sim.SetFaults(faults); err != nil {
		t.Fatal(err)
	}
	churn, random := sim.Churn(3), rand.New(rand.NewPCG(3, 7))
	for i := range changes {
		if i%20 == 0 {
			if err := shakeRoles(random, sim); err != nil {
				t.Fatal(err)
			}
		} else if what, err := churn.Change(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		if i%5 == 0 {
			time.Sleep(10 * time.Millisecond) // so that there is something to read between the changes
		}
		if i == changes/3 || i == changes*2/3 {
			s.end(syscall.SIGKILL)
			s.run()
		}
	}
	changing := time.Since(began)
	eventually(t, "the directory equals the tenant, with faults as before", s.differs)
	behind := time.Since(began) - changing
	_, befell := sim.Faults()
	if err := sim.SetFaults(entrasim.Faults{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "what the server decides from equals the tenant", s.showsOther)
	if befell[entrasim.FaultExpire] == 0 || befell[entrasim.FaultThrottle] == 0 || befell["lost"] == 0 {
		t.Errorf("hardly anything went wrong: %v", befell)
	}
	t.Logf("%d changes in %v with %d requests of Graph, of which went wrong %v, and two kill -9: equal %v after the last", changes, changing.Round(time.Millisecond),
		sim.calls.Load()-calls, befell, behind.Round(time.Millisecond))
}
