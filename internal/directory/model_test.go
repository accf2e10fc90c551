package directory

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// model is the directory in the plainest form: what a snapshot must always agree with.
type model struct {
	users   map[identity.UserID]User
	groups  map[identity.GroupID]Group
	members map[Membership]bool // Removed is always false in keys
}

func newModel() *model {
	return &model{users: map[identity.UserID]User{}, groups: map[identity.GroupID]Group{}, members: map[Membership]bool{}}
}

func (m *model) apply(c Change) {
	if c.Reset != 0 {
		was := *m
		*m = *newModel()
		for u := range was.users {
			if !slices.ContainsFunc(c.Users, func(n User) bool { return n.ID == u }) {
				c.GoneUsers = append(c.GoneUsers, u)
			}
		}
		for g := range was.groups {
			if !slices.ContainsFunc(c.Groups, func(n Group) bool { return n.ID == g }) {
				c.GoneGroups = append(c.GoneGroups, g)
			}
		}
	}
	for _, u := range c.Users {
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
	for _, u := range c.GoneUsers {
		delete(m.users, u)
		maps.DeleteFunc(m.members, func(e Membership, _ bool) bool { return e.Member.User == u })
	}
	for _, g := range c.GoneGroups {
		delete(m.groups, g)
		maps.DeleteFunc(m.members, func(e Membership, _ bool) bool { return e.Group == g || e.Member.Group == g && e.Member.User.IsZero() })
	}
}

// distances says how many memberships away each of a user's groups is.
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
			if _, seen := far[e.Group]; known && !seen && slices.Contains(level, e.Member) {
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

func randomChange(r *rand.Rand, reset bool) Change {
	const users, groups = 12, 9
	c := Change{}
	if reset {
		c.Reset = UserPart | GroupPart
	}
	n := 1 + r.IntN(4)
	if reset {
		n = 40
	}
	for range n {
		switch k := r.IntN(20); {
		case k < 4:
			c.Users = append(c.Users, User{ID: testUser(r.IntN(users)), Name: fmt.Sprint(r.IntN(3)), Enabled: r.IntN(3) > 0})
		case k < 8:
			c.Groups = append(c.Groups, Group{ID: testGroup(r.IntN(groups)), Name: fmt.Sprint(r.IntN(3)), Security: true, Assigned: r.IntN(2) > 0})
		case k == 8:
			c.GoneUsers = append(c.GoneUsers, testUser(r.IntN(users)))
		case k == 9:
			c.GoneGroups = append(c.GoneGroups, testGroup(r.IntN(groups)))
		default:
			e := Membership{Group: testGroup(r.IntN(groups)), Removed: r.IntN(3) == 0}
			if r.IntN(2) == 0 {
				e.Member.User = testUser(r.IntN(users))
			} else {
				e.Member.Group = testGroup(r.IntN(groups)) // circles and self-membership included
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
	if d := cmp.Diff(m.users, gotUsers); d != "" {
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
	for i := range 12 {
		u := testUser(i)
		far := m.distances(u)
		checkUser(t, s, u, far)
		if !named[u] && (m.users[u].Enabled != was.users[u].Enabled || !maps.Equal(reached(far), reached(was.distances(u)))) {
			t.Fatalf("%v changed and is not among the touched %v", u, touched.Users)
		}
		old, _ := before.User(u)
		now, known := s.User(u)
		same := maps.Equal(reached(far), reached(was.distances(u))) && m.users[u] == was.users[u]
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
			if set, _ := s.members.get(step); !set.has(from) {
				t.Fatalf("path %v: %v does not contain %v", path, step, from)
			}
			from = Member{Group: step}
		}
	}
	for i := range 9 {
		if g := testGroup(i); far[g] == 0 && (s.InGroup(u, g) || s.Path(u, g) != nil) {
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
			before, was := s, &model{maps.Clone(m.users), maps.Clone(m.groups), maps.Clone(m.members)}
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
	for i := range 12 {
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
			for i := range 12 {
				u := testUser(i)
				was, _ := s.User(u)
				is, there := after.User(u)
				now, ok := first.User(u)
				if ok && now.Enabled && (was == nil || !was.Enabled || !there || !is.Enabled) {
					t.Fatalf("seed %d: %v is enabled in the taking part", seed, u)
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
