package entra_test

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/directory/entra"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// pages are kept in memory.
type pages struct {
	mu   sync.Mutex
	kept map[string][]directory.Page
}

func (p *pages) AddPages(_ context.Context, reading string, list []directory.Page) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept == nil {
		p.kept = map[string][]directory.Page{}
	}
	for _, one := range list {
		p.kept[reading] = append(p.kept[reading][:one.Number:one.Number], one)
	}
	return nil
}

func (p *pages) LoadPages(_ context.Context, reading string, take func(directory.Page) error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, one := range p.kept[reading] {
		if err := take(one); err != nil {
			return err
		}
	}
	return nil
}

func (p *pages) DropPages(_ context.Context, reading string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.kept, reading)
	return nil
}

func (p *pages) count() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, list := range p.kept {
		n += len(list)
	}
	return n
}

// road counts the pages of deltas that come by, and is broken after so many.
type road struct {
	mu     sync.Mutex
	asked  []string // the links, whole
	most   int      // pages that come through; negative: all
	broken bool
}

var errBroken = errors.New("the road is broken")

func (d *road) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.Contains(r.URL.Path, "/delta") {
		d.mu.Lock()
		if d.broken = d.broken || d.most >= 0 && len(d.asked) >= d.most; d.broken {
			d.mu.Unlock()
			return nil, errBroken
		}
		d.asked = append(d.asked, r.URL.String())
		d.mu.Unlock()
	}
	return http.DefaultTransport.RoundTrip(r)
}

// sized is Contoso with many more people, at an address.
func sized(t *testing.T, s entrasim.Size) (*entrasim.Tenant, entra.Config) {
	t.Helper()
	t.Cleanup(func() { http.DefaultTransport.(*http.Transport).CloseIdleConnections() })
	return contosoOf(t, entrasim.Contoso(entrasim.Sample{Secret: "sample secret"}).Grown(s))
}

// TestInterruptedReadingGoesOn: a first read that was ended in the middle asks for no page again that it had, in another
// process too, and the directory is empty until all is there.
// Neither users nor groups have all their pages when the first process ends.
func TestInterruptedReadingGoesOn(t *testing.T) {
	sim, config := sized(t, entrasim.Size{Seed: 1, Users: 3000, Groups: 300, Memberships: 9000, Depth: 3})
	config.NotificationURL = ""
	kept, r := &pages{}, newRows()
	config.Pages = kept
	first := &road{most: 6}
	config.HTTP = &http.Client{Transport: first}
	h := open(t, r, config)
	eventually(t, "the reading is interrupted", func() bool {
		first.mu.Lock()
		defer first.mu.Unlock()
		return first.broken
	})
	eventually(t, "what was read is kept", func() bool { return kept.count() > 0 })
	h.stop()
	if users, groups := h.Snapshot().Counts(); users+groups != 0 {
		t.Errorf("half a directory is there: %d users, %d groups", users, groups)
	}
	had := kept.count()

	second := &road{most: -1}
	config.HTTP = &http.Client{Transport: second}
	h = open(t, r, config)
	h.ready(t)
	same(t, h, sim)
	again := 0
	for _, link := range second.asked {
		if slices.Contains(first.asked, link) {
			again++
		}
	}
	if again > len(first.asked)-had {
		t.Errorf("%d of %d pages were kept, and %d were asked for again", had, len(first.asked), again)
	}
	t.Logf("the first process had %d pages, of which %d were kept; the second asked for %d, of which %d again", len(first.asked), had, len(second.asked), again)
	eventually(t, "nothing is kept any more", func() bool { return kept.count() == 0 })
}

