package replicas

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// listNeedsApproval makes ada's own live list a stream that rests on a grant.
const listNeedsApproval = `@id("list-needs-approval")
@approval("` + entrasim.PaymentsLeadsID + `")
forbid (principal == User::"` + entrasim.AdaID + `", action == Action::"lease:list", resource is User);
`

// TestGrantsOfSeveralReplicas: asked at one, approved at the other, which is killed as soon as it has answered; what
// is open at the first closes when the second, back again, ends the grant.
func TestGrantsOfSeveralReplicas(t *testing.T) {
	w := newWorld(t)
	w.write("policies/list.cedar", listNeedsApproval)
	alarms := make(chan string, 4)
	outside := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // what is missing the test finds missing
		alarms <- string(body)
	}))
	defer outside.Close()
	with := options{more: "policies: " + filepath.Join(w.dir, "policies") + "\nalarms: {url_file: " + w.write("keys/alarms", outside.URL) + "}\n"}
	a, b := w.start("a", with), w.start("b", with)
	ada, grace := w.signIn(a, "ada"), w.signIn(b, "grace")
	at := func(r *replica, who *browser.Browser) *remote.Remote {
		w.behind(r)
		who.HTTP().CloseIdleConnections()
		return remote.As(who, w.url)
	}
	if status, body := w.get(a, ada, "/api/v1/leases"); status != http.StatusForbidden || !strings.Contains(body, "payments-leads") {
		t.Fatalf("without approval: %d %s", status, body)
	}
	q, err := at(a, ada).Ask(w.context(), api.Ask{Action: "lease:list", Resource: "self", Why: "to see", For: "1h"})
	if err != nil {
		t.Fatal(err)
	}
	w.eventually("the request is known at b", func() bool {
		list, err := at(b, grace).Requests(w.context(), "to-approve")
		return err == nil && len(list) == 1 && list[0].ID == q.ID
	})
	if _, err := at(b, grace).Approve(w.context(), q.ID, api.Answer{}); err != nil {
		t.Fatal(err)
	}
	b.end(syscall.SIGKILL)
	w.eventually("the grant is known at a", func() bool {
		status, _ := w.get(a, ada, "/api/v1/leases")
		return status == http.StatusOK
	})
	open := w.stream(a, ada)
	if _, err := at(a, grace).Refuse(w.context(), q.ID, api.Answer{Why: "too late"}); err == nil {
		t.Error("refused after it was approved")
	}
	b.run()
	begun := time.Now()
	done, err := b.Operator.Revoke(w.context(), api.Revoke{Kind: api.RevokeGrant, ID: q.ID})
	if err != nil || done.Grants != 1 || !done.Recorded {
		t.Fatalf("%+v, %v", done, err)
	}
	t.Logf("MEASURED a grant that was revoked at one replica closed a stream at another after %.1f ms", float64(w.closes(open).Sub(begun))/1e6)
	if !strings.Contains(open.String(), "the operator ended this access") {
		t.Errorf("the stream was not told why: %s", open)
	}
	if status, _ := w.get(a, ada, "/api/v1/leases"); status != http.StatusForbidden {
		t.Errorf("afterwards it answers %d", status)
	}

	if _, err := b.Operator.BreakGlass(w.context(), api.BreakGlass{User: "linus@contoso.example", Project: "payments", Role: "developer", Why: "outage"}); err != nil {
		t.Fatal(err)
	}
	select {
	case told := <-alarms:
		if !strings.Contains(told, `"break-glass"`) || !strings.Contains(told, "outage") || !strings.Contains(told, `"operator"`) {
			t.Errorf("the alarm says %s", told)
		}
	case <-w.context().Done():
		t.Error("nobody outside was told of the alarm")
	}
	w.eventually("the role holds at the other replica", func() bool {
		why, err := a.Operator.Why(w.context(), "repo:write", "https://git.example.test/payments/api", "linus")
		return err == nil && why.Decision == "allow"
	})
}
