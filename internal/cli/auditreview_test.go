package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// What the tenant's log holds, and what a browser calls itself, commands no terminal.
func TestAttack31ReviewsAreEscaped(t *testing.T) {
	var b strings.Builder
	a := &app{c: Config{Now: time.Now}, out: output{Writer: &b}}
	evil := "Ada\x1b]0;x\x07\u009b31m\u202e\nLOOK"
	now := time.Now()
	a.showReview(api.Review{
		Since: now.Add(-time.Hour), Until: now, CountedFrom: now, Log: api.ReviewLog{Problem: evil},
		Findings: []api.ReviewFinding{{Kind: evil, UserName: evil, IP: evil, Place: evil, Correlation: evil, Says: evil, Do: evil}},
		People:   []api.ReviewPerson{{UserName: evil, Strengths: []string{evil}, Contexts: []string{evil}, Places: []api.ReviewPlace{{IP: evil, Place: evil}}, Devices: []string{evil}}},
		Refused:  []api.ReviewRefusal{{Code: 50126, Failure: evil}},
		Groups:   []api.ReviewGroup{{Project: evil, Role: evil, Group: evil, Name: evil}},
		Grants:   []api.ReviewGrant{{Grant: api.Grant{ID: evil, Kind: evil, UserName: evil, ByName: evil, Allowed: []string{evil}}}},
	})
	text := b.String()
	if strings.ContainsAny(text, "\x1b\x07\u009b\u202e") {
		t.Errorf("%q", text)
	}
	if strings.Contains(text, "\nLOOK\n") {
		t.Errorf("a name makes a line of its own: %q", text)
	}
	for _, part := range []string{"Not compared", "LOOK  ", "correlation ID", "AADSTS50126", "UNUSED IN", "UNUSED GRANT"} {
		if !strings.Contains(text, part) {
			t.Errorf("it does not say %q: %s", part, text)
		}
	}
}
