package store_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/store"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

const benchTenant = identity.TenantID("8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01")

// organisation is a directory of some size: groups of very different sizes, ten memberships a person on average.
func organisation(users, groups int) directory.Change {
	r := rand.New(rand.NewPCG(7, 7))
	guid := func(kind byte, i int) string { return fmt.Sprintf("%08x-0000-4%c00-8000-%012x", r.Uint32(), kind, i) }
	var c directory.Change
	for i := range users {
		name := fmt.Sprintf("person-%06d@contoso.example", i)
		c.Users = append(c.Users, directory.User{ID: identity.UserID{Tenant: benchTenant, Object: guid('a', i)},
			Name: fmt.Sprintf("Person Number %d", i), UserName: name, Mail: name, Enabled: true})
	}
	for i := range groups {
		c.Groups = append(c.Groups, directory.Group{ID: identity.GroupID{Tenant: benchTenant, Object: guid('b', i)}, Name: fmt.Sprintf("team-%05d", i), Security: true})
		if i > 0 {
			c.Members = append(c.Members, directory.Membership{Group: c.Groups[(i-1)/10].ID, Member: directory.Member{Group: c.Groups[i].ID}})
		}
	}
	seen := map[[2]int]bool{}
	for len(seen) < 10*users {
		at := [2]int{int(float64(groups) * r.Float64() * r.Float64()), r.IntN(users)}
		if !seen[at] {
			seen[at] = true
			c.Members = append(c.Members, directory.Membership{Group: c.Groups[at[0]].ID, Member: directory.Member{User: c.Users[at[1]].ID}})
		}
	}
	return c
}

func BenchmarkDirectorySQLite(b *testing.B) { benchmarkDirectory(b, storetest.SQLite(b)) }

func BenchmarkDirectoryPostgreSQL(b *testing.B) { benchmarkDirectory(b, storetest.OnPostgreSQL(b)) }

// benchmarkDirectory writes an organisation of a tenth of the size that matters, loads it, and says what it takes in memory.
func benchmarkDirectory(b *testing.B, db storetest.Database) {
	c := organisation(10_000, 1_000)
	s := db.Open(b, "one")
	b.Run("write", func(b *testing.B) {
		whole := c
		whole.Reset = directory.Everything
		for b.Loop() {
			if _, err := s.SaveDirectory(b.Context(), whole, feed.Entry{Topic: feed.Directory}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("load", func(b *testing.B) {
		for b.Loop() {
			load(b, s)
		}
		before := heap()
		kept := load(b, s)
		b.ReportMetric(float64(heap()-before)/float64(len(c.Users)), "B/user")
		runtime.KeepAlive(kept)
	})
}

func load(b *testing.B, s *store.Store) *directory.Snapshot {
	all, _, _, _, err := s.LoadDirectory(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	all.Reset = 0
	snapshot, _ := directory.Empty().With(all)
	return snapshot
}

func heap() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}
