package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
)

const tenant identity.TenantID = "5f0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7a11"

func userID(n int) identity.UserID {
	return identity.UserID{Tenant: tenant, Object: fmt.Sprintf("user-%05d", n)}
}
func groupID(n int) identity.GroupID {
	return identity.GroupID{Tenant: tenant, Object: fmt.Sprintf("group-%05d", n)}
}

func entry(topic feed.Topic, keys ...string) feed.Entry { return feed.Entry{Topic: topic, Keys: keys} }

// directoryRoundTrip stores and reads a directory, changed step by step.
func directoryRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s := db.Open(t, "one")
	asOf := time.Date(2026, 11, 2, 10, 0, 0, 123456000, time.UTC)
	first := directory.Change{
		Reset: directory.Everything,
		Users: []directory.User{
			{ID: userID(1), Name: "Ada Ätna", UserName: "ada@contoso.example", Mail: "ada@contoso.example", Enabled: true},
			{ID: userID(2), Name: "with \x00 and \xff", Enabled: false},
		},
		Groups: []directory.Group{{ID: groupID(1), Name: "payments", Security: true, Assigned: true}, {ID: groupID(2), Name: "all"}},
		Members: []directory.Membership{
			{Group: groupID(1), Member: directory.Member{User: userID(1)}},
			{Group: groupID(1), Member: directory.Member{User: userID(2)}},
			{Group: groupID(2), Member: directory.Member{Group: groupID(1)}},
			{Group: groupID(2), Member: directory.Member{User: userID(2)}},
			{Group: groupID(2), Member: directory.Member{User: userID(2)}, Removed: true},
		},
		Cursors: map[string]string{"users": "token-1", "groups": "token-2"},
		AsOf:    asOf,
	}
	save(t, s, first)
	save(t, s, directory.Change{Users: []directory.User{{ID: userID(1), Name: "Ada", Enabled: false}}, Cursors: map[string]string{"users": "token-3"}})
	got, cursors, at, seq, err := s.LoadDirectory(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if seq != 2 || !at.Equal(asOf) || !got.AsOf.Equal(asOf) || got.Reset == 0 {
		t.Errorf("number %d, as of %v and %v, reset %v", seq, at, got.AsOf, got.Reset)
	}
	if want := map[string]string{"users": "token-3", "groups": "token-2"}; !cmp.Equal(cursors, want) {
		t.Errorf("cursors %v", cursors)
	}
	if diff := cmp.Diff([]directory.User{{ID: userID(1), Name: "Ada"}, {ID: userID(2), Name: "with  and \uFFFD"}}, sorted(got.Users, func(u directory.User) string { return u.ID.Key() })); diff != "" {
		t.Errorf("users: %s", diff)
	}
	if diff := cmp.Diff(first.Groups, sorted(got.Groups, func(g directory.Group) string { return g.ID.Key() })); diff != "" {
		t.Errorf("groups: %s", diff)
	}
	if diff := cmp.Diff(first.Members[:3], sorted(got.Members, memberKey)); diff != "" {
		t.Errorf("members: %s", diff)
	}
	// Cursors and age alone need no entry.
	later := asOf.Add(time.Hour)
	seq, err = s.SaveDirectory(ctx, directory.Change{Cursors: map[string]string{"users": "token-4"}, AsOf: later}, feed.Entry{})
	if err != nil || seq != 0 {
		t.Errorf("without an entry: number %d, %v", seq, err)
	}
	if _, cursors, at, seq, err = s.LoadDirectory(ctx); err != nil || cursors["users"] != "token-4" || !at.Equal(later) || seq != 2 {
		t.Errorf("without an entry: %v, %v, number %d, %v", cursors, at, seq, err)
	}
	// A group that is gone takes its members along; what it was in itself the change names.
	save(t, s, directory.Change{GoneUsers: []identity.UserID{userID(2)}, GoneGroups: []identity.GroupID{groupID(1)},
		Members: []directory.Membership{{Group: groupID(2), Member: directory.Member{Group: groupID(1)}, Removed: true}}})
	if got, _, _, _, err = s.LoadDirectory(ctx); err != nil || len(got.Users) != 1 || len(got.Groups) != 1 || len(got.Members) != 0 {
		t.Errorf("after removals: %+v, %v", got, err)
	}
}

// directoryLarge writes many rows, and the same again, which changes nothing.
func directoryLarge(t *testing.T, db Database) {
	s := db.Open(t, "one")
	c := directory.Change{Reset: directory.Everything}
	for n := range 2500 {
		c.Users = append(c.Users, directory.User{ID: userID(n), Name: "u", Enabled: true})
		c.Members = append(c.Members, directory.Membership{Group: groupID(n % 50), Member: directory.Member{User: userID(n)}})
	}
	for n := range 50 {
		c.Groups = append(c.Groups, directory.Group{ID: groupID(n), Name: "g", Security: true})
	}
	save(t, s, c)
	c.Reset = 0
	save(t, s, c)
	got, _, _, _, err := s.LoadDirectory(t.Context())
	if err != nil || len(got.Users) != 2500 || len(got.Groups) != 50 || len(got.Members) != 2500 {
		t.Errorf("%d users, %d groups, %d members, %v", len(got.Users), len(got.Groups), len(got.Members), err)
	}
}

// directorySwap replaces the whole directory again and again; a reader sees one whole or the next.
func directorySwap(t *testing.T, db Database) {
	ctx := t.Context()
	writer, reader := db.Open(t, "one"), db.Open(t, "two")
	whole := func(n int) directory.Change {
		c := directory.Change{Reset: directory.Everything, Cursors: map[string]string{"generation": fmt.Sprint(n)}}
		for i := range 40 {
			c.Users = append(c.Users, directory.User{ID: userID(100*n + i), Name: fmt.Sprint(n)})
			c.Members = append(c.Members, directory.Membership{Group: groupID(n), Member: directory.Member{User: userID(100*n + i)}})
		}
		return c
	}
	save(t, writer, whole(0))
	const swaps = 30
	var reading sync.WaitGroup
	defer reading.Wait()
	done, cancel := context.WithCancel(ctx)
	defer cancel()
	reading.Go(func() {
		for done.Err() == nil {
			c, cursors, _, seq, err := reader.LoadDirectory(ctx)
			if err != nil {
				t.Error(err)
				return
			}
			for _, u := range c.Users {
				if u.Name != cursors["generation"] {
					t.Errorf("user of generation %s beside cursor %s", u.Name, cursors["generation"])
					return
				}
			}
			if len(c.Users) != 40 || len(c.Members) != 40 || fmt.Sprint(seq-1) != cursors["generation"] {
				t.Errorf("%d users, %d members, number %d, generation %s", len(c.Users), len(c.Members), seq, cursors["generation"])
				return
			}
		}
	})
	for n := range swaps {
		save(t, writer, whole(n+1))
	}
}

func save(t *testing.T, s *store.Store, c directory.Change) {
	t.Helper()
	if _, err := s.SaveDirectory(t.Context(), c, entry(feed.Directory)); err != nil {
		t.Fatal(err)
	}
}

func sorted[T any](list []T, key func(T) string) []T {
	slices.SortFunc(list, func(a, b T) int {
		if key(a) < key(b) {
			return -1
		}
		return 1
	})
	return list
}

func memberKey(m directory.Membership) string {
	return m.Group.Key() + " " + m.Member.User.Key() + " " + m.Member.Group.Key()
}
