package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

// directoryParts replaces what one source says and leaves what another does: records, groups with who holds app roles,
// blocks.
func directoryParts(t *testing.T, db Database) {
	s := db.Open(t, "one")
	lead := identity.AppRole(tenant, "Payments.Lead")
	from := time.Date(2026, 11, 23, 9, 0, 0, 654321000, time.UTC)
	save(t, s, directory.Change{
		Reset:   directory.Everything,
		Users:   []directory.User{{ID: userID(1), Name: "Ada", Enabled: true, SignInsFrom: from}, {ID: userID(2), Name: "Bo", Enabled: true}},
		Groups:  []directory.Group{{ID: groupID(1), Name: "one"}, {ID: lead, Name: "app role Payments.Lead"}},
		Members: []directory.Membership{{Group: lead, Member: directory.Member{Group: groupID(1)}}, {Group: groupID(1), Member: directory.Member{User: userID(1)}}},
		Blocks:  []directory.Block{{User: userID(2)}, {User: userID(3)}, {User: userID(3), Removed: true}, {User: userID(4)}},
	})
	for _, step := range []struct {
		name   string
		change directory.Change
		want   string
	}{
		{"as stored", directory.Change{}, `u1 Ada from 09:00:00.654321; u2 Bo blocked; blocked 2 4; one: user-00001; app role Payments.Lead: group-00001; u1 in one, app role Payments.Lead`},
		{"records anew", directory.Change{Reset: directory.UserPart, Users: []directory.User{{ID: userID(1), Name: "Ada", Enabled: true}}},
			`u1 Ada; blocked 2 4; one: user-00001; app role Payments.Lead: group-00001; u1 in one, app role Payments.Lead`},
		{"blocks anew", directory.Change{Reset: directory.BlockPart, Blocks: []directory.Block{{User: userID(1)}}},
			`u1 Ada blocked; blocked 1; one: user-00001; app role Payments.Lead: group-00001; u1 in one, app role Payments.Lead`},
		{"groups anew", directory.Change{Reset: directory.GroupPart, Groups: []directory.Group{{ID: lead, Name: "app role Payments.Lead"}},
			Members: []directory.Membership{{Group: lead, Member: directory.Member{User: userID(1)}}}},
			`u1 Ada blocked; blocked 1; app role Payments.Lead: user-00001; u1 in app role Payments.Lead`},
	} {
		save(t, s, step.change)
		if got := inWords(read(t, s)); got != step.want {
			t.Errorf("%s:\n got %s\nwant %s", step.name, got, step.want)
		}
	}
}

