package apiserver

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/setting"
)

// memoryRegistries are people's credentials without their passwords.
type memoryRegistries struct {
	mu  sync.Mutex
	all []setting.RegistryLogin
}

func (m *memoryRegistries) Login(_ context.Context, u identity.UserID, host, user, password string) (setting.RegistryLogin, error) {
	if password != "sesame" {
		return setting.RegistryLogin{}, problem.New(problem.Denied, "The registry %s does not take this user and password.", host)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	l := setting.RegistryLogin{Owner: u, Host: host, User: user, Changed: time.Now()}
	m.all = append(m.all, l)
	return l, nil
}

func (m *memoryRegistries) Logout(_ context.Context, u identity.UserID, host string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = slices.DeleteFunc(m.all, func(l setting.RegistryLogin) bool { return l.Owner == u && l.Host == host })
	return nil
}

func (m *memoryRegistries) List(_ context.Context, u identity.UserID) (list []setting.RegistryLogin, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, l := range m.all {
		if l.Owner == u {
			list = append(list, l)
		}
	}
	return list, nil
}

// A person stores, sees and removes their own credentials for registries, and nobody else's; no answer and no entry of the log has
// a password.
func TestAttack11RegistryPasswordsInAnswers(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []struct {
		who    identity.UserID
		l      api.StoreRegistryLogin
		status int
	}{
		{ada, api.StoreRegistryLogin{Host: "registry.example.test", User: "ada", Password: "sesame"}, 0},
		{linus, api.StoreRegistryLogin{Host: "registry.example.test", User: "linus", Password: "sesame"}, 0},
		{ada, api.StoreRegistryLogin{Host: "other.example.test", User: "ada", Password: "wrong"}, http.StatusForbidden},
		{ada, api.StoreRegistryLogin{Host: "https://other.example.test", User: "ada", Password: "sesame"}, http.StatusBadRequest},
		{operator, api.StoreRegistryLogin{Host: "registry.example.test", User: "root", Password: "sesame"}, http.StatusForbidden},
	} {
		if _, err := w.as(c.who).StoreRegistryLogin(ctx, c.l); status(err) != c.status || err != nil && strings.Contains(err.Error(), c.l.Password) {
			t.Errorf("%v stores %s: %v", c.who, c.l.Host, err)
		}
	}
	list, err := w.as(ada).RegistryLogins(ctx)
	if err != nil || len(list) != 1 || list[0].Host != "registry.example.test" || list[0].User != "ada" || list[0].Used != nil {
		t.Errorf("%+v %v", list, err)
	}
	if err := w.as(ada).DropRegistryLogin(ctx, "registry.example.test"); err != nil {
		t.Error(err)
	}
	for who, want := range map[identity.UserID]int{ada: 0, linus: 1} {
		if list, err := w.as(who).RegistryLogins(ctx); err != nil || len(list) != want {
			t.Errorf("%v: %+v %v", who, list, err)
		}
	}
	entries := w.audit.fitting(-1, audit.Filter{Action: string(identity.SelfRegistry)})
	if len(entries) == 0 {
		t.Error("nothing in the log")
	}
	for _, e := range entries {
		for k, v := range e.Detail {
			if text, ok := v.(string); ok && (strings.Contains(text, "sesame") || k == "password") {
				t.Errorf("the log: %+v", e)
			}
		}
	}
}
