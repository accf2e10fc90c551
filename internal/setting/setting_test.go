package setting

import (
	"context"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
)

// memory keeps rows in a map.
type memory struct {
	rows     []Row
	dotfiles map[identity.UserID]string
}

func (m *memory) Variables(_ context.Context, u identity.UserID, p identity.ProjectID) (list []Row, _ error) {
	for _, r := range m.rows {
		if r.User == u && r.Project == p {
			list = append(list, r)
		}
	}
	return list, nil
}

func (m *memory) PutVariable(ctx context.Context, r Row) error {
	if _, err := m.DropVariable(ctx, r.Scope, r.Name); err != nil {
		return err
	}
	m.rows = append(m.rows, r)
	return nil
}

func (m *memory) DropVariable(_ context.Context, at Scope, name string) (bool, error) {
	for i, r := range m.rows {
		if r.Scope == at && r.Name == name {
			m.rows = append(m.rows[:i:i], m.rows[i+1:]...)
			return true, nil
		}
	}
	return false, nil
}

func (m *memory) Dotfiles(_ context.Context, u identity.UserID) (string, error) {
	return m.dotfiles[u], nil
}

func (m *memory) PutDotfiles(_ context.Context, u identity.UserID, repository string) error {
	m.dotfiles[u] = repository
	return nil
}

func settings(t *testing.T) (*Settings, *memory) {
	t.Helper()
	sealer, err := token.NewSealer(token.NewSealingKey())
	if err != nil {
		t.Fatal(err)
	}
	m := &memory{dotfiles: map[identity.UserID]string{}}
	return New(Config{Rows: m, Sealer: sealer}), m
}

var (
	ada      = identity.UserID{Tenant: "t", Object: "ada"}
	api      = "https://git.example.test/payments/api"
	whole    = Scope{Project: "p-1"}
	narrow   = Scope{Project: "p-1", Repository: api}
	own      = Scope{User: ada}
	ownHere  = Scope{User: ada, Repository: api}
	ownThere = Scope{User: ada, Repository: "https://git.example.test/payments/web"}
	here     = Scope{User: ada, Project: "p-1", Repository: api}
)

func TestWhichValueWins(t *testing.T) {
	s, _ := settings(t)
	for _, v := range []Variable{ // the weakest last, so that order of setting says nothing
		{Scope: ownThere, Name: "A", Value: "elsewhere"},
		{Scope: ownHere, Name: "A", Value: "mine here"},
		{Scope: own, Name: "A", Value: "mine"}, {Scope: own, Name: "B", Value: "mine"},
		{Scope: narrow, Name: "B", Value: "project here"}, {Scope: narrow, Name: "C", Value: "project here"},
		{Scope: whole, Name: "C", Value: "project"}, {Scope: whole, Name: "D", Value: "project"},
		{Scope: Scope{Project: "p-2"}, Name: "E", Value: "another's"},
		{Scope: Scope{User: identity.UserID{Tenant: "t", Object: "linus"}}, Name: "F", Value: "another's"},
	} {
		if err := s.Set(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.Resolve(t.Context(), Query{Scope: here})
	if err != nil || len(got.Env) != 4 || got.Env["A"] != "mine here" || got.Env["B"] != "mine" || got.Env["C"] != "project here" || got.Env["D"] != "project" {
		t.Errorf("%v %v", got.Env, err)
	}
}

// A secret value is nowhere but in the environment of a workspace that may have it.
func TestAttack33SecretVariables(t *testing.T) {
	s, m := settings(t)
	const value = "correct horse battery staple"
	for _, v := range []Variable{{Scope: whole, Name: "TOKEN", Value: "for all"}, {Scope: ownHere, Name: "TOKEN", Value: value, Secret: true}} {
		if err := s.Set(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	for _, r := range m.rows {
		if strings.Contains(string(r.Sealed)+r.Value, value) {
			t.Error("kept in the open")
		}
	}
	if list, _ := s.List(t.Context(), own); len(list) != 1 || list[0].Value != "" {
		t.Errorf("listed: %+v", list)
	}
	got, err := s.Resolve(t.Context(), Query{Scope: here})
	if err != nil || len(got.Env) != 0 || len(got.Withheld) != 1 || got.Withheld[0].Value != "" {
		t.Errorf("without permission: %+v %v", got, err)
	}
	got, err = s.Resolve(t.Context(), Query{Scope: here, Secrets: true})
	if err != nil || got.Env["TOKEN"] != value || len(got.Withheld) != 0 || got.Variable["TOKEN"].Value != "" {
		t.Errorf("with: %+v %v", got, err)
	}
	// Sealed as another's, it does not open: who can write rows cannot move a secret into a workspace of their own.
	moved := m.rows[1]
	moved.Scope = own
	m.rows = []Row{moved}
	if _, err := s.Resolve(t.Context(), Query{Scope: here, Secrets: true}); err == nil {
		t.Error("a secret was moved to another scope")
	}
}

func TestWhatCannotBeSet(t *testing.T) {
	s, _ := settings(t)
	for name, value := range map[string]string{
		"": "x", "1A": "x", "A-B": "x", "A=B": "x", "A B": "x", "Ä": "x", strings.Repeat("A", 129): "x",
		"GITPOD_HOST": "x", "LANYARD_X": "x", "gitpod_x": "x", "NUL": "a\x00b", "LATIN": "\xff",
	} {
		if err := s.Set(t.Context(), Variable{Scope: own, Name: name, Value: value}); problem.KindOf(err) != problem.Invalid {
			t.Errorf("%q=%q: %v", name, value, err)
		}
	}
	if err := s.Set(t.Context(), Variable{Scope: own, Name: "BIG", Value: strings.Repeat("x", MaxValue+1)}); problem.KindOf(err) != problem.TooLarge {
		t.Error(err)
	}
	var err error
	for i := 0; i < MaxAll/MaxValue+1 && err == nil; i++ {
		err = s.Set(t.Context(), Variable{Scope: own, Name: "B" + string(rune('A'+i)), Value: strings.Repeat("x", MaxValue)})
	}
	if problem.KindOf(err) != problem.TooLarge {
		t.Errorf("no bound on all: %v", err)
	}
	if err := s.Unset(t.Context(), own, "NONE"); problem.KindOf(err) != problem.NotFound {
		t.Error(err)
	}
}

func TestAttack29DotfilesAddress(t *testing.T) {
	s, _ := settings(t)
	for _, bad := range []string{"git@git.example.test:ada/dotfiles", "https://ada:pw@git.example.test/ada/dotfiles", "https://git.example.test", "file:///etc", "https://git.example.test/a b", "ext::sh -c id", "https://git.example.test/x?y"} {
		if err := s.SetDotfiles(t.Context(), ada, bad); problem.KindOf(err) != problem.Invalid || strings.Contains(problem.Message(err), "pw") {
			t.Errorf("%s: %v", bad, err)
		}
	}
	const good = "https://git.example.test/ada/dotfiles"
	if err := s.SetDotfiles(t.Context(), ada, good); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Dotfiles(t.Context(), ada); got != good || err != nil {
		t.Error(got, err)
	}
}