// directoryRandom plays random changes, resets of parts among them, through the writer; what is stored and what another
// process follows is always what the writer has.
func directoryRandom(t *testing.T, db Database) {
	ctx := t.Context()
	r := rand.New(rand.NewPCG(4, 23))
	open := func(origin string) *directory.Directory {
		d := directory.New(directory.Config{Rows: db.Open(t, origin), Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
		t.Cleanup(d.Close)
		if err := d.Load(ctx); err != nil {
			t.Fatal(err)
		}
		return d
	}
	writer, follower, rows := open("one"), open("two"), db.Open(t, "reader")
	at := feed.Seq(0)
	for i := range 60 {
		c := randomDirectory(r, i%12 == 0)
		if err := writer.Apply(ctx, c, "test"); err != nil {
			t.Fatal(err)
		}
		entries, err := rows.FeedAfter(ctx, at, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if err := follower.Follow(ctx, e); err != nil {
				t.Fatal(err)
			}
			at = e.Seq
		}
		want := inWords(writer.Snapshot())
		if got := inWords(read(t, rows)); got != want {
			t.Fatalf("after change %d, %+v, the store has\n%s\nand the writer\n%s", i, c, got, want)
		}
		if got := inWords(follower.Snapshot()); got != want {
			t.Fatalf("after change %d, %+v, the follower has\n%s\nand the writer\n%s", i, c, got, want)
		}
	}
}

// randomDirectory changes a few things, or says all there is of some parts.
func randomDirectory(r *rand.Rand, reset bool) (c directory.Change) {
	n := 1 + r.IntN(4)
	if reset {
		c.Reset, n = directory.Part(1+r.IntN(int(directory.Everything))), 30
	}
	group := func() identity.GroupID {
		if i := r.IntN(6); i < 4 {
			return groupID(i)
		}
		return identity.AppRole(tenant, "A.Role")
	}
	for range n {
		switch k := r.IntN(12); {
		case k < 3:
			c.Users = append(c.Users, directory.User{ID: userID(r.IntN(6)), Name: fmt.Sprint(r.IntN(3)), Enabled: r.IntN(3) > 0,
				SignInsFrom: time.Unix(1_700_000_000+int64(r.IntN(2)), 0).UTC()})
		case k < 5:
			c.Groups = append(c.Groups, directory.Group{ID: group(), Name: fmt.Sprint(r.IntN(3)), Assigned: r.IntN(2) == 0})
		case k == 5:
			c.Blocks = append(c.Blocks, directory.Block{User: userID(r.IntN(6)), Removed: r.IntN(2) == 0})
		case k == 6 && r.IntN(2) == 0:
			c.GoneUsers = append(c.GoneUsers, userID(r.IntN(6)))
		case k == 6:
			c.GoneGroups = append(c.GoneGroups, group())
		case k < 11:
			c.Members = append(c.Members, directory.Membership{Group: group(), Member: directory.Member{User: userID(r.IntN(6))}, Removed: r.IntN(3) == 0})
		default:
			c.Members = append(c.Members, directory.Membership{Group: group(), Member: directory.Member{Group: group()}, Removed: r.IntN(3) == 0})
		}
	}
	return c
}

// read is what is stored.
func read(t *testing.T, s *store.Store) *directory.Snapshot {
	t.Helper()
	all, _, _, _, err := s.LoadDirectory(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all.Reset = 0
	snapshot, _ := directory.Empty().With(all)
	return snapshot
}

// inWords tells everything that a snapshot says, sorted by kind and ID.
func inWords(s *directory.Snapshot) string {
	users := slices.SortedFunc(s.Users(), func(a, b *directory.User) int { return strings.Compare(a.ID.Object, b.ID.Object) })
	groups := slices.SortedFunc(s.AllGroups(), func(a, b *directory.Group) int { return -strings.Compare(a.ID.Object, b.ID.Object) })
	var parts []string
	short := func(u identity.UserID) string { return strings.TrimLeft(strings.TrimPrefix(u.Object, "user-"), "0") }
	for _, u := range users {
		text := "u" + short(u.ID) + " " + u.Name
		if !u.Enabled {
			text += " disabled"
		}
		if u.Blocked {
			text += " blocked"
		}
		if !u.SignInsFrom.IsZero() {
			text += " from " + u.SignInsFrom.Format("15:04:05.999999")
		}
		parts = append(parts, text)
	}
	var blocked []string
	for u := range s.Blocked() {
		blocked = append(blocked, short(u))
	}
	slices.Sort(blocked)
	parts = append(parts, "blocked "+strings.Join(blocked, " "))
	for _, g := range groups {
		var members []string
		for m := range s.Members(g.ID) {
			members = append(members, m.User.Object+m.Group.Object)
		}
		slices.Sort(members)
		text := g.Name
		if g.Assigned {
			text += " (assigned)"
		}
		parts = append(parts, text+": "+strings.Join(members, " "))
	}
	for _, u := range users {
		var in []string
		for _, g := range s.Groups(u.ID) {
			row, _ := s.Group(g)
			in = append(in, row.Name)
		}
		if len(in) > 0 {
			parts = append(parts, "u"+short(u.ID)+" in "+strings.Join(in, ", "))
		}
	}
	return strings.Join(parts, "; ")
}
