package storetest

import (
	"fmt"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory"
)

// directoryGrows makes a group grow to thousands of members by small changes, and shrink again: each time what is loaded
// is what was written.
func directoryGrows(t *testing.T, db Database) {
	s := db.Open(t, "one")
	want := map[directory.Member]bool{}
	step := func(from, to int, removed bool) {
		t.Helper()
		var c directory.Change
		for n := from; n < to; n++ {
			m := directory.Member{User: userID(n)}
			if n%7 == 0 {
				m = directory.Member{Group: groupID(n)}
			}
			c.Members = append(c.Members, directory.Membership{Group: groupID(1), Member: m, Removed: removed})
			if want[m] = true; removed {
				delete(want, m)
			}
		}
		if _, err := s.SaveDirectory(t.Context(), c, entry("directory")); err != nil {
			t.Fatal(err)
		}
	}
	check := func() {
		t.Helper()
		all, _, _, _, err := s.LoadDirectory(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		got := map[directory.Member]bool{}
		for _, m := range all.Members {
			if m.Group != groupID(1) || got[m.Member] {
				t.Fatalf("%+v is there twice, or of another group", m)
			}
			got[m.Member] = true
		}
		for m := range want {
			if !got[m] {
				t.Fatalf("%+v is missing", m)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%d members, want %d", len(got), len(want))
		}
	}
	for at := 0; at < 6000; at += 600 {
		step(at, at+600, false)
		check()
	}
	step(100, 5900, true)
	check()
	step(0, 300, false) // some of it said again
	check()
	step(0, 6000, true)
	check()
	step(5, 6, false)
	check()
}

// membersAdopted opens a database that has a row for each membership.
func membersAdopted(t *testing.T, db Database) {
	db.Open(t, "one")
	raw := db.Raw(t)
	for n := range 3 {
		if _, err := raw.Exec(fmt.Sprintf(`INSERT INTO directory_members (group_tenant, group_object, member_kind, member_tenant, member_object)
			VALUES ('%s', '%s', 1, '%s', '%s'), ('%s', '%s', 2, '%s', '%s')`, tenant, groupID(1).Object, tenant, userID(n).Object,
			tenant, groupID(2).Object, tenant, groupID(n+5).Object)); err != nil {
			t.Fatal(err)
		}
	}
	s := db.Open(t, "two")
	all, _, _, _, err := s.LoadDirectory(t.Context())
	if err != nil || len(all.Members) != 6 {
		t.Fatalf("%+v, %v", all.Members, err)
	}
	for _, m := range all.Members {
		if user := m.Member.Group.IsZero(); user != (m.Group == groupID(1)) {
			t.Errorf("%+v", m)
		}
	}
	var left int
	if err := raw.QueryRow(`SELECT COUNT(*) FROM directory_members`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}
