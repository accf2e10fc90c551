package setting

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// One person has registries asked so often and no more; others are not bounded by it, and time ends it.
func TestAttack33GuessesAtRegistries(t *testing.T) {
	now, asked := time.Unix(1_700_000_000, 0), 0
	s := NewRegistries(RegistriesConfig{
		Rows: &memoryLogins{}, Now: func() time.Time { return now },
		Try: func(context.Context, string, string, string) error {
			asked++
			return problem.New(problem.Denied, "no")
		},
	})
	login := func(who, host string) problem.Kind {
		_, err := s.Login(t.Context(), identity.UserID{Tenant: "t", Object: who}, host, "u", "guess")
		return problem.KindOf(err)
	}
	for i := range 2 * triesOfHost {
		if got, want := login("ada", "registry.example.test"), map[bool]problem.Kind{true: problem.Denied, false: problem.TooMany}[i < triesOfHost]; got != want {
			t.Fatalf("%d: %v", i, got)
		}
	}
	for i := range 2 * triesOfPerson {
		login("ada", fmt.Sprintf("r%d.example.test", i))
	}
	if asked != triesOfPerson {
		t.Errorf("registries were asked %d times for one person", asked)
	}
	if got := login("linus", "registry.example.test"); got != problem.Denied {
		t.Errorf("another: %v", got)
	}
	now = now.Add(triesSpan)
	if got := login("ada", "registry.example.test"); got != problem.Denied {
		t.Errorf("later: %v", got)
	}
}
