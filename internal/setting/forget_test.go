package setting

import (
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// TestAttack33PasswordsOfPeopleWhoAreGone: what nobody can use any more is not kept for whoever comes by the database and its key.
func TestAttack33PasswordsOfPeopleWhoAreGone(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	rows := &memoryLogins{}
	here, gone := identity.UserID{Tenant: "t", Object: "here"}, identity.UserID{Tenant: "t", Object: "gone"}
	for _, u := range []identity.UserID{here, gone} {
		for host, age := range map[string]time.Duration{"old.example.test": 2 * forgetAfter, "young.example.test": time.Hour} {
			rows.rows = append(rows.rows, RegistryLoginRow{RegistryLogin: RegistryLogin{Owner: u, Host: host, Changed: now.Add(-age)}})
		}
	}
	rows.rows = append(rows.rows, RegistryLoginRow{RegistryLogin: RegistryLogin{Owner: gone, Host: "used.example.test", Changed: now.Add(-2 * forgetAfter), Used: now.Add(-time.Hour)}})
	s := NewRegistries(RegistriesConfig{Rows: rows, Now: func() time.Time { return now }})
	n, err := s.Forget(t.Context(), func(u identity.UserID) bool { return u == here })
	if err != nil || n != 1 || len(rows.rows) != 4 {
		t.Errorf("%d removed, %+v stay, %v", n, rows.rows, err)
	}
	for _, r := range rows.rows {
		if r.Owner == gone && r.Host == "old.example.test" {
			t.Error("it is still there")
		}
	}
}
