package entra_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// contoso is the sample organisation.
func contoso(t testing.TB) (*entrasim.Tenant, entra.Config) {
	t.Helper()
	return contosoOf(t, entrasim.Contoso(entrasim.Sample{Secret: "sample secret"}))
}

// contosoOf is an organisation behind a real socket.
func contosoOf(t testing.TB, organisation entrasim.Organisation) (*entrasim.Tenant, entra.Config) {
	t.Helper()
	var sim *entrasim.Tenant
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { sim.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	var err error
	sim, err = entrasim.New(entrasim.Config{URL: server.URL, Organisation: organisation})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { sim.Close() })
	app, _ := sim.App(entrasim.LanyardAppID)
	return sim, entra.Config{
		Tenant: tenant, ClientID: entrasim.LanyardAppID, Secret: app.Secret, Graph: sim.GraphURL(),
		TokenURL: server.URL + "/" + sim.TenantID() + "/oauth2/v2.0/token", NotificationURL: "here", Sweep: time.Hour,
	}
}

// rings waits until both subscriptions are there.
func rings(t testing.TB, h *house) {
	t.Helper()
	eventually(t, "subscriptions", func() bool { return strings.Contains(h.log.String(), "change notifications are subscribed to") })
}

// same compares the directory with the tenant's own lists. Who was deleted may be left, disabled.
func same(t *testing.T, h *house, sim *entrasim.Tenant) {
	t.Helper()
	if diff := differs(h, sim); diff != "" {
		t.Fatal(diff)
	}
}

func differs(h *house, sim *entrasim.Tenant) string {
	s := h.Snapshot()
	there := map[string]bool{}
	for _, u := range sim.Users() {
		there[u.ID] = true
		got, ok := s.User(user(u.ID))
		if !ok || got.Name != u.DisplayName || got.UserName != u.UserPrincipalName || got.Mail != u.Mail || got.Enabled != u.AccountEnabled {
			return fmt.Sprintf("user %s is %+v, want %+v", u.ID, got, u)
		}
	}
	for u := range s.Users() {
		if !there[u.ID.Object] && u.Enabled {
			return fmt.Sprintf("%+v is not in the tenant", u)
		}
	}
	clear(there)
	for _, g := range sim.Groups() {
		there[g.ID] = true
		got, ok := s.Group(group(g.ID))
		want := slices.Sorted(slices.Values(g.Members))
		if !ok || got.Name != g.DisplayName || !got.Security || !slices.Equal(membersOf(s, got.ID), want) {
			return fmt.Sprintf("group %s is %+v with %v, want %+v", g.ID, got, membersOf(s, group(g.ID)), g)
		}
	}
	for g := range s.AllGroups() {
		if _, role := g.ID.AppRole(); !role && !there[g.ID.Object] {
			return fmt.Sprintf("%+v is not in the tenant", g)
		}
	}
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestContoso lives through what an administrator does; nothing but notifications tells of it.
func TestContoso(t *testing.T) {
	sim, config := contoso(t)
	h := open(t, newRows(), config)
	h.ready(t)
	same(t, h, sim)
	if g := h.Snapshot().AssignedGroups("payments-engineers"); len(g) != 1 || g[0].ID.Object != entrasim.PaymentsEngineersID {
		t.Errorf("assigned groups of that name: %v", g)
	}
	if g := h.Snapshot().AssignedGroups("all-employees"); len(g) != 0 {
		t.Errorf("a group is assigned that is not: %v", g)
	}
	if h.Snapshot().AsOf().IsZero() {
		t.Error("the directory has no age")
	}
	if !h.in(entrasim.BarbaraID, entrasim.PaymentsEngineersID) || h.enabled(entrasim.LeoID) {
		t.Error("nesting or the leaver was not understood")
	}
	rings(t, h)

	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	must(t, sim.AddMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the return", func() bool { return h.in(entrasim.AdaID, entrasim.AllEmployeesID) })
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.PaymentsAPITeamID))
	eventually(t, "the nested group's removal", func() bool { return !h.in(entrasim.BarbaraID, entrasim.PaymentsEngineersID) })
	must(t, sim.SetEnabled(entrasim.AlanID, false))
	eventually(t, "the disabled account", func() bool { return !h.enabled(entrasim.AlanID) })
	must(t, sim.SetEnabled(entrasim.AlanID, true))
	eventually(t, "the enabled account", func() bool { return h.enabled(entrasim.AlanID) })
	must(t, sim.DeleteUser(entrasim.RadiaID))
	eventually(t, "the deleted user", func() bool { return !h.enabled(entrasim.RadiaID) && !h.in(entrasim.RadiaID, entrasim.ShopLeadsID) })
	must(t, sim.DeleteGroup(entrasim.PaymentsLeadsID))
	eventually(t, "the deleted group", func() bool { return !h.in(entrasim.GraceID, entrasim.PaymentsLeadsID) })
	joiner, err := sim.CreateUser(entrasim.User{UserPrincipalName: "niklaus", AccountEnabled: true})
	must(t, err)
	must(t, sim.AddMember(entrasim.ShopEngineersID, joiner.ID))
	eventually(t, "the joiner", func() bool { return h.enabled(joiner.ID) && h.in(joiner.ID, entrasim.ShopEngineersID) })
	must(t, sim.RenameGroup(entrasim.ShopEngineersID, "shop-builders"))
	eventually(t, "the new name", func() bool { return len(h.Snapshot().AssignedGroups("shop-builders")) == 1 })
	eventually(t, "agreement", func() bool { return differs(h, sim) == "" })
}

