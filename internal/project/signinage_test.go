package project

import (
	"strings"
	"testing"
	"time"
)

func TestSignInAge(t *testing.T) {
	parse := func(line string) (Result, error) {
		return Parse(Input{Revision: Revision{Projects: map[string]string{"p.yaml": "project: p\n" + line + "\n"}}, Tenant: tenant})
	}
	for line, want := range map[string]time.Duration{"sign_in_age: 8h": 8 * time.Hour, "workspace: {timeout: 30m}": 0} {
		r, err := parse(line)
		if err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		p, _ := r.Set.ByName("p")
		if got := r.Set.SignInAge(p.ID); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
	for line, want := range map[string]string{"sign_in_age: 1m": "5m0s old at least", "sign_in_age: old": "not a duration"} {
		if _, err := parse(line); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", line, err)
		}
	}
}
