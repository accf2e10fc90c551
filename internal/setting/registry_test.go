package setting

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// memoryLogins keeps rows in a slice.
type memoryLogins struct{ rows []RegistryLoginRow }

func (m *memoryLogins) RegistryLogins(_ context.Context, u identity.UserID) (list []RegistryLoginRow, _ error) {
	for _, r := range m.rows {
		if r.Owner == u {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *memoryLogins) AllRegistryLogins(context.Context) ([]RegistryLoginRow, error) {
	return append([]RegistryLoginRow{}, m.rows...), nil
}

func (m *memoryLogins) PutRegistryLogin(ctx context.Context, r RegistryLoginRow) error {
	_, err := m.DropRegistryLogin(ctx, r.Owner, r.Host)
	m.rows = append(m.rows, r)
	return err
}

func (m *memoryLogins) DropRegistryLogin(_ context.Context, u identity.UserID, host string) (bool, error) {
	for i, r := range m.rows {
		if r.Owner == u && r.Host == host {
			m.rows = append(m.rows[:i:i], m.rows[i+1:]...)
			return true, nil
		}
	}
	return false, nil
}

func (m *memoryLogins) UseRegistryLogin(_ context.Context, u identity.UserID, host string, at time.Time) error {
	for i, r := range m.rows {
		if r.Owner == u && r.Host == host {
			m.rows[i].Used = at
		}
	}
	return nil
}

// A password of a registry is kept sealed, opens for its owner and its registry alone, and what the registry refuses is not kept.
func TestAttack33RegistryPasswords(t *testing.T) {
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	m := &memoryLogins{}
	const secret = "correct horse battery staple"
	s := NewRegistries(RegistriesConfig{Rows: m, Sealer: sealer, Try: func(_ context.Context, host, _, password string) error {
		if password != secret {
			return problem.New(problem.Denied, "%s refuses", host)
		}
		return nil
	}})
	ctx, grace := t.Context(), identity.UserID{Tenant: "t", Object: "grace"}
	for host, want := range map[string]string{"Registry.example.test:5000/": "registry.example.test:5000", "docker.io": hub, "localhost": "localhost"} {
		if l, err := s.Login(ctx, ada, host, "ada", secret); err != nil || l.Host != want {
			t.Errorf("%s: %+v %v", host, l, err)
		}
	}
	for _, bad := range []struct{ host, user, password string }{
		{"https://registry.example.test", "ada", secret}, {"ada:pw@registry.example.test", "ada", secret}, {"team", "ada", secret}, {"a.example.test/path", "ada", secret},
		{"a.example.test", "", secret}, {"a.example.test", "a:b", secret}, {"a.example.test", "ada", ""}, {"a.example.test", "ada", "two\nlines"}, {"a.example.test", "ada", "wrong"},
		{"a.example.test", "ada", strings.Repeat("x", maxRegistryPassword+1)},
	} {
		if _, err := s.Login(ctx, ada, bad.host, bad.user, bad.password); err == nil || len(bad.password) > 5 && strings.Contains(err.Error(), bad.password) || strings.Contains(err.Error(), ":pw@") {
			t.Errorf("%+v: %v", bad, err)
		}
	}
	for _, r := range m.rows {
		if strings.Contains(string(r.Sealed), secret) {
			t.Error("kept in the open")
		}
	}
	if user, password, found, err := s.Open(ctx, ada, "Registry.example.test:5000"); user != "ada" || password != secret || !found || err != nil {
		t.Error(user, found, err)
	}
	for _, none := range []struct {
		u    identity.UserID
		host string
	}{{grace, hub}, {ada, "registry.example.test"}, {identity.UserID{}, hub}} {
		if _, password, found, err := s.Open(ctx, none.u, none.host); password != "" || found || err != nil {
			t.Errorf("%+v: %v %v", none, found, err)
		}
	}
	// Who can write rows gives themselves nobody else's, and sends it nowhere else.
	stolen, moved := m.rows[0], m.rows[0]
	stolen.Owner, moved.Host = grace, "evil.example.test"
	m.rows = append(m.rows, stolen, moved)
	for _, r := range []RegistryLoginRow{stolen, moved} {
		if _, _, _, err := s.Open(ctx, r.Owner, r.Host); err == nil {
			t.Errorf("%s of %v opens", r.Host, r.Owner)
		}
	}
	if err := s.Used(ctx, ada, hub); err != nil {
		t.Fatal(err)
	}
	list, err := s.List(ctx, ada)
	if err != nil || len(list) != 4 || list[1].Named() == "" {
		t.Fatalf("%+v %v", list, err)
	}
	for _, l := range list {
		if l.Used.IsZero() == (l.Host == hub) {
			t.Errorf("%+v", l)
		}
	}
	if err := s.Logout(ctx, ada, "docker.io"); err != nil {
		t.Error(err)
	}
	if err := s.Logout(ctx, ada, "docker.io"); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
	for range MaxRegistries {
		m.rows = append(m.rows, RegistryLoginRow{RegistryLogin: RegistryLogin{Owner: grace, Host: "h"}})
	}
	if _, err = s.Login(ctx, grace, "one-more.example.test", "g", secret); problem.KindOf(err) != problem.TooLarge {
		t.Error(err)
	}
}
