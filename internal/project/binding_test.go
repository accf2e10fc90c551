package project

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/identity"
)

func viewers(t *testing.T, s *Set) []identity.GroupID {
	t.Helper()
	p, ok := s.ByName("payments")
	if !ok {
		t.Fatal("no project")
	}
	return p.Roles[Viewer]
}

// Invariant 2: a name is pinned once. Whatever then happens to the name, nobody else comes to the role.
func TestPinnedNames(t *testing.T) {
	pin := Pin{"all-engineers", gid(everybody)}
	other := Group{gid("5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7aff"), "all-engineers", true, true}
	change := func(edit func(groups) groups) groups { return edit(directory()) }
	for _, c := range []struct {
		name   string
		groups groups
		why    string
	}{
		{"as it was", directory(), ""},
		{"renamed", change(func(g groups) groups { g[2].Name = "everyone"; return g }), `is now called "everyone"`},
		{"replaced", change(func(g groups) groups { g[2] = other; return g }), "is now the name of another group"},
		{"renamed and replaced", change(func(g groups) groups { g[2].Name = "everyone"; return append(g, other) }), "is now the name of another group"},
		{"ambiguous", change(func(g groups) groups { return append(g, other) }), "is now the name of several"},
		{"deleted", change(func(g groups) groups { return g[:2] }), "is not in the directory any more"},
		{"no longer assigned", change(func(g groups) groups { g[2].Assigned = false; return g }), "no longer assigned"},
		{"not read yet", nil, "before the directory has been read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			parsed := parseGood(t, c.groups, pin).Set
			rebound, _ := parseGood(t, directory(), pin).Set.Rebind(c.groups)
			for how, set := range map[string]*Set{"parsed": parsed, "rebound": rebound} {
				got := viewers(t, set)
				if c.why == "" {
					if len(got) != 1 || got[0] != gid(everybody) {
						t.Errorf("%s: got %v", how, got)
					}
					continue
				}
				if len(got) != 0 {
					t.Errorf("%s: the role is still given to %v", how, got)
				}
				var found string
				for _, f := range set.Findings() {
					if strings.Contains(f.Message, "all-engineers") {
						found = f.String()
					}
				}
				if !strings.HasPrefix(found, "good/payments.yaml:3:12: ") || !strings.Contains(found, c.why) {
					t.Errorf("%s: found %q", how, found)
				}
			}
		})
	}
}

func TestUnpinnedNames(t *testing.T) {
	ambiguous := append(directory(), Group{gid("5c0d1b3e-0a5c-4d0e-9d6f-2f0f6f1f7aff"), "all-engineers", true, true})
	unassigned := directory()
	unassigned[2].Assigned = false
	for name, c := range map[string]struct {
		groups groups
		why    string
	}{
		"ambiguous":  {ambiguous, "name of several assigned groups; write the object ID of the one that is meant: " + everybody + ", 5c0d"},
		"unassigned": {unassigned, "no security group called"},
	} {
		result := parseGood(t, c.groups)
		if got := viewers(t, result.Set); len(got) != 0 {
			t.Errorf("%s: got %v", name, got)
		}
		if f := result.Set.Findings(); len(f) != 1 || !strings.Contains(f[0].Message, c.why) {
			t.Errorf("%s: %v", name, f)
		}
	}
}

// Only who stores pins resolves a name for the first time.
func TestRebindDoesNotPin(t *testing.T) {
	set := parseGood(t, groups{}).Set
	next, changed := set.Rebind(directory())
	if !changed || !next.awaiting || len(viewers(t, next)) != 0 {
		t.Errorf("changed %v, awaiting %v, viewers %v", changed, next.awaiting, viewers(t, next))
	}
	if again, changed := next.Rebind(directory()); changed || again != next {
		t.Error("nothing changed, and yet it says so")
	}
}

func TestUnknownObjectID(t *testing.T) {
	set := parseGood(t, directory()[1:]).Set
	if f := set.Findings(); len(f) != 1 || f[0].Line != 5 || f[0].Column != 7 || !strings.Contains(f[0].Message, engineers) {
		t.Errorf("got %v", f)
	}
}
