package directory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unique"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// model is the directory in the plainest form: what a snapshot must always agree with.
type model struct {
	users   map[identity.UserID]User
	groups  map[identity.GroupID]Group
	members map[Membership]bool // Removed is always false in keys
	blocked map[identity.UserID]bool
}

func newModel() *model {
	return &model{users: map[identity.UserID]User{}, groups: map[identity.GroupID]Group{}, members: map[Membership]bool{}, blocked: map[identity.UserID]bool{}}
}

func (m *model) clone() *model {
	return &model{maps.Clone(m.users), maps.Clone(m.groups), maps.Clone(m.members), maps.Clone(m.blocked)}
}

// record is a user's, as a snapshot has it.
func (m *model) record(u identity.UserID) (User, bool) {
	row, known := m.users[u]
	row.Blocked = known && m.blocked[u]
	return row, known
}

// reset makes a change all there is of some parts, by what it does not name of them. Memberships are of the part of the
// groups; those of a user who goes with the part of the users go along.
func (m *model) reset(c *Change) {
	if c.Reset&UserPart != 0 {
		for u := range m.users {
			if !slices.ContainsFunc(c.Users, func(n User) bool { return n.ID == u }) {
				c.GoneUsers = append(c.GoneUsers, u)
			}
		}
		clear(m.users)
	}
	if c.Reset&GroupPart != 0 {
		for g := range m.groups {
			if !slices.ContainsFunc(c.Groups, func(n Group) bool { return n.ID == g }) {
				c.GoneGroups = append(c.GoneGroups, g)
			}
		}
		clear(m.groups)
		clear(m.members)
	}
	if c.Reset&BlockPart != 0 {
		clear(m.blocked)
	}
}

func (m *model) apply(c Change) {
	m.reset(&c)
	for _, u := range c.Users {
		u.Blocked = false // it is the snapshot's
		m.users[u.ID] = u
	}
	for _, g := range c.Groups {
		m.groups[g.ID] = g
	}
	for _, e := range c.Members {
		removed := e.Removed
		e.Removed = false
		if removed {
			delete(m.members, e)
		} else {
			m.members[e] = true
		}
	}
	for _, b := range c.Blocks {
		if b.Removed {
			delete(m.blocked, b.User)
		} else {
			m.blocked[b.User] = true
		}
	}
	for _, u := range c.GoneUsers {
		delete(m.users, u)
		maps.DeleteFunc(m.members, func(e Membership, _ bool) bool { return e.Member.User == u })
	}
	for _, g := range c.GoneGroups {
		delete(m.groups, g)
		maps.DeleteFunc(m.members, func(e Membership, _ bool) bool { return e.Group == g || e.Member.Group == g && e.Member.User.IsZero() })
	}
}

// distances says how many memberships away each of a user's groups is. An app role that a group is assigned to is its
// immediate members', so it is two away at most.
func (m *model) distances(u identity.UserID) map[identity.GroupID]int {
	far := map[identity.GroupID]int{}
	if _, known := m.users[u]; !known {
		return far
	}
	level := []Member{{User: u}}
	for d := 1; len(level) > 0; d++ {
		var next []Member
		for e := range m.members {
			_, known := m.groups[e.Group]
			_, role := e.Group.AppRole()
			if _, seen := far[e.Group]; known && !seen && !(role && d > 2) && slices.Contains(level, e.Member) {
				far[e.Group] = d
				next = append(next, Member{Group: e.Group})
			}
		}
		level = next
	}
	return far
}

func testUser(i int) identity.UserID { return identity.UserID{Tenant: "t", Object: fmt.Sprint("u", i)} }
func testGroup(i int) identity.GroupID {
	return identity.GroupID{Tenant: "t", Object: fmt.Sprint("g", i)}
}

// The first groups of random changes are groups, the rest app roles.
const (
	someUsers  = 12
	someGroups = 9
	appRoles   = 2
)

func someGroup(i int) identity.GroupID {
	if i >= someGroups-appRoles {
		return identity.AppRole("t", fmt.Sprint("role", i))
	}
	return testGroup(i)
}

