package identity

import "testing"

func FuzzWorkspaceLabel(f *testing.F) {
	f.Add(NewWorkspaceID().Label())
	f.Add("abcdefghij234567.evil")
	f.Add("ABCDEFGHIJ234567")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := WorkspaceFromLabel(s)
		if err != nil {
			return
		}
		if id.Label() != s {
			t.Fatalf("%q is %s, whose label is %q", s, id, id.Label())
		}
		for _, c := range []byte(s) {
			if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
				t.Fatalf("%q is a label", s)
			}
		}
	})
}
