package tokens

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

const mint = "lanyard token --audience reports"

// world is one world, with a workspace of ada's in payments, that the parts of the story share.
type world struct {
	*harness.World
	ws      api.Workspace
	reports service
	tenant  *harness.Tenant
}

func (w *world) token() string { return strings.TrimSpace(w.Must("ada", w.ws, mint)) }

// refused runs the command, which has to be denied in words.
func (w *world) refused(says ...string) {
	w.T.Helper()
	out, status := w.Exec("ada", w.ws, mint+" 2>&1")
	if status != 3 {
		w.T.Errorf("it ended with %d: %s", status, out)
	}
	for _, one := range says {
		if !strings.Contains(out, one) {
			w.T.Errorf("it does not say %q: %s", one, out)
		}
	}
}

// flips waits until a token is active, or is not, and says how long that took since something happened.
func (w *world) flips(raw string, active bool, since time.Time) {
	w.T.Helper()
	w.Eventually("introspection flips", func() bool { return w.reports.active(raw) == active })
	w.T.Logf("introspection knew after %s", time.Since(since).Round(time.Millisecond))
}

func TestTokensOfAWorkspace(t *testing.T) {
	h := harness.Start(t)
	w := &world{World: h, ws: h.Workspace("ada", payments), reports: reports(h), tenant: h.Tenant()}
	for _, part := range []struct {
		name string
		play func(*testing.T, *world)
	}{
		{"what is got, and what its receiver learns", got},
		{"a role is taken away", roleGoes},
		{"the right is revoked", rightRevoked},
		{"one token is revoked", tokenRevoked},
		{"the audience is taken out of the file", audienceGoes},
		{"the session is ended", sessionEnds},
	} {
		if !t.Run(part.name, func(t *testing.T) {
			w.T = t
			defer func() { w.T = h.T }()
			part.play(t, w)
		}) {
			return // what follows rests on it
		}
	}
}

