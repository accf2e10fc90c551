package people

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/test/harness"
)

// alike checks that two answers are the same but for the name that was asked for.
func alike(t *testing.T, what, there, itsName, absent, absentName string) {
	t.Helper()
	t.Logf("%s: %s", what, strings.TrimSpace(there))
	if strings.ReplaceAll(there, itsName, "…") != strings.ReplaceAll(absent, absentName, "…") {
		t.Errorf("%s tells what is there from what is not:\n%s\n%s", what, there, absent)
	}
}

// raw is an answer as it came: status, type and body.
func raw(t *testing.T, client *http.Client, base, method, path, body string) string {
	t.Helper()
	r, err := http.NewRequest(method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", base)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.Status + " " + resp.Header.Get("Content-Type") + " " + string(b)
}

// TestStranger: who is in no project sees none, and cannot tell what is forbidden from what is not there.
func TestStranger(t *testing.T) {
	w := harness.Start(t)
	adas := w.Workspace("ada", payments)
	mallory := w.As("mallory")
	me, err := mallory.Me(w.Context())
	if err != nil || len(me.Projects) != 0 || len(me.Roles) != 0 {
		t.Errorf("me: %+v %v", me, err)
	}
	if projects, err := mallory.Projects(w.Context()); err != nil || len(projects) != 0 {
		t.Errorf("projects: %v %v", projects, err)
	}
	if list, err := mallory.Workspaces(w.Context()); err != nil || len(list) != 0 {
		t.Errorf("workspaces: %v %v", list, err)
	}
	if l, err := mallory.Leases(w.Context(), ""); err != nil || len(l.Ended) != 0 {
		t.Errorf("leases: %+v %v", l, err)
	}
	refused(t, "everybody's leases", second(mallory.Leases(w.Context(), "*")))

	const nowhere = "https://git.example.test/payments/nothing"
	hers := mallory.Browser.HTTP()
	id, none := adas.ID, "w-"+strings.Repeat("a", len(adas.ID)-2)
	for _, c := range []struct{ what, method, path, body, name, absent string }{
		{"start by URL", "POST", "/api/v1/workspaces", `{"context_url":"NAME"}`, payments, nowhere},
		{"start by name", "POST", "/api/v1/workspaces", `{"project":"NAME","repository":"https://git.example.test/x/y"}`, "payments", "nothing"},
		{"what a context URL means", "GET", "/api/v1/context?url=NAME", "", payments, nowhere},
		{"why, a repository", "GET", "/api/v1/why?action=repo:read&resource=NAME", "", payments, nowhere},
		{"why, by project", "GET", "/api/v1/why?action=repo:read&resource=payments/NAME", "", "api", "nothing"},
		{"why, a project", "GET", "/api/v1/why?action=project:view&resource=NAME", "", "payments", "nothing"},
		{"why, an app", "GET", "/api/v1/why?action=app:call&resource=payments/NAME", "", "ledger", "nothing"},
		{"why, a workspace", "GET", "/api/v1/why?action=workspace:open&resource=NAME", "", id, none},
		{"why, about a user", "GET", "/api/v1/why?action=repo:read&resource=" + payments + "&user=NAME", "", "ada", "nobody"},
		{"a workspace", "GET", "/api/v1/workspaces/NAME", "", id, none},
		{"its start", "POST", "/api/v1/workspaces/NAME/start", "", id, none},
		{"its stop", "POST", "/api/v1/workspaces/NAME/stop", "", id, none},
		{"its log", "GET", "/api/v1/workspaces/NAME/logs", "", id, none},
		{"its events", "GET", "/api/v1/workspaces/NAME/events", "", id, none},
		{"its end", "DELETE", "/api/v1/workspaces/NAME", "", id, none},
		{"a user's sign-ins", "GET", "/api/v1/sessions?user=NAME", "", "ada", "nobody"},
		{"revoke a user", "POST", "/api/v1/revoke", `{"kind":"user","id":"NAME"}`, "ada", "nobody"},
		{"the log of a user", "GET", "/api/v1/audit?user=NAME", "", "ada", "nobody"},
	} {
		put := func(name string) string {
			return raw(t, hers, w.Info.URL, c.method, strings.ReplaceAll(c.path, "NAME", name), strings.ReplaceAll(c.body, "NAME", name))
		}
		alike(t, c.what, put(c.name), c.name, put(c.absent), c.absent)
	}
	if now, err := w.Operator.Workspace(w.Context(), adas.ID); err != nil || now.Phase != "running" {
		t.Errorf("ada's workspace is %s: %v", now.Phase, err)
	}
	theirs := raw(t, hers, adas.Terminal, "GET", "", "")
	gone := raw(t, hers, strings.ReplaceAll(adas.Terminal, adas.ID[2:], none[2:]), "GET", "", "")
	alike(t, "the terminal's page", theirs, adas.ID[2:], gone, none[2:])

	// In a workspace of another project git and the API are asked from inside.
	tenant := w.Tenant()
	tenant.Add(tenant.Group("shop-engineers"), tenant.User("mallory"))
	w.Eventually("mallory is in shop", func() bool {
		projects, err := mallory.Projects(w.Context())
		return err == nil && len(projects) == 1
	})
	ws := w.Workspace("mallory", shop)
	inside := func(line string) string {
		out, status := w.Exec("mallory", ws, line)
		if status == 0 {
			t.Errorf("%s went through:\n%s", line, out)
		}
		return out
	}
	alike(t, "git clone", inside("git clone "+payments+" /tmp/x 2>&1"), payments[8:], inside("git clone "+nowhere+" /tmp/x 2>&1"), nowhere[8:])
	alike(t, "git push", inside("git push "+payments+" HEAD:x 2>&1"), payments[8:], inside("git push "+nowhere+" HEAD:x 2>&1"), nowhere[8:])
	alike(t, "git clone from a host of no project of hers", inside("git clone https://legacy.example.test/payments/legacy /tmp/x 2>&1"), "legacy.example.test",
		inside("git clone https://absent.example.test/payments/legacy /tmp/x 2>&1"), "absent.example.test")
	const url = "http://127.0.0.1:7070/r/"
	call := func(app string) string { return inside("curl -si " + url + app + "/whoami | grep -v ^Date; false") }
	alike(t, "an app", call("ledger"), "ledger", call("absent"), "absent")
}

// TestJoiner: somebody new in the tenant, put into a group there, works in Lanyard with nothing done in Lanyard.
func TestJoiner(t *testing.T) {
	w := harness.Start(t)
	tenant := w.Tenant()
	var user struct{ ID string }
	created := tenant.Do(http.MethodPost, "/users", map[string]any{
		"accountEnabled": true, "displayName": "Hedy Lamarr", "mailNickname": "hedy", "userPrincipalName": "hedy@contoso.example", "mail": "hedy@contoso.example",
		"passwordProfile": map[string]any{"password": "frequency-hopping", "forceChangePasswordNextSignIn": false},
	}, &user)
	added := tenant.Add(tenant.Group("payments-engineers"), user.ID)
	hedy := signIn(w, "hedy", "frequency-hopping")
	signedIn := time.Since(added)
	w.Eventually("hedy is a developer of payments", func() bool {
		me, err := hedy.Me(w.Context())
		return err == nil && len(me.Projects) == 1 && me.Projects[0].Role == "developer"
	})
	may := time.Since(added)
	ws := w.Workspace("hedy", payments)
	t.Logf("MEASURED joiner: made at 0, in the group after %v; from then signed in after %v, may work after %v, in a running workspace after %v",
		added.Sub(created), signedIn, may, time.Since(added))
	out := w.Must("hedy", ws, "git commit -q --allow-empty -m Hello && git push -q origin HEAD:refs/heads/hedy 2>&1; git log -1 --format='%an <%ae>' && curl -sf http://127.0.0.1:7070/r/ledger/whoami")
	says(t, "the workspace", out, "Hedy Lamarr <hedy@contoso.example>", `"name":"Hedy Lamarr"`)
}
