package storetest

import (
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// directoryFollowed lets a second replica follow the directory by what the entries name, and compares it with all of it.
func directoryFollowed(t *testing.T, db Database) {
	ctx := t.Context()
	open := func(origin string) *directory.Directory {
		d := directory.New(directory.Config{Rows: db.Open(t, origin), Publish: func(*directory.Snapshot, directory.Touched, feed.Seq) {}})
		t.Cleanup(d.Close)
		if err := d.Load(ctx); err != nil {
			t.Fatal(err)
		}
		return d
	}
	one, two := open("one"), open("two")
	member := func(g int, m directory.Member, removed bool) directory.Membership {
		return directory.Membership{Group: groupID(g), Member: m, Removed: removed}
	}
	user := func(n int) directory.Member { return directory.Member{User: userID(n)} }
	nested := directory.Member{Group: groupID(2)}
	changes := []directory.Change{
		{AsOf: now(), Users: []directory.User{{ID: userID(1), Name: "Ada", Enabled: true}, {ID: userID(2), Name: "Bo", Enabled: true}, {ID: userID(3), Name: "Cy", Enabled: true}},
			Groups:  []directory.Group{{ID: groupID(1), Name: "one", Security: true}, {ID: groupID(2), Name: "two"}, {ID: groupID(3), Name: "three"}},
			Members: []directory.Membership{member(1, user(1), false), member(1, nested, false), member(2, user(2), false), member(3, user(3), false)}},
		{AsOf: now(), Members: []directory.Membership{member(1, user(1), true), member(2, user(3), false)}},
		{AsOf: now(), Users: []directory.User{{ID: userID(2), Name: "Bo", Enabled: false}}, Groups: []directory.Group{{ID: groupID(1), Name: "renamed", Assigned: true}}},
		{AsOf: now(), GoneUsers: []identity.UserID{userID(3)}, Members: []directory.Membership{member(1, user(1), false)}},
		{AsOf: now(), GoneGroups: []identity.GroupID{groupID(2)}},
	}
	rows := db.Open(t, "reader")
	for i, c := range changes {
		if err := one.Apply(ctx, c, "test"); err != nil {
			t.Fatal(err)
		}
		entries, err := rows.FeedAfter(ctx, feed.Seq(i), 10)
		if err != nil || len(entries) != 1 || len(entries[0].Keys) == 0 {
			t.Fatalf("entries after %d: %+v, %v", i, entries, err)
		}
		if err := two.Follow(ctx, entries[0]); err != nil {
			t.Fatal(err)
		}
		whole := open("whole")
		for name, d := range map[string]*directory.Directory{"the writer": one, "the follower": two} {
			if got, want := picture(d), picture(whole); got != want {
				t.Errorf("after change %d %s has\n%s\nand the store\n%s", i, name, got, want)
			}
		}
	}
	at := time.Now().Add(time.Hour)
	two.Refreshed(at)
	if !two.Snapshot().AsOf().Equal(at) {
		t.Error("the directory's age is not taken over")
	}
}

// picture is a directory in words.
func picture(d *directory.Directory) (text string) {
	s := d.Snapshot()
	for n := 1; n <= 3; n++ {
		if u, ok := s.User(userID(n)); ok {
			text += u.Name
			if !u.Enabled {
				text += " (disabled)"
			}
			for g := 1; g <= 3; g++ {
				if s.InGroup(u.ID, groupID(g)) {
					row, _ := s.Group(groupID(g))
					text += " in " + row.Name
				}
			}
			text += "\n"
		}
		if g, ok := s.Group(groupID(n)); ok {
			text += "group " + g.Name + "\n"
		}
	}
	return text
}
