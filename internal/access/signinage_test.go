package access

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// A project's age of sign-in closes what is open when it comes, and opens nothing after; who may not at all is told so, and
// what only ends things goes on.
func TestSignInAge(t *testing.T) {
	w := newWorld(t)
	w.configure(payments + "sign_in_age: 1h\n")
	_, l := w.open(read(ada), nil)
	if until := l.Decision().Ends; until.IsZero() || until.After(w.now().Add(time.Hour)) {
		t.Errorf("what rests on the sign-in says that it ends at %v", until)
	}
	w.pass(59 * time.Minute)
	w.change(directory.Change{AsOf: w.now()})
	w.engine.sweep()
	if r := l.Reason(); !r.IsZero() {
		t.Fatalf("cut too early: %v", r)
	}
	w.pass(2 * time.Minute)
	w.engine.sweep()
	if r := waitCut(t, l); r.Code != SignInTooOld || !strings.Contains(r.Text, "takes a sign-in of the last 1h") {
		t.Errorf("cut with %v", r)
	}
	if n := w.engine.Defects(); n != 0 {
		t.Errorf("%d defects: Until did not say when", n)
	}
	_, _, err := w.engine.Open(t.Context(), read(ada), nil)
	if problem.KindOf(err) != problem.StepUpNeeded || !strings.Contains(err.Error(), "Sign in again first") {
		t.Errorf("refused with %v", err)
	}
	if x := w.engine.Explain(t.Context(), read(ada)); x.Effect != StepUp || len(x.Needs) != 1 || !strings.Contains(x.Needs[0], "fresh sign-in") {
		t.Errorf("explained as %+v", x)
	}
	if _, _, err := w.engine.Open(t.Context(), read(mallory), nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("a stranger is told %v", err)
	}
	if _, _, err := w.engine.Open(t.Context(), write(linus), nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("who may not write at all is told %v", err)
	}
	view := read(ada)
	view.Action, view.Resource = identity.ProjectView, identity.Resource{Kind: identity.KindProject, Name: string(view.Resource.Project), Project: view.Resource.Project}
	if _, _, err := w.engine.Open(t.Context(), view, nil); err != nil {
		t.Errorf("looking at the project: %v", err)
	}
	w.configure(payments)
	w.open(read(ada), nil)
}
