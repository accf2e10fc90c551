package commands

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// A person sees where they are signed in, and ends one, the others, or all; others need a role for that.
func sessions(t *testing.T, w *harness.World) {
	l := harness.NewLaptop(w, "grace").SignIn()
	other := harness.NewLaptop(w, "grace").SignIn()
	out := says(t, l, 0, []string{"SESSION", "cli", "browser", "127.0.0.1", "in 1"}, "sessions")
	if strings.Count(out, "* ") < 1 {
		t.Errorf("no session is marked as the one that asks:\n%s", out)
	}
	mine, signIn := current(t, l)
	others, _ := current(t, other)
	if mine == others {
		t.Fatalf("two machines have one session, %s", mine)
	}

	// Somebody else can neither see them nor end them, nor tell whether they are there.
	stranger := harness.NewLaptop(w, "ada").SignIn()
	says(t, stranger, 3, nil, "sessions", "--user", "grace@contoso.example")
	says(t, stranger, 1, []string{"There is no"}, "sessions", "end", others)
	says(t, stranger, 1, []string{"There is no"}, "sessions", "end", signIn)

	// A session that ends takes along what is open by it (CVE-2026-41356 and its like left streams open).
	ws := w.Workspace("grace", payments)
	open := started(t, other.Command("exec", ws.ID, "--", "sh", "-c", "touch /tmp/open; exec sleep 1000"))
	w.Eventually("a command runs by the other session", func() bool {
		_, code := w.Exec("grace", ws, "test -e /tmp/open")
		return code == 0
	})
	says(t, l, 0, []string{"ended"}, "sessions", "end", others)
	if got := <-open; got != 126 {
		t.Errorf("what was open by the session ended with %d", got)
	}
	says(t, other, 4, []string{"lanyard login"}, "whoami")
	says(t, l, 0, nil, "whoami")

	again := harness.NewLaptop(w, "grace").SignIn()
	says(t, again, 0, nil, "sessions", "end", "--others")
	says(t, l, 4, nil, "whoami")
	says(t, again, 0, nil, "whoami")

	// Who administers the installation sees and ends them; so does the operator.
	admin := harness.NewLaptop(w, "margaret").SignIn()
	last := ""
	for _, in := range parsed[api.Page[api.SignIn]](t, admin.Must("sessions", "--user", "grace@contoso.example", "--json")).Items {
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

// current is the session of a machine and its sign-in, as the person sees them there.
func current(t *testing.T, l *harness.Laptop) (session, signIn string) {
	t.Helper()
	for _, in := range parsed[api.Page[api.SignIn]](t, l.Must("sessions", "list", "--json")).Items {
		for _, s := range in.Sessions {
			if !s.Current {
				continue
			}
			if s.Kind != "cli" || s.Device == "" || !s.Bound || !in.Current {
				t.Errorf("the session of this machine: %+v", s)
			}
			return s.ID, in.ID
		}
	}
	t.Fatal("no session is the present one")
	return "", ""
}
