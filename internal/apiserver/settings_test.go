package apiserver

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/setting"
)

// memorySettings are variables by scope and name.
type memorySettings struct {
	mu       sync.Mutex
	all      []setting.Variable
	dotfiles map[identity.UserID]string
}

func (m *memorySettings) Set(_ context.Context, v setting.Variable) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.all = append(m.all, v)
	return nil
}

func (m *memorySettings) Unset(context.Context, setting.Scope, string) error { return nil }

func (m *memorySettings) List(_ context.Context, of setting.Scope) (list []setting.Variable, _ error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, v := range m.all {
		if v.User == of.User && v.Project == of.Project {
			list = append(list, v)
		}
	}
	return list, nil
}

func (m *memorySettings) Dotfiles(_ context.Context, u identity.UserID) (string, error) {
	return m.dotfiles[u], nil
}

func (m *memorySettings) SetDotfiles(_ context.Context, u identity.UserID, r string) error {
	m.dotfiles[u] = r
	return nil
}

// settingsOf are the settings of a world.
func settingsOf() *memorySettings { return &memorySettings{dotfiles: map[identity.UserID]string{}} }

// Whose variables somebody sees and sets: their own; a project's as their role there says; a stranger learns of none.
func TestWhoseVariables(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	for _, c := range []struct {
		who    identity.UserID
		v      api.SetVariable
		status int
	}{
		{ada, api.SetVariable{Name: "A", Value: "mine", Secret: true}, 0},
		{ada, api.SetVariable{Name: "A", Project: "payments"}, http.StatusForbidden},
		{mallory, api.SetVariable{Name: "A", Project: "payments"}, http.StatusNotFound},
		{mallory, api.SetVariable{Name: "A", Project: "none"}, http.StatusNotFound},
		{operator, api.SetVariable{Name: "A"}, http.StatusForbidden},
		{ada, api.SetVariable{Name: "LANYARD_A"}, http.StatusBadRequest},
		{ada, api.SetVariable{Name: "A", Repository: "-x"}, http.StatusBadRequest},
	} {
		got, err := w.as(c.who).SetVariable(ctx, c.v)
		if status(err) != c.status || got.Value != "" && got.Secret {
			t.Errorf("%v sets %+v: %+v %v", c.who, c.v, got, err)
		}
	}
	list, err := w.as(ada).Variables(ctx, "")
	if err != nil || len(list) != 1 || list[0].Value != "" || !list[0].Secret || list[0].By != "Ada Lovelace" {
		t.Errorf("%+v %v", list, err)
	}
	if list, err := w.as(linus).Variables(ctx, "payments"); err != nil || len(list) != 0 {
		t.Errorf("a viewer: %v %v", list, err)
	}
	if _, err := w.as(mallory).Variables(ctx, "payments"); status(err) != http.StatusNotFound || !strings.Contains(err.Error(), "There is no project") {
		t.Errorf("a stranger: %v", err)
	}
	for _, e := range w.audit.fitting(-1, audit.Filter{Action: "env:set"}) {
		if e.Detail["variable"] != "A" || e.Detail["value"] != nil {
			t.Errorf("the log: %+v", e)
		}
	}
}

// TestAttack30NobodySetsForOthersWhatLoadsCode: a person decides what their own programs load, and not what everybody's do.
func TestAttack30NobodySetsForOthersWhatLoadsCode(t *testing.T) {
	w := newWorld(t)
	for project, want := range map[string]int{"": 0, "payments": http.StatusBadRequest} {
		if _, err := w.as(ada).SetVariable(t.Context(), api.SetVariable{Name: "LD_PRELOAD", Value: "/tmp/x.so", Project: project}); status(err) != want {
			t.Errorf("project %q: %v", project, err)
		}
	}
}
