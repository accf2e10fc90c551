package badinput

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

// TestAttack03HealthChecks: nothing is let in because it says that it is a health check, and there is none on the listener
// that everybody reaches.
func TestAttack03HealthChecks(t *testing.T) {
	w := harness.Start(t)
	b := w.Browser()
	for _, agent := range []string{"GoogleHC/1.0", "kube-probe/1.31", "ELB-HealthChecker/2.0", "Edge Health Probe", "Consul Health Check"} {
		for _, path := range []string{"/api/v1/me", "/api/v1/audit", "/api/v1/leases?user=*", "/r/ledger/whoami"} {
			status, body := request{method: "GET", url: w.Info.URL + path, header: map[string]string{
				"User-Agent": agent, "X-Forwarded-For": "127.0.0.1", "X-Real-Ip": "127.0.0.1", "X-Forwarded-User": "ada",
			}}.send(t, b.HTTP())
			if status != http.StatusUnauthorized {
				t.Errorf("%s gets %s: %d %s", agent, path, status, body)
			}
		}
	}
	for _, path := range []string{"/healthz", "/readyz", "/metrics", "/ping", "/status"} {
		if status, _ := (request{method: "GET", url: w.Info.URL + path}).send(t, b.HTTP()); status != http.StatusNotFound {
			t.Errorf("%s: %d", path, status)
		}
	}
}

// TestAttack11NothingForDebugging: what shows a program's inside, or a person's tokens, is nowhere to be asked for.
func TestAttack11NothingForDebugging(t *testing.T) {
	w := harness.Start(t)
	ada := w.As("ada").Browser
	for _, path := range []string{
		"/debug/pprof/", "/debug/pprof/heap", "/debug/vars", "/debug/requests", "/oauth2/userinfo", "/oauth/userinfo", "/oauth/token",
		"/api/v1/tokens", "/.git/config", "/lanyard.db", "/assets/../lanyard.db",
	} {
		if status, body := (request{method: "GET", url: w.Info.URL + path}).send(t, ada.HTTP()); status < 300 {
			t.Errorf("%s: %d %.200s", path, status, body)
		}
	}
	for _, path := range []string{"/api/v1/me", "/api/v1/sessions", "/api/v1/leases", "/api/v1/audit?limit=500"} {
		_, body := request{method: "GET", url: w.Info.URL + path}.send(t, ada.HTTP())
		if strings.Contains(body, "eyJ") || strings.Contains(strings.ToLower(body), "refresh") || strings.Contains(body, "__Host-") {
			t.Errorf("%s shows a token: %.2000s", path, body)
		}
	}
}

// TestAttack10TokensOfAnotherPlane: what the tenant issues for one audience opens nothing at Lanyard, wherever it is put,
// and neither does the token of an application.
func TestAttack10TokensOfAnotherPlane(t *testing.T) {
	w := harness.Start(t)
	b := w.Browser()
	form := "grant_type=client_credentials&client_id=" + w.Info.Tenant.ClientID + "&client_secret=" + w.Info.Tenant.ClientSecret +
		"&scope=https%3A%2F%2Fgraph.microsoft.com%2F.default"
	status, body := request{method: "POST", url: strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0") + "/oauth2/v2.0/token", body: form,
		header: map[string]string{"Content-Type": "application/x-www-form-urlencoded"}}.send(t, b.HTTP())
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := json.Unmarshal([]byte(body), &answer); err != nil || answer.Token == "" {
		t.Fatalf("%d %s", status, body)
	}
	for _, header := range []map[string]string{
		{"Authorization": "Bearer " + answer.Token}, {"Authorization": "DPoP " + answer.Token}, {"Lanyard-Assertion": answer.Token},
		{"Cookie": "__Host-lanyard=" + answer.Token},
	} {
		for _, path := range []string{"/api/v1/me", "/api/v1/leases?user=*", "/r/ledger/whoami", "/git/git.example.test/payments/api/info/refs?service=git-upload-pack"} {
			if status, body := (request{method: "GET", url: w.Info.URL + path, header: header}).send(t, b.HTTP()); status != http.StatusUnauthorized && status != http.StatusForbidden {
				t.Errorf("%s: %d %s", path, status, body)
			}
		}
	}
}

// A person cannot tell a workspace that is not there from one of a project that they are not in.
func TestAbsentAndHiddenWorkspaces(t *testing.T) {
	harness.Need(t, "bwrap")
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	mallory := w.As("mallory").Browser
	host := strings.TrimPrefix(w.Info.URL, "http://lanyard.")
	bind := strings.Repeat("A", 43)
	say := func(path, id string) string {
		status, body := request{method: "GET", url: w.Info.URL + path, header: map[string]string{"Accept": "application/json"}}.send(t, mallory.HTTP())
		return http.StatusText(status) + " " + strings.ReplaceAll(body, id, "ID")
	}
	const absent = "w-aaaaaaaaaaaaaaaa"
	for _, path := range []string{"/open?to=t-LABEL." + host + "&bind=" + bind, "/api/v1/workspaces/w-LABEL", "/api/v1/workspaces/w-LABEL/logs"} {
		there := say(strings.ReplaceAll(path, "LABEL", strings.TrimPrefix(ws.ID, "w-")), ws.ID)
		not := say(strings.ReplaceAll(path, "LABEL", strings.TrimPrefix(absent, "w-")), absent)
		if there != not || !strings.HasPrefix(not, "Not Found") {
			t.Errorf("%s:\n%s%s", path, there, not)
		}
	}
}
