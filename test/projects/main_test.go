// Package projects tests what follows the tenant's groups and sign-ins in the whole program: projects made of groups,
// app roles, sign-ins that the tenant ends, and a tenant that Lanyard may not read.
package projects

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const (
	payments = "https://git.example.test/payments/api"
	web      = "https://git.example.test/shop/web"
)

func write(t *testing.T, parts ...string) {
	t.Helper()
	text, path := parts[len(parts)-1], filepath.Join(parts[:len(parts)-1]...)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// project is what `lanyard projects --json` says of one, with all findings.
func project(w *harness.World, name string) (p api.Project, found string) {
	w.T.Helper()
	said := w.Lanyard("projects", "--json")
	var l struct {
		Items    []api.Project
		Findings []api.Finding
	}
	if err := json.Unmarshal([]byte(said.Out), &l); err != nil {
		w.T.Fatalf("%v: %s %s", err, said.Out, said.Err)
	}
	for _, one := range l.Items {
		if one.Name == name {
			p = one
		}
	}
	var all []string
	for _, f := range l.Findings {
		all = append(all, f.Message)
	}
	return p, strings.Join(all, "\n")
}

// logged reports whether the audit log has an event with a word in its reasons.
func logged(w *harness.World, action, word string) bool {
	page, err := w.Operator.Audit(w.Context(), api.AuditQuery{Limit: 20, Action: action})
	if err != nil {
		return false
	}
	for _, e := range page.Items {
		if strings.Contains(strings.Join(e.Reasons, " "), word) {
			return true
		}
	}
	return false
}

// closes waits for the terminal's end and checks the reason that its person is told.
func closes(t *testing.T, term *harness.Terminal, words ...string) {
	t.Helper()
	select {
	case <-term.Ended():
	case <-time.After(harness.Wait):
		t.Fatal("the terminal stays open")
	}
	_, reason, _ := term.End()
	said := reason + term.Output()
	for _, word := range words {
		if !strings.Contains(said, word) {
			t.Errorf("the terminal closed without saying %q: %s", word, said)
		}
	}
}

// leadRole is the ID of the app role Payments.Lead of the sample tenant.
const leadRole = entrasim.PaymentsLeadRoleID

func order(repository string) api.Order { return api.Order{ContextURL: repository} }

func contains(text string, words ...string) bool {
	for _, word := range words {
		if !strings.Contains(text, word) {
			return false
		}
	}
	return true
}
