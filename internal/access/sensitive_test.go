package access

import (
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/problem"
)

// A repository that becomes sensitive closes for who has not signed in with its context, and for nobody else.
func TestSensitiveRepository(t *testing.T) {
	w := newWorld(t)
	w.stepUp(write(barbara), "c1")
	_, adas := w.open(read(ada), nil)
	_, barbaras := w.open(write(barbara), nil)
	sensitive := strings.Replace(payments, "/payments/api\n", "/payments/api\n    sensitive: c1\n", 1)
	w.configure(sensitive)
	if r := waitCut(t, adas); r.Code != StepUpNeeded || !strings.Contains(r.Text, "c1") {
		t.Errorf("what was open ended with %v", r)
	}
	select {
	case <-barbaras.Cut():
		t.Errorf("who has signed in with the context was cut: %v", barbaras.Reason())
	default:
	}
	_, _, err := w.engine.Open(t.Context(), read(ada), nil)
	if d := document(t, err); problem.KindOf(err) != problem.StepUpNeeded || d.Context != "c1" {
		t.Errorf("refused with %v, as a document %+v", err, d)
	}
	if _, _, err := w.engine.Open(t.Context(), read(mallory), nil); problem.KindOf(err) != problem.NotFound {
		t.Errorf("a stranger is told %v", err)
	}
	w.stepUp(read(ada), "c1")
	w.open(read(ada), nil)
	w.configure(strings.Replace(sensitive, "c1", "c2", 1))
	waitCut(t, barbaras)
}
