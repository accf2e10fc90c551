package verbs

import (
	"context"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// withSecret has one secret variable.
type withSecret struct{ Settings }

func (withSecret) Resolve(_ context.Context, q setting.Query) (out setting.Resolved, _ error) {
	if !q.Secrets {
		out.Withheld = []setting.Variable{{Name: "TOKEN", Secret: true}}
	}
	return out, nil
}

// TestAttack30NothingInsideSetsWhatLoadsCode: what runs in a workspace decides no code of its owner's next one, and puts nothing
// in a secret's place.
func TestAttack30NothingInsideSetsWhatLoadsCode(t *testing.T) {
	g := New(Config{Settings: withSecret{}})
	r := httptest.NewRequest("POST", "/workspace/env", strings.NewReader(`{"set":{"BASH_ENV":"/tmp/x"}}`))
	if err := g.setVariables(httptest.NewRecorder(), r); problem.KindOf(err) != problem.Invalid || !strings.Contains(err.Error(), "BASH_ENV") {
		t.Errorf("BASH_ENV: %v", err)
	}
	for name, want := range map[string]bool{"TOKEN": true, "TICKET": false} {
		if err := g.keepsSecrets(t.Context(), workspace.Workspace{}, []string{name}); (problem.KindOf(err) == problem.Conflict) != want {
			t.Errorf("%s: %v", name, err)
		}
	}
}
