package commands

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// A person sees where they are signed in, and ends one, the others, or all; others need a role for that.
func sessions(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "linus").SignIn()
	other := harness.NewLaptop(w, "linus").SignIn()
	out := says(t, l, 0, []string{"SESSION", "cli", "browser", "127.0.0.1", "in 1"}, "sessions")
	if strings.Count(out, "* ") < 1 {
		t.Errorf("no session is marked as the one that asks:\n%s", out)
	}
	signIns := parsed[api.Page[api.SignIn]](t, l.Must("sessions", "list", "--json")).Items
	var mine, others []string
	for _, in := range signIns {
		for _, s := range in.Sessions {
			switch {
			case s.Kind == "cli" && s.Current:
				mine = append(mine, s.ID)
				if s.Device == "" || !s.Bound {
					t.Errorf("the session of this machine: %+v", s)
				}
			case s.Kind == "cli":
				others = append(others, s.ID)
			}
		}
	}
	if len(mine) != 1 || len(others) != 1 {
		t.Fatalf("sessions of this machine %v, of others %v", mine, others)
	}

	// Somebody else can neither see them nor end them, nor tell whether they are there.
	stranger := harness.NewLaptop(w, "ada").SignIn()
	says(t, stranger, 3, nil, "sessions", "--user", "linus@contoso.example")
	says(t, stranger, 1, []string{"There is no"}, "sessions", "end", others[0])
	says(t, stranger, 1, []string{"There is no"}, "sessions", "end", signIns[0].ID)

	says(t, l, 0, []string{"ended"}, "sessions", "end", others[0])
	says(t, other, 4, []string{"lanyard login"}, "whoami")
	says(t, l, 0, nil, "whoami")

	again := harness.NewLaptop(w, "linus").SignIn()
	says(t, again, 0, nil, "sessions", "end", "--others")
	says(t, l, 4, nil, "whoami")
	says(t, again, 0, nil, "whoami")

	// Who administers the installation sees and ends them; so does the operator.
	admin := harness.NewLaptop(w, "margaret").SignIn()
	last := ""
	for _, in := range parsed[api.Page[api.SignIn]](t, admin.Must("sessions", "--user", "linus@contoso.example", "--json")).Items {
		if in.Ended.IsZero() {
			last = in.ID
		}
	}
	says(t, admin, 0, []string{"ended"}, "sessions", "end", last)
	says(t, again, 4, []string{"lanyard login"}, "whoami")
	if said := w.Lanyard("sessions", "--user", "ada@contoso.example"); said.Status != 0 || !strings.Contains(said.Out, "cli") {
		t.Errorf("the operator's list: %+v", said)
	}
	if said := w.Lanyard("sessions", "end", "--all", "--user", "ada@contoso.example"); said.Status != 0 || !strings.Contains(said.Out, "ended") {
		t.Errorf("the operator's end: %+v", said)
	}
	says(t, stranger, 4, []string{"lanyard login"}, "whoami")
}