// randomChange is a change of a few things, or one that says all there is of some parts. What it says of parts that it
// does not reset is an ordinary change of them.
func randomChange(r *rand.Rand, reset bool) Change {
	const users, groups = someUsers, someGroups
	c := Change{}
	if reset {
		c.Reset = Part(1 + r.IntN(int(Everything)))
	}
	n := 1 + r.IntN(4)
	if reset {
		n = 40
	}
	for range n {
		switch k := r.IntN(22); {
		case k < 4:
			u := User{ID: testUser(r.IntN(users)), Name: fmt.Sprint(r.IntN(3)), Enabled: r.IntN(3) > 0, Blocked: r.IntN(2) == 0}
			if r.IntN(3) == 0 {
				u.SignInsFrom = time.Date(2026, 11, 1, r.IntN(3), 0, 0, 0, time.UTC)
			}
			c.Users = append(c.Users, u)
		case k < 6:
			c.Blocks = append(c.Blocks, Block{User: testUser(r.IntN(users)), Removed: r.IntN(2) == 0})
		case k < 10:
			c.Groups = append(c.Groups, Group{ID: someGroup(r.IntN(groups)), Name: fmt.Sprint(r.IntN(3)), Security: true, Assigned: r.IntN(2) > 0})
		case k == 10:
			c.GoneUsers = append(c.GoneUsers, testUser(r.IntN(users)))
		case k == 11:
			c.GoneGroups = append(c.GoneGroups, someGroup(r.IntN(groups)))
		default:
			e := Membership{Group: someGroup(r.IntN(groups)), Removed: r.IntN(3) == 0}
			if r.IntN(2) == 0 {
				e.Member.User = testUser(r.IntN(users))
			} else {
				e.Member.Group = someGroup(r.IntN(groups)) // circles and self-membership included
			}
			c.Members = append(c.Members, e)
			if r.IntN(8) == 0 {
				c.Members = append(c.Members, e) // said twice
			}
		}
	}
	return c
}

// check compares everything a snapshot answers with the model, and the touched users with what really changed.
func check(t *testing.T, s, before *Snapshot, m, was *model, touched Touched) {
	t.Helper()
	gotUsers, gotGroups := map[identity.UserID]User{}, map[identity.GroupID]Group{}
	for u := range s.Users() {
		gotUsers[u.ID] = *u
	}
	for g := range s.AllGroups() {
		gotGroups[g.ID] = *g
	}
	wantUsers, gotBlocked := map[identity.UserID]User{}, map[identity.UserID]bool{}
	for u := range m.users {
		wantUsers[u], _ = m.record(u)
	}
	for u := range s.Blocked() {
		gotBlocked[u] = true
	}
	if d := cmp.Diff(m.blocked, gotBlocked); d != "" {
		t.Fatalf("blocked (-model +snapshot):\n%s", d)
	}
	if d := cmp.Diff(wantUsers, gotUsers); d != "" {
		t.Fatalf("users (-model +snapshot):\n%s", d)
	}
	if d := cmp.Diff(m.groups, gotGroups); d != "" {
		t.Fatalf("groups (-model +snapshot):\n%s", d)
	}
	gotMembers := map[Membership]bool{}
	for g := range s.members.all() {
		for e := range s.Members(g) {
			gotMembers[Membership{Group: g, Member: e}] = true
		}
	}
	if d := cmp.Diff(m.members, gotMembers); d != "" {
		t.Fatalf("memberships (-model +snapshot):\n%s", d)
	}
	if u, g := s.Counts(); u != len(m.users) || g != len(m.groups) {
		t.Fatalf("counts %d users, %d groups; want %d, %d", u, g, len(m.users), len(m.groups))
	}
	named := map[identity.UserID]bool{}
	for _, u := range touched.Users {
		named[u] = true
	}
	for i := range someUsers {
		u := testUser(i)
		far := m.distances(u)
		checkUser(t, s, u, far)
		is, _ := m.record(u)
		wasThen, _ := was.record(u)
		if !named[u] && (is.Active() != wasThen.Active() || is.SignInsFrom != wasThen.SignInsFrom || !maps.Equal(reached(far), reached(was.distances(u)))) {
			t.Fatalf("%v changed and is not among the touched %v", u, touched.Users)
		}
		old, _ := before.User(u)
		now, known := s.User(u)
		same := maps.Equal(reached(far), reached(was.distances(u))) && is == wasThen
		if known && old == now && !same {
			t.Fatalf("%v has the same record after a change of it or of its groups", u)
		}
		if known && old != now && same && !named[u] {
			t.Fatalf("%v has another record although nothing about it changed", u)
		}
		if d := cmp.Diff(before.Groups(u), before.climb(u).groups); before.users.has(u) && d != "" {
			t.Fatalf("an older snapshot changed:\n%s", d)
		}
	}
}

