package identity

import (
	"strings"
	"testing"
)

func TestIDs(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		id := NewWorkspaceID()
		if seen[string(id)] {
			t.Fatalf("%s twice", id)
		}
		seen[string(id)] = true
		if got, err := ParseWorkspaceID(string(id)); err != nil || got != id {
			t.Fatalf("%q: %v", got, err)
		}
		if got, err := WorkspaceFromLabel(id.Label()); err != nil || got != id {
			t.Fatalf("%q: %v", got, err)
		}
	}
	for _, bad := range []string{
		"", "w-", "w-aaaaaaaaaaaaaaa", "w-aaaaaaaaaaaaaaaaa", "w-AAAAAAAAAAAAAAAA", "w-aaaaaaaaaaaaaaa1", "s-aaaaaaaaaaaaaaaa",
		"w-../../../../etc/", "w-aaaaaaaaaaaaaa/a", "w-aaaaaaaaaaaaaa\x00a", "w-äaaaaaaaaaaaaaa", " w-aaaaaaaaaaaaaaaa",
	} {
		if id, err := ParseWorkspaceID(bad); err == nil {
			t.Errorf("%q passed as %q", bad, id)
		}
	}
}

// The same object ID in another tenant is another person, and another group.
func TestKeysCarryTheTenant(t *testing.T) {
	a, b := UserID{"t1", "o"}, UserID{"t2", "o"}
	if a == b || a.Key() == b.Key() || !strings.HasPrefix(a.String(), "u-") {
		t.Errorf("%q %q", a.Key(), b.Key())
	}
	if g, h := (GroupID{"t1", "o"}), (GroupID{"t2", "o"}); g == h || g.Key() == h.Key() {
		t.Errorf("%q %q", g.Key(), h.Key())
	}
	if (UserID{}).String() != "" || !(UserID{}).IsZero() {
		t.Error("nobody has a name")
	}
}
