package signin

import (
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

type entries []audit.Event

func (l *entries) Later(e audit.Event) { *l = append(*l, e) }

// Whoever sends answers to the callback that nobody asked for fills no log with them: a few are entries, the rest a
// number.
func TestRefusedAnswersAreCounted(t *testing.T) {
	var log entries
	r := refusals{log: &log}
	now := time.Now()
	const flood = 20_000
	for i := range flood {
		r.add(audit.Event{Time: now.Add(time.Duration(i) * time.Millisecond), Action: "signin", Outcome: audit.Denied}) // 20 s
	}
	r.flush(now.Add(time.Minute))
	counted := int64(0)
	for _, e := range log {
		more, repeats := e.Detail["repeated"].(int64)
		if counted += more; !repeats {
			counted++
		}
	}
	if len(log) > 3*maxRefusals || counted != flood {
		t.Errorf("%d entries tell of %d answers", len(log), counted)
	}
	if r.flush(now.Add(time.Hour)); r.more != 0 {
		t.Error("something is counted twice")
	}
}
