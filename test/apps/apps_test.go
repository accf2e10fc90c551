// Package apps tests internal apps as people and programs use them: in a browser on a site of their own, and from a
// workspace.
package apps

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

// ask sends a request as a browser of this person would; headers are pairs. Redirects are followed.
func ask(t *testing.T, who *remote.Remote, method, url, body string, headers ...string) (*http.Response, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), harness.Wait)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	resp, err := who.Browser.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(text)
}

var visit = []string{"Accept", "text/html,*/*;q=0.8", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}

func TestApps(t *testing.T) {
	w := harness.Start(t)
	t.Run("workspace", func(t *testing.T) { w.T = t; inAWorkspace(t, w) })
	t.Run("browser", func(t *testing.T) { w.T = t; inABrowser(t, w) }) // signs out at its end
	w.T = t
}

func inABrowser(t *testing.T, w *harness.World) {
	ada := w.As("ada")
	projects, err := ada.Projects(w.Context())
	if err != nil || len(projects) != 1 || len(projects[0].AppSites) != 1 {
		t.Fatalf("%+v %v", projects, err)
	}
	site := projects[0].AppSites[0].URL
	if !strings.HasPrefix(site, "http://app-ledger.localhost:") {
		t.Errorf("the ledger is at %s", site)
	}
	origin := strings.TrimSuffix(site, "/")

	// A program that has no session is told so; a person is led through the hand-off to where they were going.
	resp, body := ask(t, ada, http.MethodGet, site+"entries", "")
	if resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("before the hand-off: %s %s", resp.Status, body)
	}
	resp, body = ask(t, ada, http.MethodGet, site+"entries?of=january", "", visit...)
	if resp.StatusCode != http.StatusOK || !strings.Contains(body, "opening balance") || resp.Request.URL.RequestURI() != "/entries?of=january" {
		t.Fatalf("%s at %s: %s", resp.Status, resp.Request.URL, body)
	}
	if resp, body = ask(t, ada, http.MethodGet, site, "", visit...); !strings.Contains(body, `data-testid="caller">Ada Lovelace<`) {
		t.Errorf("%s %s", resp.Status, body)
	}
	entry := `{"text": "from a browser", "amount_minor": 3}`
	if resp, body = ask(t, ada, http.MethodPost, site+"entries", entry, "Origin", origin); resp.StatusCode != http.StatusCreated {
		t.Errorf("%s %s", resp.Status, body)
	}
	for _, from := range []string{"", "https://evil.example", w.Info.URL, "null"} {
		headers := []string{"Origin", from}
		if from == "" {
			headers = nil
		}
		if resp, body = ask(t, ada, http.MethodPost, site+"entries", entry, headers...); resp.StatusCode != http.StatusForbidden {
			t.Errorf("from %q: %s %s", from, resp.Status, body)
		}
	}

	// Who has no role for it cannot tell it from one that is not there.
	mallory := w.As("mallory")
	hidden, there := ask(t, mallory, http.MethodGet, site, "", visit...)
	absent, none := ask(t, mallory, http.MethodGet, strings.Replace(site, "ledger", "books", 1), "", visit...)
	if hidden.StatusCode != http.StatusNotFound || absent.StatusCode != hidden.StatusCode || strings.ReplaceAll(none, "books", "ledger") != there {
		t.Errorf("a stranger is told %s %s and %s %s", hidden.Status, there, absent.Status, none)
	}

	// Access that is lost is said on the app's own site, and the browser keeps nothing of it.
	tenant := w.Tenant()
	tenant.Remove(tenant.Group("payments-engineers"), tenant.User("ada"))
	w.Eventually("the ledger is closed to ada", func() bool { // a request that is cut on its way has no page yet
		resp, body = ask(t, ada, http.MethodGet, site, "", visit...)
		return resp.StatusCode != http.StatusOK && strings.Contains(body, `data-testid="error-page"`)
	})
	if !strings.Contains(body, "/_lanyard/assets/") || resp.Header.Get("Clear-Site-Data") != `"cache", "storage"` {
		t.Errorf("%s %v %s", resp.Status, resp.Header, body)
	}
	resp, body = ask(t, ada, http.MethodGet, site+"entries", "", "Accept", "application/json")
	var d problem.Document
	if err := json.Unmarshal([]byte(body), &d); err != nil || d.Status != resp.StatusCode || resp.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%s %s", resp.Status, body)
	}
	tenant.Add(tenant.Group("payments-engineers"), tenant.User("ada"))
	w.Eventually("the ledger is open to ada again", func() bool {
		resp, _ := ask(t, ada, http.MethodGet, site, "", visit...)
		return resp.StatusCode == http.StatusOK
	})
	// Signing out ends the app's session too.
	if resp, body = ask(t, ada, http.MethodPost, w.Info.URL+"/logout", "", "Origin", w.Info.URL); resp.StatusCode >= 400 {
		t.Fatalf("sign-out: %s %s", resp.Status, body)
	}
	if resp, body = ask(t, ada, http.MethodGet, site+"entries", ""); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("after signing out: %s %s", resp.Status, body)
	}
}
