// Package tokens tests tokens for audiences with the whole program: what a workspace gets, what its receiver learns of it,
// and how soon both end when a role goes.
package tokens

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// service is the sample service "reports", which takes tokens and asks the issuer about them.
type service struct {
	w      *harness.World
	secret string
}

func reports(w *harness.World) service {
	w.T.Helper()
	secret, err := os.ReadFile(filepath.Join(w.Data, "secrets", "reports-client"))
	if err != nil {
		w.T.Fatal(err)
	}
	return service{w, strings.TrimSpace(string(secret))}
}

// post asks an endpoint of the issuer's about a token.
func (s service) post(path, raw string) (status int, said map[string]any) {
	s.w.T.Helper()
	r, err := http.NewRequestWithContext(s.w.Context(), http.MethodPost, s.w.Info.URL+path, strings.NewReader(url.Values{"token": {raw}}.Encode()))
	if err != nil {
		s.w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth("reports", s.secret)
	status, body := s.w.Curl(r)
	if body != "" && json.Unmarshal([]byte(body), &said) != nil {
		s.w.T.Fatalf("%s: %d %s", path, status, body)
	}
	return status, said
}

// active is what introspection says of a token.
func (s service) active(raw string) bool {
	status, said := s.post("/oauth/introspect", raw)
	if status != http.StatusOK {
		s.w.T.Fatalf("introspection: %d %v", status, said)
	}
	is, _ := said["active"].(bool)
	return is
}

// rights are the open rights to mint of a user.
func rights(w *harness.World, user string) (open []api.Lease) {
	w.T.Helper()
	all, err := w.Operator.Leases(w.Context(), user)
	if err != nil {
		w.T.Fatal(err)
	}
	for _, l := range all.Open {
		if l.Action == "token:mint" {
			open = append(open, l)
		}
	}
	return open
}

// logged waits for an event that fits.
func logged(w *harness.World, what string, q api.AuditQuery, fits func(api.Event) bool) {
	w.T.Helper()
	w.Eventually(what+" is in the log", func() bool {
		page, err := w.Operator.Audit(w.Context(), q)
		if err != nil {
			return false
		}
		for _, e := range page.Items {
			if fits(e) {
				return true
			}
		}
		return false
	})
}
