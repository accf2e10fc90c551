package stepup

import (
	"html"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestEveryAction has a row for each kind of thing that a person can be asked to step up for. Who adds an action adds its
// row: try does it, and says what was said. Ports and tokens come with what opens and makes them.
func TestEveryAction(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	w.Must("ada", ws, "git commit -q --allow-empty -m Base && git push -q origin HEAD:refs/heads/forced 2>&1")
	inside := func(line string) func() (string, bool) {
		return func() (string, bool) {
			out, status := w.Exec("ada", ws, line)
			return out, status == 0
		}
	}
	said := func(err error) (string, bool) {
		if err != nil {
			return err.Error(), false
		}
		return "", true
	}
	ada := as(w, "ada")
	rows := []struct {
		action string
		try    func() (said string, done bool)
	}{
		{"workspace:open", func() (string, bool) {
			status, page := ada.open(ws.Terminal)
			return page, status == http.StatusOK
		}},
		{"repo:read", inside("git ls-remote origin 2>&1")},
		{"repo:write", inside("echo 1 >> README.md && git commit -qam One; git push origin HEAD:refs/heads/stepped 2>&1")},
		{"repo:force", inside("git commit -q --amend -m Other; git push -f origin HEAD:refs/heads/forced 2>&1")},
		{"app:call", inside("curl -sS --fail-with-body http://127.0.0.1:7070/r/ledger/whoami")},
		{"workspace:create", func() (string, bool) {
			_, err := w.As("ada").CreateWorkspace(w.Context(), api.Order{ContextURL: payments})
			return said(err)
		}},
		{"audit:read", func() (string, bool) {
			_, err := w.As("ada").Audit(w.Context(), api.AuditQuery{User: "ada"})
			return said(err)
		}},
		{"workspace:stop", func() (string, bool) {
			_, err := w.As("ada").StopWorkspace(w.Context(), ws.ID)
			return said(err)
		}},
	}
	var actions []string
	for _, row := range rows {
		actions = append(actions, row.action)
	}
	demand(w, actions...)
	for _, row := range rows {
		t.Run(strings.ReplaceAll(row.action, ":", "-"), func(t *testing.T) {
			out, done := row.try()
			if done {
				t.Fatalf("it went through without stepping up: %s", out)
			}
			to := linkIn(t, html.UnescapeString(out))
			if status, page := ada.open(to); status != http.StatusOK || !strings.Contains(page, row.action) {
				t.Fatalf("the link's page: %d %s", status, page)
			}
			if status, page := ada.confirm(to, "on"); status != http.StatusOK || !strings.Contains(page, "step-up-done") {
				t.Fatalf("confirmed: %d %s", status, page)
			}
			if out, done := row.try(); !done {
				t.Errorf("after stepping up: %s", out)
			}
			if status, page := ada.open(to); status == http.StatusOK {
				t.Errorf("the link is good a second time: %s", page)
			}
		})
	}
}