// TestKeptPagesOfNoUse: what was kept is checked; a link in it that leads elsewhere, or a damaged page, begins the
// reading anew.
func TestKeptPagesOfNoUse(t *testing.T) {
	for name, spoil := range map[string]func(*directory.Page){
		"foreign link": func(p *directory.Page) { p.Next = "https://evil.example.test/v1.0/users/delta?$skiptoken=x" },
		"damaged":      func(p *directory.Page) { p.Body = p.Body[:len(p.Body)/2] },
		"old":          func(p *directory.Page) { p.Asked = p.Asked.Add(-8 * 24 * time.Hour) },
	} {
		t.Run(name, func(t *testing.T) {
			sim, config := sized(t, entrasim.Size{Seed: 2, Users: 3000, Groups: 300, Memberships: 9000, Depth: 3})
			config.NotificationURL = ""
			kept, r, first := &pages{}, newRows(), &road{most: 6}
			config.Pages, config.HTTP = kept, &http.Client{Transport: first}
			h := open(t, r, config)
			eventually(t, "the reading is interrupted", func() bool {
				first.mu.Lock()
				defer first.mu.Unlock()
				return first.broken
			})
			eventually(t, "some pages are kept", func() bool { return kept.count() > 0 })
			h.stop()
			for reading := range kept.kept {
				for i := range kept.kept[reading] {
					spoil(&kept.kept[reading][i])
				}
			}
			config.HTTP = &http.Client{Transport: &road{most: -1}}
			h = open(t, r, config)
			h.ready(t)
			same(t, h, sim)
			if !strings.Contains(h.log.String(), "begins anew") {
				t.Errorf("the log does not say that it began anew:\n%s", h.log)
			}
		})
	}
}

// TestExpiredToken: however the tenant says that a delta token is too old, everything is read again, at the place it
// names where it names one.
func TestExpiredToken(t *testing.T) {
	for name, fault := range map[string]entrasim.Fault{
		"410 with Location": {Kind: entrasim.FaultExpire, Count: 1}, "410": {Kind: entrasim.FaultExpire, Count: 1, Status: http.StatusGone},
		"400": {Kind: entrasim.FaultExpire, Count: 1, Status: http.StatusBadRequest}, "404": {Kind: entrasim.FaultExpire, Count: 1, Status: http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			sim, config := contoso(t)
			config.NotificationURL = ""
			h := open(t, newRows(), config)
			h.ready(t)
			must(t, sim.SetFaults(entrasim.Faults{Requests: []entrasim.Fault{fault}}))
			must(t, sim.AddMember(entrasim.ShopEngineersID, entrasim.JoyID))
			eventually(t, "the joiner", func() bool {
				return h.source.Sync(t.Context()) == nil && h.in(entrasim.JoyID, entrasim.ShopEngineersID)
			})
			same(t, h, sim)
			if h.source.State().Resyncs < 3 { // both kinds at first, and the one that was lost
				t.Errorf("%+v", h.source.State())
			}
		})
	}
}

// TestSignInsEnded: that somebody's sign-ins were ended is learned from the delta, and, where that does not tell, by
// asking for those who have one.
func TestSignInsEnded(t *testing.T) {
	for name, faults := range map[string]entrasim.Faults{"told": {}, "silent": {SilentRevocations: true}} {
		t.Run(name, func(t *testing.T) {
			sim, config := contoso(t)
			config.NotificationURL = ""
			config.Watched = func() []identity.UserID { return []identity.UserID{user(entrasim.AdaID), user(entrasim.LinusID)} }
			h := open(t, newRows(), config)
			h.ready(t)
			must(t, sim.SetFaults(faults))
			must(t, sim.RevokeSessions(entrasim.AdaID))
			must(t, h.source.Sync(t.Context()))
			ada, _ := h.Snapshot().User(user(entrasim.AdaID))
			linus, _ := h.Snapshot().User(user(entrasim.LinusID))
			want := sim.SignInsValidFrom(entrasim.AdaID)
			if ada.SignInsFrom.IsZero() || ada.SignInsFrom.Sub(want).Abs() > time.Second {
				t.Errorf("ada's count from %s, want %s", ada.SignInsFrom, want)
			}
			if linus.SignInsFrom.After(want.Add(-time.Second)) {
				t.Errorf("linus's count from %s", linus.SignInsFrom)
			}
		})
	}
}

