package stepup

import (
	"html"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestEveryAction has a row for each kind of thing that a person can be asked to step up for. Who adds an action adds its
// row: try does it, and says what was said. Ports come with what opens them.
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
		{"repo:read", inside(`rm -rf /tmp/again && git clone -q "$(git remote get-url origin)" /tmp/again 2>&1`)},
		{"repo:write", inside("echo 1 >> README.md && git commit -qam One; git push origin HEAD:refs/heads/stepped 2>&1")},
		{"repo:force", inside("git push -f origin HEAD~3:refs/heads/forced 2>&1")},
		{"app:call", inside("curl -sS --fail-with-body http://127.0.0.1:7070/r/ledger/whoami")},
		{"token:mint", inside("lanyard token --audience reports 2>&1")},
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
	demand(w, ws.ID, actions...)
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

// A page that takes a stronger sign-in has a button for it, which leads back to the page.
func TestPageLeadsThereAndBack(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	demand(w, ws.ID, "workspace:open")
	ada := as(w, "ada")
	_, page := ada.open(ws.Terminal)
	button := regexp.MustCompile(`href="([^"]*)" data-testid="step-up"`).FindStringSubmatch(page)
	if button == nil {
		t.Fatalf("no button on the page: %s", page)
	}
	if status, page := ada.confirm(html.UnescapeString(button[1]), "on"); status != http.StatusOK || !strings.Contains(page, "data-testid=\"terminal") {
		t.Errorf("not in the terminal: %d %s", status, page)
	}
}

// The link stands for one person and one workspace: it is of no use to anybody else, nor for another workspace, and who
// did not ask for anything can say so. On another device the code is enough.
func TestLinkOfSomebodyElse(t *testing.T) {
	w := harness.Start(t)
	mine, other := w.Workspace("ada", payments), w.Workspace("ada", payments)
	demand(w, payments, "repo:read")
	const read = "git ls-remote origin 2>&1"
	refusal := func(ws api.Workspace) string {
		out, status := w.Exec("ada", ws, read)
		if status == 0 {
			t.Fatalf("it went through: %s", out)
		}
		return linkIn(t, out)
	}
	to := refusal(mine)
	if again := refusal(mine); again != to {
		t.Errorf("the next try gives another link, %s", again)
	}
	barbara := as(w, "barbara")
	if status, page := barbara.open(to); status != http.StatusBadRequest || strings.Contains(page, mine.ID) {
		t.Errorf("barbara is shown %d %s", status, page)
	}
	if status, _ := barbara.confirm(to, "on"); status != http.StatusBadRequest {
		t.Errorf("barbara may confirm it: %d", status)
	}
	refusal(mine)

	ada := as(w, "ada")
	if status, page := ada.confirm(to, "no"); status != http.StatusOK || !strings.Contains(page, "step-up-not") {
		t.Errorf("it was not her: %d %s", status, page)
	}
	next := refusal(mine)
	if next == to {
		t.Error("the link that she did not ask for is given again")
	}
	_, code, _ := strings.Cut(next, "code=")
	origin, _, _ := strings.Cut(next, "?")
	typed := origin + "?code=" + strings.ToLower(strings.ReplaceAll(code, "-", ""))
	phone := &person{w, "ada", w.SignIn("ada").Browser.HTTP()}
	if status, page := phone.open(typed); status != http.StatusOK || !strings.Contains(page, mine.ID) {
		t.Errorf("the code on another device: %d %s", status, page)
	}
	if status, page := phone.confirm(typed, "on"); status != http.StatusOK || !strings.Contains(page, "step-up-done") {
		t.Errorf("confirmed on another device: %d %s", status, page)
	}
	if out, status := w.Exec("ada", mine, read); status != 0 {
		t.Errorf("after that: %s", out)
	}
	refusal(other)
	w.Eventually("all of it is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Action: "grant:step-up"})
		if err != nil {
			return false
		}
		outcomes := map[string]int{}
		for _, e := range page.Items {
			outcomes[string(e.Outcome)]++
		}
		return outcomes["done"] == 1 && outcomes["denied"] >= 2
	})
}
