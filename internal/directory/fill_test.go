package directory

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// TestFillIsSettingEach: an organisation that is taken at once is the same as one taken membership by membership, in whatever
// order, with what is repeated, and so is what changes afterwards.
func TestFillIsSettingEach(t *testing.T) {
	c := organisation(1500, 200)
	c.Reset = 0
	c.Members = append(c.Members, c.Members[:300]...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(c.Members), func(i, j int) { c.Members[i], c.Members[j] = c.Members[j], c.Members[i] })
	if len(c.Members) < fillFrom {
		t.Fatal("too few memberships to be taken at once")
	}
	slowly, _, _ := Empty().apply(Change{Users: c.Users, Groups: c.Groups})
	var effect []Membership
	for part := range slices.Chunk(c.Members, fillFrom/2) {
		next, _, e := slowly.apply(Change{Members: part})
		slowly, effect = next, append(effect, e.Members...)
	}
	users, _ := Empty().With(Change{Users: c.Users, Groups: c.Groups})
	for name, base := range map[string]*Snapshot{"at once": Empty(), "after the users": users} {
		all := c
		if base == users {
			all = Change{Members: c.Members}
		}
		filled, touched, e := base.apply(all)
		if d := difference(slowly, filled); !d.empty() {
			t.Fatalf("%s: another directory: %+v", name, d)
		}
		if !touched.All || len(e.Members) != len(effect) {
			t.Errorf("%s: it touches %d and made %d memberships, not %d", name, len(touched.Users), len(e.Members), len(effect))
		}
		for u := range slowly.Users() {
			if want, got := slowly.Groups(u.ID), filled.Groups(u.ID); !slices.Equal(want, got) {
				t.Fatalf("%s: %s is in %v, not %v", name, u.ID.Object, got, want)
			}
		}
		var less Change
		for i, g := range c.Groups[:60] {
			if i%3 == 0 {
				less.GoneGroups = append(less.GoneGroups, g.ID)
			}
		}
		for _, m := range c.Members[:900] {
			m.Removed = true
			less.Members = append(less.Members, m)
		}
		want, _ := slowly.With(less)
		got, _ := filled.With(less)
		if d := difference(want, got); !d.empty() {
			t.Fatalf("%s: another directory after a change: %+v", name, d)
		}
	}
}
