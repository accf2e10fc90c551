package aiagent

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/test/harness"
)

// ends: whatever it rests on, when that goes, it ends: its person is told why, and its work is back.
func ends(t *testing.T, w *harness.World, ws api.Workspace, timed *job) {
	for _, how := range []struct {
		name   string
		end    func(agentapi.Running) time.Time
		status int
		words  string
	}{
		{"stop", func(x agentapi.Running) time.Time {
			w.Must("ada", ws, "lanyard agent stop "+x.ID)
			return time.Time{}
		}, 125, "was stopped"},
		{"lease", func(x agentapi.Running) time.Time { return revoke(w, "lease", x.Lease) }, 126, "ended the AI agent"},
		{"session", func(x agentapi.Running) time.Time { return revoke(w, "session", x.ID) }, 126, "its session has ended"},
		{"grant", func(x agentapi.Running) time.Time { return revoke(w, "grant", x.Grant) }, 126, "its delegation has been taken back"},
	} {
		name := "by-" + how.name
		j := begin(w, ws, "lanyard agent run --as "+name+` --allow repo:read,app:call -n -- sh -c '
			echo work > work.txt; curl -sSN http://127.0.0.1:7070/r/ledger/watch; sleep 600'`)
		x := running(w, ws, name)
		w.Eventually("its stream flows", func() bool { return strings.Contains(j.out.String(), "event: balance") })
		since := how.end(x)
		j.wait(w)
		if j.status != how.status || !strings.Contains(j.err.String(), how.words) {
			t.Errorf("%s: %d %s", how.name, j.status, j.err)
		}
		if !since.IsZero() {
			t.Logf("%s: its command line had ended %s after, with its work handed back", how.name, time.Since(since).Round(time.Millisecond))
		}
		if !contains(j.err.String(), "is the branch agent/"+name+"/", "work.txt") {
			t.Errorf("%s: its work is not back: %s", how.name, j.err)
		}
		logged(w, name+"'s end", api.AuditQuery{Action: "agent:ended"}, func(e api.Event) bool { return e.Actor == "agent:"+name })
	}
	timed.wait(w)
	began := contains(timed.err.String(), "by-time runs until") // on a slow machine its time may be over before
	if timed.status != 126 || !contains(timed.err.String(), "its time is over") || began && !contains(timed.err.String(), "is the branch agent/by-time/") {
		t.Errorf("at its time: %d %s", timed.status, timed.err)
	}
	j := begin(w, ws, "lanyard agent run --as by-hangup --allow repo:read -n -- sh -c 'echo work > work.txt; sleep 600'")
	x := running(w, ws, "by-hangup")
	j.cancel() // as when its terminal is closed
	w.Eventually("its work is back though nobody waits for it", func() bool {
		for _, one := range agents(w, ws) {
			if one.ID == x.ID && one.State == "ended" && one.Branch != "" {
				return true
			}
		}
		return false
	})
	itsPersonsGroupGoes(t, w, ws)
	w.Eventually("nothing of them is open", func() bool {
		list, err := w.Operator.Leases(w.Context(), "*")
		if err != nil {
			return false
		}
		for _, l := range list.Open {
			if strings.HasPrefix(l.Actor, "agent:by-") {
				return false
			}
		}
		return true
	})
}

// itsPersonsGroupGoes: the person sees nothing of it, having lost the way into the workspace as well; its work is there when
// the person is back.
func itsPersonsGroupGoes(t *testing.T, w *harness.World, ws api.Workspace) {
	j := begin(w, ws, "lanyard agent run --as by-group --allow repo:read,app:call -n -- sh -c 'echo work > work.txt; curl -sSN http://127.0.0.1:7070/r/ledger/watch; sleep 600'")
	running(w, ws, "by-group")
	w.Eventually("its stream flows", func() bool { return strings.Contains(j.out.String(), "event: balance") })
	tenant := w.Tenant()
	group, ada := tenant.Group("payments-engineers"), tenant.User("ada")
	tenant.Remove(group, ada)
	logged(w, "its end, and why", api.AuditQuery{Action: "agent:ended"}, func(e api.Event) bool {
		return e.Actor == "agent:by-group" && strings.Contains(strings.Join(e.Reasons, " "), "no longer in the group payments-engineers")
	})
	tenant.Add(group, ada)
	w.Eventually("its person is back, and finds its work", func() bool {
		out, code, err := w.TryExec(w.Context(), "ada", ws, "git branch --list 'agent/by-group/*'")
		return err == nil && code == 0 && strings.Contains(out, "agent/by-group/")
	})
}

func revoke(w *harness.World, kind, id string) time.Time {
	w.T.Helper()
	since := time.Now()
	if said := w.Lanyard("revoke", kind, id); said.Status != 0 {
		w.T.Fatalf("revoke %s %s: %s", kind, id, said.Err)
	}
	return since
}