// TestExpiredDeltaLink: everything is read again and swapped in one step.
func TestExpiredDeltaLink(t *testing.T) {
	sim, config := contoso(t)
	h := open(t, newRows(), config)
	h.ready(t)
	rings(t, h)
	sim.ExpireDeltaTokens()
	must(t, sim.AddMember(entrasim.ShopEngineersID, entrasim.JoyID))
	eventually(t, "the joiner after the loss", func() bool { return h.in(entrasim.JoyID, entrasim.ShopEngineersID) })
	same(t, h, sim)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.smaller {
		t.Error("the directory was smaller for a moment")
	}
}

// TestRestart goes on from the stored cursors, and learns what happened meanwhile.
func TestRestart(t *testing.T) {
	sim, config := contoso(t)
	r := newRows()
	h := open(t, r, config)
	h.ready(t)
	h.stop()
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	must(t, sim.DeleteUser(entrasim.GraceID))
	config.NotificationURL = ""
	again := open(t, r, config)
	again.ready(t)
	same(t, again, sim)
	if _, known := again.Snapshot().User(user(entrasim.GraceID)); !known {
		t.Error("everything was read again instead of what changed") // a whole read would not name the deleted person
	}
}

// TestSweep: with nothing to ring, changes are found all the same, assignments among them.
func TestSweep(t *testing.T) {
	sim, config := contoso(t)
	config.NotificationURL, config.Sweep = "", 20*time.Millisecond
	h := open(t, newRows(), config)
	h.ready(t)
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	before := h.Snapshot().AsOf()
	eventually(t, "the age", func() bool { return h.Snapshot().AsOf().After(before) })
}

// TestSync reads now, without Run's own reasons.
func TestSync(t *testing.T) {
	sim, config := contoso(t)
	config.NotificationURL = ""
	h := open(t, newRows(), config)
	h.ready(t)
	must(t, sim.SetEnabled(entrasim.AdaID, false))
	must(t, h.source.Sync(t.Context()))
	if h.enabled(entrasim.AdaID) {
		t.Error("Sync did not bring the change")
	}
}

// TestNotificationArrivalIsLearned: what benchmarks measure from is the notification, which came before the change.
func TestNotificationArrivalIsLearned(t *testing.T) {
	sim, config := contoso(t)
	h := open(t, newRows(), config)
	h.ready(t)
	rings(t, h)
	must(t, h.source.Sync(t.Context()))
	// A read that an earlier notification began may carry the change, too; then that one's arrival is what is learned.
	// So it is tried until nothing is under way.
	eventually(t, "an arrival of the change's own notification", func() bool {
		must(t, sim.AddMember(entrasim.PaymentsEngineersID, entrasim.MalloryID))
		eventually(t, "the member", func() bool { return h.in(entrasim.MalloryID, entrasim.PaymentsEngineersID) })
		h.mu.Lock()
		h.learned = nil
		h.mu.Unlock()
		before := time.Now()
		must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.MalloryID))
		eventually(t, "the removal", func() bool { return !h.in(entrasim.MalloryID, entrasim.PaymentsEngineersID) })
		after := time.Now()
		h.mu.Lock()
		defer h.mu.Unlock()
		if len(h.learned) == 0 || slices.ContainsFunc(h.learned, after.Before) {
			t.Errorf("learned at %v, after it was published at %v", h.learned, after)
		}
		return slices.ContainsFunc(h.learned, before.Before)
	})
}

