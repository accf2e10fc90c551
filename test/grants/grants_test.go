package grants

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// TestAskApproveCut goes the whole way on the command line: told to ask, asked, approved by who may, used by a stream
// that stays open, and cut when the grant is revoked, and when its time is over.
func TestAskApproveCut(t *testing.T) {
	w := start(t)
	ws := w.Workspace("ada", payments)
	out, _ := w.Exec("ada", ws, "curl -sS http://127.0.0.1:7070/r/ledger/whoami")
	if !strings.Contains(out, "lanyard request app:call") {
		t.Errorf("she is not told how to ask: %s", out)
	}

	refused(w, 2, "why", "request", "app:call", "payments/ledger", "--user", "ada")
	refused(w, 3, "Only a person", "request", "app:call", "payments/ledger", "--why", "month end")
	refused(w, 1, "already", "request", "repo:write", payments, "--why", "month end", "--user", "ada")
	refused(w, 3, "needs the role developer", "request", "app:call", "payments/ledger", "--why", "month end", "--user", "linus")
	refused(w, 1, "There is no app", "request", "app:call", "payments/ledger", "--why", "month end", "--user", "mallory")

	asked := run[api.Request](w, "request", "app:call", "payments/ledger", "--why", "month end", "--for", "2h", "--user", "ada")
	if asked.State != "pending" || asked.Approvers != "payments-leads" {
		t.Fatalf("%+v", asked)
	}
	refused(w, 1, asked.ID, "request", "app:call", "payments/ledger", "--why", "month end", "--user", "ada")
	if list := run[api.Page[api.Request]](w, "requests", "--to-approve", "--user", "grace"); len(list.Items) != 1 || list.Items[0].ID != asked.ID {
		t.Errorf("grace sees %+v", list)
	}
	if list := run[api.Page[api.Request]](w, "requests", "--user", "linus"); len(list.Items) != 0 {
		t.Errorf("a stranger sees %+v", list)
	}
	refused(w, 3, "Nobody approves for themselves", "approve", asked.ID, "--user", "ada") // who asked
	refused(w, 1, "no request", "approve", asked.ID, "--user", "linus")                   // a stranger
	refused(w, 3, "", "approve", asked.ID)                                                // the operator
	refused(w, 3, "", "approve", asked.ID, "--user", "margaret")                          // an administrator

	approved := run[api.Request](w, "approve", asked.ID, "--for", "1h", "--why", "go", "--user", "grace")
	if approved.State != "approved" || approved.ByName == "" {
		t.Fatalf("%+v", approved)
	}
	refused(w, 1, "approved", "refuse", asked.ID, "--why", "late", "--user", "grace")
	s := watch(w, ws)
	if list := run[api.Page[api.Grant]](w, "grants", "--user", "ada"); len(list.Items) != 1 || list.Items[0].ID != asked.ID {
		t.Errorf("grants: %+v", list)
	}
	since := time.Now()
	if done := run[api.Revoked](w, "revoke", "grant", asked.ID, "--user", "grace"); done.Grants != 1 || done.Leases == 0 || !done.Recorded {
		t.Errorf("%+v", done)
	}
	t.Logf("revoked by who approved, with a sign-in before: the stream ended %s after the command began; its last words:\n%s",
		s.cut(w, since).Round(time.Millisecond), last(s.out.String()))

	again := run[api.Request](w, "request", "app:call", "payments/ledger", "--why", "month end", "--for", "8s", "--user", "ada")
	approved = run[api.Request](w, "approve", again.ID, "--user", "grace")
	s = watch(w, ws)
	t.Logf("approved for 8 s: the stream ended %s after the grant did; its last words:\n%s",
		s.cut(w, approved.Until).Round(time.Millisecond), last(s.out.String()))

	w.Eventually("everything is in the log", func() bool {
		for _, action := range []string{"grant:request", "grant:approve", "grant:revoke"} {
			page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: action})
			if err != nil || len(page.Items) == 0 {
				return false
			}
		}
		return true
	})
}

func last(text string) string {
	return text[max(0, strings.LastIndex(strings.TrimSpace(text), "event: ")):]
}

// TestBreakGlass gives a viewer a role without approval, loudly, and takes it away.
func TestBreakGlass(t *testing.T) {
	w := start(t)
	may := func() bool {
		why, err := w.Operator.Why(w.Context(), "repo:write", payments, "linus")
		return err == nil && why.Decision == "allow"
	}
	refused(w, 2, "", "break-glass", "linus@contoso.example", "payments", "developer")
	refused(w, 2, "between", "break-glass", "linus@contoso.example", "payments", "developer", "--why", "outage", "--for", "2h")
	refused(w, 3, "Nobody breaks the glass for themselves", "break-glass", "margaret@contoso.example", "payments", "developer", "--why", "outage", "--as", "margaret")
	refused(w, 3, "", "break-glass", "linus@contoso.example", "payments", "developer", "--why", "outage", "--as", "grace")
	g := run[api.Grant](w, "break-glass", "linus@contoso.example", "payments", "developer", "--why", "outage", "--for", "30m")
	if g.Role != "developer" || g.ByName != "operator" || !may() {
		t.Fatalf("%+v, %v", g, may())
	}
	if said := w.Lanyard("leases"); !strings.Contains(said.Out, "ALARM") || !strings.Contains(said.Out, g.ID) {
		t.Errorf("the list of leases: %s", said.Out)
	}
	if log := w.Log(); !strings.Contains(log, "ALARM") || !strings.Contains(log, "outage") {
		t.Errorf("the server's log has no alarm")
	}
	w.Eventually("the alarm is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: "grant:break-glass", User: "*"})
		for _, e := range page.Items {
			if e.Outcome == "alarm" {
				return true
			}
		}
		return err != nil
	})
	w.Kill()
	w.Run()
	w.Eventually("the role holds after a crash", may)
	if done := run[api.Revoked](w, "revoke", "grant", g.ID); done.Grants != 1 || may() {
		t.Errorf("%+v, %v", done, may())
	}
	g = run[api.Grant](w, "break-glass", "linus@contoso.example", "payments", "developer", "--why", "outage", "--for", "2s", "--as", "margaret")
	w.Eventually("it ends by itself", func() bool { return !may() })
	if list := run[api.Page[api.Grant]](w, "grants"); len(list.Items) != 0 {
		t.Errorf("%+v", list)
	}
}
