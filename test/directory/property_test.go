package directory

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/server"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

// fact is what rights rest on: that a group has a member directly, or, without a group, that an account is enabled.
type fact struct {
	group  identity.GroupID
	member directory.Member
}

// facts are those of a directory from which somebody has a group or an app role.
func facts(s *directory.Snapshot) map[fact]bool {
	all := map[fact]bool{}
	for u := range s.Users() {
		if !u.Active() {
			continue
		}
		for _, g := range s.Groups(u.ID) {
			at := directory.Member{User: u.ID}
			all[fact{member: at}] = true
			for _, step := range s.Path(u.ID, g) {
				all[fact{step, at}] = true
				at = directory.Member{Group: step}
			}
		}
	}
	return all
}

// history is what is so at the tenant, and until when that was so which no longer is. Changes of the tenant are made under
// its lock, so that a copy is compared with one moment.
//
// Graph tells of accounts and of memberships in two lists, which nobody can read at the same moment: of somebody who is
// disabled and then put into a group a copy may learn the second first. So a right is held to its facts, each by itself.
type history struct {
	mu    sync.Mutex
	now   map[fact]bool
	taken map[fact]time.Time

	oldest  time.Duration // that something gave a right after it was no longer so
	never   string        // something that gave a right and was never so
	samples int
}

// change makes a change of the tenant and notes what it takes.
func (h *history) change(sim *simulated, do func() error) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	before := time.Now()
	if err := do(); err != nil {
		return err
	}
	now := map[fact]bool{}
	all := sim.truth()
	for _, u := range all.Users {
		if u.Enabled {
			now[fact{member: directory.Member{User: u.ID}}] = true
		}
	}
	for _, m := range all.Members {
		now[fact{m.Group, m.Member}] = true
	}
	for f := range h.now {
		if !now[f] {
			h.taken[f] = before
		}
	}
	h.now = now
	return nil
}

// sample compares a copy with the tenant at this moment.
func (h *history) sample(current func() *directory.Snapshot) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.samples++
	for f := range facts(current()) {
		if h.now[f] {
			continue
		}
		at, once := h.taken[f]
		if !once {
			h.never = fmt.Sprintf("somebody has a right because %v is in %v, which it never was", f.member, f.group)
			continue
		}
		h.oldest = max(h.oldest, time.Since(at))
	}
}

// reader is a directory that follows a tenant in this process.
type reader struct {
	*directory.Directory
	source *entra.Source
}

func newReader(t *testing.T, sim *simulated, rows *store.Store, sweep time.Duration) *reader {
	t.Helper()
	r := &reader{}
	log := slog.New(slog.DiscardHandler)
	r.Directory = directory.New(directory.Config{Rows: rows, Log: log, Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
	if err := r.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	hooks := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) { r.source.Notifications().ServeHTTP(w, req) }))
	client := &http.Client{Transport: &http.Transport{DialContext: server.Dial}}
	var err error
	r.source, err = entra.New(entra.Config{
		Tenant: tenantID, ClientID: entrasim.LanyardAppID, Secret: secret, Graph: sim.GraphURL(), HTTP: client,
		TokenURL: sim.url + "/" + entrasim.ContosoTenantID + "/oauth2/v2.0/token", NotificationURL: hooks.URL + "/hooks/graph",
		Sweep: sweep, Directory: r.Directory, Log: log, Pace: entra.Pace{Burst: 1000, Every: time.Millisecond}, // so that it reads in the middle of changes
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- r.source.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		r.Close()
		hooks.Close()
		client.CloseIdleConnections()
	})
	return r
}

// TestWhateverHappensItEndsEqual: random changes of a tenant, nested groups and circles, app roles, people who are
// disabled, deleted, restored; notifications lost, doubled, late and overtaken; Graph busy and failing. At every moment
// what somebody holds is what the tenant gives or gave until shortly before, and in the end all is equal.
func TestWhateverHappensItEndsEqual(t *testing.T) {
	seeds, changes := 2, 250
	if os.Getenv("LANYARD_SLOW") != "" {
		seeds, changes = 12, 2000
	}
	for seed := range uint64(seeds) {
		for name, fresh := range map[string]func(testing.TB) storetest.Database{"sqlite": storetest.SQLite, "postgresql": storetest.OnPostgreSQL} {
			t.Run(fmt.Sprintf("%s seed %d", name, seed), func(t *testing.T) {
				t.Parallel()
				liveThrough(t, seed, changes, fresh(t).Open(t, "one"))
			})
		}
	}
}