// BenchmarkNotification measures from a notification's arrival to the publication of what it tells of.
func BenchmarkNotification(b *testing.B) {
	sim, config := contoso(b)
	h := open(b, newRows(), config)
	h.ready(b)
	rings(b, h)
	in := true
	done := make(chan time.Duration, 1)
	h.mu.Lock()
	h.watch = func(s *directory.Snapshot) { // h.mu is held
		if s.InGroup(user(entrasim.AdaID), group(entrasim.PaymentsEngineersID)) != in {
			in = !in
			done <- time.Since(h.learned[len(h.learned)-1])
		}
	}
	h.mu.Unlock()
	var took []time.Duration
	for i := range b.N {
		change := sim.RemoveMember
		if i%2 == 1 {
			change = sim.AddMember
		}
		if err := change(entrasim.PaymentsEngineersID, entrasim.AdaID); err != nil {
			b.Fatal(err)
		}
		took = append(took, <-done)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds())/1000, "p99-ms")
}

// TestStoreFails: a removal that a notification tells of is in force though nothing can be stored, the next one too,
// and a grant is not.
func TestStoreFails(t *testing.T) {
	sim, config := contoso(t)
	r := newRows()
	h := open(t, r, config)
	h.ready(t)
	rings(t, h)
	r.failWith(errors.New("disk full"))
	must(t, sim.AddMember(entrasim.ShopEngineersID, entrasim.JoyID))
	must(t, sim.RemoveMember(entrasim.PaymentsEngineersID, entrasim.AdaID))
	eventually(t, "the removal", func() bool { return !h.in(entrasim.AdaID, entrasim.PaymentsEngineersID) })
	must(t, sim.SetEnabled(entrasim.AlanID, false))
	eventually(t, "the second removal", func() bool { return !h.enabled(entrasim.AlanID) })
	if h.in(entrasim.JoyID, entrasim.ShopEngineersID) {
		t.Error("what is not stored was given")
	}
	r.failWith(nil)
	eventually(t, "the grant", func() bool { return h.in(entrasim.JoyID, entrasim.ShopEngineersID) })
	same(t, h, sim)
}

// TestRandomLifeOfATenant compares with the tenant's own lists after random changes and reads.
func TestRandomLifeOfATenant(t *testing.T) {
	for seed := range uint64(4) {
		sim, config := contoso(t)
		config.NotificationURL = ""
		h := open(t, newRows(), config)
		h.ready(t)
		r := rand.New(rand.NewPCG(seed, 9))
		for range 60 {
			for range 1 + r.IntN(5) {
				shake(r, sim)
			}
			must(t, h.source.Sync(t.Context()))
			if diff := differs(h, sim); diff != "" {
				t.Fatalf("seed %d: %s", seed, diff)
			}
		}
		h.stop()
	}
}

// shake does one random thing; what the tenant refuses changes nothing.
func shake(r *rand.Rand, sim *entrasim.Tenant) {
	users, groups := sim.Users(), sim.Groups()
	u, g, other := users[r.IntN(len(users))].ID, groups[r.IntN(len(groups))].ID, groups[r.IntN(len(groups))].ID
	switch k := r.IntN(40); {
	case k < 10:
		_ = sim.AddMember(g, u)
	case k < 14:
		_ = sim.AddMember(g, other)
	case k < 24:
		if len(groups[0].Members) > 0 {
			_ = sim.RemoveMember(groups[0].ID, groups[0].Members[0])
		}
		_ = sim.RemoveMember(g, u)
	case k < 30:
		_ = sim.SetEnabled(u, r.IntN(2) == 0)
	case k < 32:
		_, _ = sim.CreateUser(entrasim.User{UserPrincipalName: fmt.Sprintf("new%d", r.Int64()), AccountEnabled: true})
	case k < 34:
		_, _ = sim.CreateGroup(entrasim.Group{DisplayName: fmt.Sprintf("new %d", r.IntN(5)), Members: []string{u, other}})
	case k == 34 && len(users) > 5:
		_ = sim.DeleteUser(u)
	case k == 35 && len(groups) > 5:
		_ = sim.DeleteGroup(g)
	case k == 36:
		_ = sim.RenameGroup(g, fmt.Sprintf("renamed %d", r.IntN(5)))
	case k == 37 && r.IntN(4) == 0:
		sim.ExpireDeltaTokens()
	}
}