// TestAppRoles: who is assigned to an app role holds it, directly or as an immediate member of an assigned group.
func TestAppRoles(t *testing.T) {
	sim, config := contoso(t)
	config.NotificationURL = ""
	h := open(t, newRows(), config)
	h.ready(t)
	app, _ := sim.App(entrasim.LanyardAppID)
	i := slices.IndexFunc(app.AppRoles, func(r entrasim.AppRole) bool { return r.Value != "" })
	if i < 0 {
		t.Fatal("the sample app has no app role")
	}
	value := app.AppRoles[i].Value
	role := identity.AppRole(tenant, value)
	holds := func(u string) bool { return h.Snapshot().InGroup(user(u), role) }
	must(t, sim.Assign(entrasim.LanyardAppID, entrasim.JoyID, value))
	must(t, sim.Assign(entrasim.LanyardAppID, entrasim.PaymentsEngineersID, value))
	must(t, h.source.Sync(t.Context()))
	if !holds(entrasim.JoyID) || !holds(entrasim.AdaID) {
		t.Error("who was assigned, or is in an assigned group, does not hold it")
	}
	if holds(entrasim.BarbaraID) { // through payments-api-team, which is in payments-engineers
		t.Error("a member of a group in the assigned group holds it")
	}
	must(t, sim.Unassign(entrasim.LanyardAppID, entrasim.JoyID, value))
	must(t, h.source.Sync(t.Context()))
	if holds(entrasim.JoyID) {
		t.Error("who is no longer assigned holds it")
	}
	refused := entrasim.Fault{Kind: entrasim.FaultError, Status: http.StatusForbidden, Path: "/v1.0/servicePrincipals"}
	must(t, sim.SetFaults(entrasim.Faults{Requests: []entrasim.Fault{refused}}))
	must(t, h.source.Sync(t.Context()))
	if !holds(entrasim.AdaID) || h.source.State().Roles == "" {
		t.Errorf("where app roles may not be read they do not stay as they were, or nothing says so: %q", h.source.State().Roles)
	}
}

// TestUsersOnly: where another source knows the groups, Graph's are neither read nor touched.
func TestUsersOnly(t *testing.T) {
	_, config := contoso(t)
	config.NotificationURL, config.UsersOnly = "", true
	watched := &road{most: -1}
	config.HTTP = &http.Client{Transport: watched}
	r := newRows()
	r.all, _ = r.all.With(directory.Change{Groups: []directory.Group{{ID: group("another-source"), Name: "theirs", Security: true}},
		Members: []directory.Membership{{Group: group("another-source"), Member: directory.Member{User: user(entrasim.AdaID)}}}})
	h := open(t, r, config)
	h.ready(t)
	if users, groups := h.Snapshot().Counts(); users < 5 || groups != 1 || !h.in(entrasim.AdaID, "another-source") {
		t.Errorf("%d users, %d groups", users, groups)
	}
	for _, link := range watched.asked {
		if strings.Contains(link, "/groups/") {
			t.Errorf("groups were asked for: %s", link)
		}
	}
}

// TestManyNestedGroups: a user in 300 groups, nested five deep and in a circle, is in exactly those that Graph says.
func TestManyNestedGroups(t *testing.T) {
	sim, config := contoso(t)
	var direct []string
	for chain := range 60 {
		below := entrasim.JoyID
		for range 5 {
			g, err := sim.CreateGroup(entrasim.Group{DisplayName: "nested", Members: []string{below}})
			must(t, err)
			if below == entrasim.JoyID {
				direct = append(direct, g.ID)
			}
			below = g.ID
		}
		if chain == 0 {
			must(t, sim.AddMember(direct[0], below))
		}
	}
	config.NotificationURL = ""
	h := open(t, newRows(), config)
	h.ready(t)
	want, err := h.source.MemberObjects(t.Context(), user(entrasim.JoyID), true)
	must(t, err)
	var got []identity.GroupID
	for _, g := range h.Snapshot().Groups(user(entrasim.JoyID)) {
		if _, role := g.AppRole(); !role {
			got = append(got, g)
		}
	}
	slices.SortFunc(got, func(a, b identity.GroupID) int { return strings.Compare(a.Object, b.Object) })
	if len(got) < 300 || !slices.Equal(got, want) {
		t.Errorf("in %d groups, Graph says %d", len(got), len(want))
	}
}

// TestMicrosoft365Group: who may rename a group must not gain by it, so such a group is never found by its name, though it
// is a security group as well.
func TestMicrosoft365Group(t *testing.T) {
	sim, config := contoso(t)
	config.NotificationURL = ""
	g, err := sim.CreateGroup(entrasim.Group{DisplayName: "ours", Unified: true, Members: []string{entrasim.JoyID}})
	must(t, err)
	must(t, sim.Assign(entrasim.LanyardAppID, g.ID, ""))
	h := open(t, newRows(), config)
	h.ready(t)
	must(t, sim.RenameGroup(g.ID, "ws-payments-maintainer"))
	must(t, h.source.Sync(t.Context()))
	if found := h.Snapshot().AssignedGroups("ws-payments-maintainer"); len(found) != 0 {
		t.Errorf("found by its name: %v", found)
	}
	if got, ok := h.Snapshot().Group(group(g.ID)); !ok || !got.Assigned || !h.in(entrasim.JoyID, g.ID) {
		t.Errorf("%+v", got)
	}
}