func got(t *testing.T, w *world) {
	raw := w.token()
	status, said := w.reports.post("/oauth/introspect", raw)
	if status != http.StatusOK || said["active"] != true || said["project"] != "payments" || said["aud"] != "https://reports.example.test" ||
		said["workspace"] != w.ws.ID || said["repository"] != payments || said["token_type"] != "Bearer" {
		t.Errorf("%d %v", status, said)
	}
	open := rights(w.World, "ada")
	if len(open) != 1 || open[0].Resource != "audience reports" || open[0].Workspace != w.ws.ID || open[0].Project != "payments" {
		t.Errorf("open now: %+v", open)
	}
	for range 3 {
		w.token()
	}
	if again := rights(w.World, "ada"); len(again) != 1 || len(open) == 1 && again[0].ID != open[0].ID {
		t.Errorf("open after four tokens: %+v", again)
	}
	logged(w.World, "the token", api.AuditQuery{User: "ada", Action: "token:mint"}, func(e api.Event) bool {
		return e.Outcome == "done" && e.Detail["jti"] == said["jti"] && e.Workspace == w.ws.ID && e.Project == "payments"
	})
	if w.reports.active("no token") || w.reports.active(strings.TrimSpace(w.Must("ada", w.ws, "lanyard token --audience cloud"))) {
		t.Error("introspection takes what is not for the reports")
	}
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, w.Info.URL+"/token", strings.NewReader(`{"audience":"reports"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	if status, body := w.Curl(r); status < 400 {
		t.Errorf("from outside: %d %s", status, body)
	}
	if out, status := w.Exec("ada", w.ws, "lanyard token --audience ledger 2>&1"); status != 3 || !strings.Contains(out, "ledger") {
		t.Errorf("an audience of assertions: %d %s", status, out)
	}
	if said := w.Lanyard("why", "token:mint", "payments/reports", "--user", "ada"); said.Status != 0 || !strings.Contains(said.Out, "developer") {
		t.Errorf("why: %+v", said)
	}
	if said := w.Lanyard("why", "token:mint", "payments/reports", "--user", "mallory"); said.Status != 0 || !strings.Contains(said.Out, "needs     the role developer") {
		t.Errorf("why not: %+v", said)
	}
	outcome, err := w.Operator.WhatIf(w.Context(), api.WhatIf{Change: api.WhatIfRemove, User: "ada", Group: "payments-engineers"})
	closes := false
	for _, l := range outcome.Closes {
		closes = closes || l.Action == "token:mint"
	}
	if err != nil || !closes {
		t.Errorf("what if: %v %+v", err, outcome)
	}
}

// watcher is a loop in the workspace that asks for tokens, and writes down the first refusal.
const watcher = `nohup sh -c 'until [ -e said ]; do lanyard token --audience reports >/dev/null 2>why; s=$?; [ $s = 0 ] || { echo "$s $(cat why)" >said.new; mv said.new said; }; sleep 0.05; done' >/dev/null 2>&1 &`

func roleGoes(t *testing.T, w *world) {
	raw := w.token()
	w.Must("ada", w.ws, watcher)
	said := filepath.Join(w.Files(w.ws), "api", "said")
	since := w.tenant.Remove(w.tenant.Group("payments-engineers"), w.tenant.User("ada"))
	w.flips(raw, false, since)
	if open := rights(w.World, "ada"); len(open) != 0 {
		t.Errorf("open without the role: %+v", open)
	}
	w.Eventually("minting stops", func() bool { _, err := os.Stat(said); return err == nil })
	if text, err := os.ReadFile(said); err != nil || !strings.HasPrefix(string(text), "3 ") ||
		!strings.Contains(string(text), "you are no longer in the group payments-engineers") {
		t.Errorf("the command says: %s %v", text, err)
	}
	logged(w.World, "the cut", api.AuditQuery{User: "ada", Action: "token:mint"}, func(e api.Event) bool {
		return e.Outcome == "cut" && strings.Contains(strings.Join(e.Reasons, " "), "no longer in the group payments-engineers")
	})
	since = w.tenant.Add(w.tenant.Group("payments-engineers"), w.tenant.User("ada"))
	w.flips(raw, true, since)
}

func rightRevoked(t *testing.T, w *world) {
	raw := w.token()
	open := rights(w.World, "ada")
	if len(open) != 1 {
		t.Fatalf("open: %+v", open)
	}
	if said := w.Lanyard("revoke", "lease", open[0].ID); said.Status != 0 {
		t.Fatalf("%+v", said)
	}
	if w.reports.active(raw) {
		t.Error("the token is active after its right was revoked")
	}
	w.refused("was revoked", "after")
	other := w.Workspace("ada", payments)
	if !w.reports.active(strings.TrimSpace(w.Must("ada", other, mint))) {
		t.Error("another workspace's right went too")
	}
	w.ws = other
}

func tokenRevoked(t *testing.T, w *world) {
	one, two := w.token(), w.token()
	if status, said := w.reports.post("/oauth/revoke", one); status != http.StatusOK {
		t.Fatalf("%d %v", status, said)
	}
	if w.reports.active(one) || !w.reports.active(two) {
		t.Error("one of two was to be revoked")
	}
	w.Again() // what is revoked stays revoked
	if w.reports = reports(w.World); w.reports.active(one) || !w.reports.active(two) {
		t.Error("after a restart it is otherwise")
	}
	w.ws = w.Workspace("ada", payments)
}

func audienceGoes(t *testing.T, w *world) {
	raw := w.token()
	file := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	without := strings.Replace(string(text), "- audience: reports", "- audience: others", 1)
	if err := os.WriteFile(file, []byte(without), 0o644); err != nil {
		t.Fatal(err)
	}
	w.flips(raw, false, time.Now())
	w.refused("There is no audience")
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}
	w.flips(raw, true, time.Now())
}

func sessionEnds(t *testing.T, w *world) {
	raw := w.token()
	open := rights(w.World, "ada")
	if len(open) != 1 || open[0].Session == "" {
		t.Fatalf("open: %+v", open)
	}
	if said := w.Lanyard("revoke", "session", open[0].Session); said.Status != 0 {
		t.Fatalf("%+v", said)
	}
	if w.reports.active(raw) {
		t.Error("the token is active after its session was ended")
	}
}
