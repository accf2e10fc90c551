package doctor

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestStopped: where no server runs, the configuration is compared with the tenant, which finds what keeps an
// installation from its first sign-in.
func TestStopped(t *testing.T) {
	w := newWorld(t, time.Now().AddDate(0, 3, 0), allHosts...)
	w.end(syscall.SIGTERM)
	text, err := os.ReadFile(w.config())
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range []struct {
		name, code string
		from, to   string // in the configuration
		plant      func() (mend func())
	}{
		{name: "nothing but that no server runs"},
		{name: "another tenant", code: "discovery-tenant", from: entrasim.ContosoTenantID, to: "9c2f1a40-6a53-4a57-9a59-3a5a4f6e2b02"},
		{name: "another client", code: "credential-none", from: "client_id: " + entrasim.LanyardAppID, to: "client_id: 574233c8-e2bb-4d1b-bb70-e02df84a14de"},
		{name: "another address", code: "redirect-sign-in", from: "url: " + w.url, to: "url: https://lanyard.example.test"},
		{name: "the enterprise application is switched off", code: "credential-none", plant: func() func() {
			w.change(http.MethodPatch, enterprise, map[string]any{"accountEnabled": false})
			return func() { w.change(http.MethodPatch, enterprise, map[string]any{"accountEnabled": true}) }
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			mend := func() {}
			if fault.plant != nil {
				mend = fault.plant()
			}
			w.write("lanyard.yaml", []byte(strings.Replace(string(text), fault.from, fault.to, 1)))
			var h api.DirectoryHealth
			finds := func(code string) bool {
				return slices.ContainsFunc(h.Findings, func(f api.DirectoryFinding) bool { return f.Code == code })
			}
			found := func() bool { // a look may be cut short
				h = w.now()
				return h.Stopped && finds("server-stopped") && (fault.code == "" && len(h.Findings) == 1 || fault.code != "" && finds(fault.code))
			}
			for end := time.Now().Add(harness.Wait); !found(); time.Sleep(100 * time.Millisecond) {
				if time.Now().After(end) {
					t.Errorf("it finds %+v", h.Findings)
					break
				}
			}
			mend()
			for _, f := range h.Findings {
				if f.Problem && f.Do == "" {
					t.Errorf("it does not say what to do: %+v", f)
				}
			}
			if slices.ContainsFunc(h.Credentials, func(c api.CredentialHealth) bool { return !c.Works && c.Problem == "" }) && fault.code == "" {
				t.Errorf("credentials: %+v", h.Credentials)
			}
		})
	}
}