func liveThrough(t *testing.T, seed uint64, changes int, rows *store.Store) {
	sim := newTenant(t, entrasim.Size{Seed: seed, Users: 40, Groups: 15, Memberships: 160, Depth: 5, Assigned: 6})
	h := &history{taken: map[fact]time.Time{}}
	if err := h.change(sim, func() error { return nil }); err != nil {
		t.Fatal(err)
	}
	if err := sim.SetFaults(entrasim.Faults{
		Seed:          seed,
		Notifications: entrasim.NotificationFaults{Lost: 0.2, Doubled: 0.3, Late: 0.5, DelaySeconds: 0.01},
		Requests: []entrasim.Fault{{Kind: entrasim.FaultThrottle, Rate: 0.03}, {Kind: entrasim.FaultError, Rate: 0.02}, {Kind: entrasim.FaultDrop, Rate: 0.02},
			{Kind: entrasim.FaultTruncate, Rate: 0.02}, {Kind: entrasim.FaultExpire, Rate: 0.01}},
	}); err != nil {
		t.Fatal(err)
	}
	r := newReader(t, sim, rows, 500*time.Millisecond)
	select {
	case <-r.source.Ready():
	case <-time.After(2 * time.Minute):
		t.Fatal("the directory was not read")
	}
	watching, stop := context.WithCancel(t.Context())
	var watch sync.WaitGroup
	watch.Go(func() {
		for watching.Err() == nil {
			h.sample(r.Snapshot)
			time.Sleep(2 * time.Millisecond)
		}
	})
	churn := sim.Churn(seed)
	random := rand.New(rand.NewPCG(seed, 6))
	for i := range changes {
		if err := h.change(sim, func() error {
			if i%10 == 0 {
				return shakeRoles(random, sim)
			}
			_, err := churn.Change()
			return err
		}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(random.IntN(8)) * time.Millisecond)
	}
	_, befell := sim.Faults()
	if err := sim.SetFaults(entrasim.Faults{}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the directory equals the tenant", func() string { return sim.differs(r.Snapshot()) })
	stop()
	watch.Wait()
	h.sample(r.Snapshot)
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.never != "" {
		t.Error(h.never)
	}
	t.Logf("%d changes, %v; %d samples: nothing gave a right longer than %v after the tenant had taken it", changes, befell, h.samples, h.oldest.Round(time.Millisecond))
	all, _, _, _, err := rows.LoadDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all.Reset = 0
	stored, _ := directory.Empty().With(all)
	if diff := sim.differs(stored); diff != "" {
		t.Errorf("the store: %s", diff)
	}
}

// shakeRoles gives or takes an app role, or the assignment of a group.
func shakeRoles(random *rand.Rand, sim *simulated) error {
	app, _ := sim.App(entrasim.LanyardAppID)
	role, value := entrasim.DefaultAccess, ""
	if n := random.IntN(len(app.AppRoles) + 1); n < len(app.AppRoles) {
		role, value = app.AppRoles[n].ID, app.AppRoles[n].Value
	}
	users, groups := sim.Users(), sim.Groups()
	who := groups[random.IntN(len(groups))].ID
	if value != "" && random.IntN(2) == 0 {
		who = users[random.IntN(len(users))].ID
	}
	if slices.ContainsFunc(sim.Assignments(entrasim.LanyardAppID), func(a entrasim.Assignment) bool { return a.PrincipalID == who && a.AppRoleID == role }) {
		return sim.Unassign(entrasim.LanyardAppID, who, value) // without a value every assignment
	}
	return sim.Assign(entrasim.LanyardAppID, who, value)
}
