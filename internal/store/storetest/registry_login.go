package storetest

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/lanyardhq/lanyard/internal/setting"
)

// registryLoginsRoundTrip keeps, replaces, uses, seals again and removes credentials for registries.
func registryLoginsRoundTrip(t *testing.T, db Database) {
	ctx := t.Context()
	s, other := db.Open(t, "one"), db.Open(t, "two")
	row := func(u int, host, user string) setting.RegistryLoginRow {
		return setting.RegistryLoginRow{RegistryLogin: setting.RegistryLogin{Owner: userID(u), Host: host, User: user, Changed: now()}, Sealed: []byte("sealed")}
	}
	rows := []setting.RegistryLoginRow{row(1, "a.example.test", "ada"), row(1, "b.example.test:5000", "ada"), row(2, "a.example.test", "grace")}
	for _, r := range append([]setting.RegistryLoginRow{row(1, "a.example.test", "before")}, rows...) {
		if err := s.PutRegistryLogin(ctx, r); err != nil {
			t.Fatal(err)
		}
	}
	rows[0].Used = now().Add(time.Second)
	if err := s.UseRegistryLogin(ctx, userID(1), "a.example.test", rows[0].Used); err != nil {
		t.Fatal(err)
	}
	n, err := s.ResealRegistryLogins(ctx, func(r setting.RegistryLoginRow) ([]byte, bool, error) {
		return []byte("again"), r.Host == "b.example.test:5000", nil
	})
	if err != nil || n != 1 {
		t.Error(n, err)
	}
	rows[1].Sealed = []byte("again")
	for u, want := range map[int][]setting.RegistryLoginRow{1: rows[:2], 2: rows[2:], 3: nil} {
		got, err := other.RegistryLogins(ctx, userID(u))
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); err != nil || diff != "" {
			t.Error(err, diff)
		}
	}
	for _, want := range []bool{true, false} {
		if found, err := s.DropRegistryLogin(ctx, userID(1), "a.example.test"); found != want || err != nil {
			t.Error(found, err)
		}
	}
	if got, err := other.RegistryLogins(ctx, userID(2)); err != nil || len(got) != 1 {
		t.Error(got, err)
	}
}
