package cli

import (
	"strings"
	"testing"
)

func TestDidYouMean(t *testing.T) {
	names := []string{"start", "stop", "list", "ls", "login", "logout", "logs", "whoami", "sessions", "leases"}
	for typed, want := range map[string]string{
		"strat": "start", "whomai": "whoami", "sesions": "sessions", "lgoin": "login", "Lease": "leases", "lst": "list", "kubectl": "", "x": "",
	} {
		got := didYouMean(typed, names)
		if want == "" && got != "" || want != "" && !strings.HasPrefix(got, "; did you mean "+want) {
			t.Errorf("%s: %q", typed, got)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"a", "", 1}, {"abc", "abc", 0}, {"start", "strat", 1}, {"kitten", "sitting", 3}} {
		if got := slips(c.a, c.b); got != c.want {
			t.Errorf("%s, %s: %d", c.a, c.b, got)
		}
	}
}