func reached(far map[identity.GroupID]int) map[identity.GroupID]bool {
	set := map[identity.GroupID]bool{}
	for g := range far {
		set[g] = true
	}
	return set
}

func checkUser(t *testing.T, s *Snapshot, u identity.UserID, far map[identity.GroupID]int) {
	t.Helper()
	groups := s.Groups(u)
	if len(groups) != len(far) {
		t.Fatalf("%v is in %v, want %v", u, groups, far)
	}
	last := 0
	for _, g := range groups {
		d, ok := far[g]
		if !ok || !s.InGroup(u, g) || d < last {
			t.Fatalf("%v is in %v, want %v, nearest first", u, groups, far)
		}
		last = d
		path := s.Path(u, g)
		if len(path) != d || path[d-1] != g {
			t.Fatalf("path of %v to %v is %v, want %d long", u, g, path, d)
		}
		from := Member{User: u}
		for _, step := range path {
			if set, _ := s.members.get(step); !set.has(unique.Make(from)) {
				t.Fatalf("path %v: %v does not contain %v", path, step, from)
			}
			from = Member{Group: step}
		}
	}
	for i := range someGroups {
		if g := someGroup(i); far[g] == 0 && (s.InGroup(u, g) || s.Path(u, g) != nil) {
			t.Fatalf("%v is not in %v, yet the snapshot says so", u, g)
		}
	}
}

// TestSnapshotAgreesWithModel plays random changes, repeats and resets.
func TestSnapshotAgreesWithModel(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 1))
		s, m := Empty(), newModel()
		for range 150 {
			c := randomChange(r, r.IntN(40) == 0)
			before, was := s, m.clone()
			m.apply(c)
			next, touched := s.With(c)
			s = next
			check(t, s, before, m, was, touched)
			again, touched := s.With(c)
			// After a reset what it says about who is gone may be believed the second time; it gives nothing.
			if d := difference(s, again); c.Reset == 0 && (!touched.None() || !d.empty()) || !sameRights(s, again) {
				t.Fatalf("seed %d: the same change again touches %v", seed, touched.Users)
			}
			if back, _ := before.With(difference(before, s)); !difference(back, s).empty() {
				t.Fatalf("seed %d: a difference does not lead from one snapshot to the other", seed)
			}
		}
	}
}

func sameRights(a, b *Snapshot) bool {
	for i := range someUsers {
		if !slices.Equal(a.Groups(testUser(i)), b.Groups(testUser(i))) {
			return false
		}
	}
	return true
}

// TestTakingGivesNothing holds the part published first to its promise.
func TestTakingGivesNothing(t *testing.T) {
	for seed := range uint64(30) {
		r := rand.New(rand.NewPCG(seed, 2))
		s, _ := Empty().With(randomChange(r, true))
		for range 100 {
			c := randomChange(r, r.IntN(20) == 0)
			after, _, effect := s.apply(c)
			first, _ := s.With(taking(s, effect))
			for i := range someUsers {
				u := testUser(i)
				was, _ := s.User(u)
				is, there := after.User(u)
				now, ok := first.User(u)
				if ok && now.Active() && (was == nil || !was.Active() || !there || !is.Active()) {
					t.Fatalf("seed %d: %v is enabled in the taking part", seed, u)
				}
				if ok && was != nil && (now.SignInsFrom.Before(was.SignInsFrom) || there && now.SignInsFrom.Before(is.SignInsFrom)) {
					t.Fatalf("seed %d: sign-ins of %v count in the taking part that were ended", seed, u)
				}
				for _, g := range first.Groups(u) {
					if !s.InGroup(u, g) {
						t.Fatalf("seed %d: the taking part gives %v the group %v", seed, u, g)
					}
				}
			}
			for g := range first.AllGroups() {
				old, known := s.Group(g.ID)
				if !known || g.Assigned && (!old.Assigned || old.Name != g.Name) {
					t.Fatalf("seed %d: the taking part gives the group %+v", seed, g)
				}
			}
			s = after
		}
	}
}
