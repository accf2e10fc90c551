package badinput

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/test/harness"
)

// TestContextURLs orders workspaces on what is no repository.
func TestContextURLs(t *testing.T) {
	w := harness.Start(t)
	ada := w.As("ada")
	for url, c := range map[string]struct {
		kind problem.Kind
		says string
	}{
		"https://git.example.test/shop/web":                 {problem.NotFound, "There is no repository"},
		"https://git.example.test/nobody/nothing":           {problem.NotFound, "There is no repository"},
		"https://elsewhere.example.test/x/y":                {problem.NotFound, "There is no repository"},
		payments + "\x00":                                   {problem.Invalid, "control characters"},
		payments + "\n--upload-pack=touch":                  {problem.Invalid, "control characters"},
		"https://git.example.test/payments/api\x1b[31m":     {problem.Invalid, "control characters"},
		"https://git.example.test/payments/a\u202epi":       {problem.Invalid, "control characters"},
		"https://git.example.test/--upload-pack=touch/x":    {problem.Invalid, "dash"},
		payments + "/tree/--upload-pack=touch":              {problem.Invalid, "dash"},
		payments + "/tree/a..b":                             {problem.Invalid, ""},
		payments + "/tree/" + strings.Repeat("a", 5000):     {problem.Invalid, ""},
		payments + "/commit/main":                           {problem.Invalid, "full ID"},
		payments + "/issues/7":                              {problem.Invalid, "not supported"},
		payments + "/pull/x":                                {problem.Invalid, ""},
		"--upload-pack=touch /tmp/x":                        {problem.Invalid, ""},
		"ext::sh -c touch":                                  {problem.Invalid, ""},
		"ssh://git@git.example.test/payments/api":           {problem.Invalid, ""},
		"file:///etc/passwd":                                {problem.Invalid, ""},
		"http://git.example.test/payments/api":              {problem.Invalid, ""},
		"https://ada:secret@git.example.test/payments/api":  {problem.Invalid, ""},
		"https://git.example.test/payments/api?x=1":         {problem.Invalid, ""},
		"https://git.example.test/payments/../shop/web":     {problem.Invalid, ""},
		"https://git.example.test/payments/%2e%2e/shop/web": {problem.Invalid, ""},
		"https://git.example.test/payments%2fapi":           {problem.Invalid, ""},
		"https://git.example.test//payments/api":            {problem.Invalid, ""},
		"LD_PRELOAD=/tmp/x.so/" + payments:                  {problem.Invalid, "LD_PRELOAD"},
		"prebuild/" + payments:                              {problem.Invalid, "leave it out"},
		"":                                                  {problem.Invalid, "Name a repository"},
	} {
		_, err := ada.CreateWorkspace(w.Context(), api.Order{ContextURL: url})
		t.Logf("%q: %v", url, err)
		if err == nil || remote.KindOf(err) != c.kind {
			t.Errorf("%q: %v (%v), not %v", url, err, remote.KindOf(err), c.kind)
			continue
		}
		hasWords(t, url, err.Error(), c.says)
		if strings.ContainsAny(err.Error(), "\x00\x1b\n\u202e") || strings.Contains(err.Error(), "secret") {
			t.Errorf("the answer to %q repeats it: %q", url, err.Error())
		}
	}
	for _, order := range []api.Order{
		{Repository: payments, Ref: "--upload-pack=touch"}, {Repository: payments, Ref: "a b"}, {Repository: payments, Ref: "\x07"},
		{Repository: payments, ContextURL: payments}, {Repository: payments, Project: "shop"},
	} {
		if _, err := ada.CreateWorkspace(w.Context(), order); err == nil {
			t.Errorf("%+v was taken", order)
		}
	}
	if list, err := ada.Workspaces(w.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d workspaces were made: %v", len(list), err)
	}
	said := w.Lanyard("start", "--user", "ada", "https://git.example.test/--upload-pack=touch/x")
	if said.Status != 2 || !strings.Contains(said.Err, "dash") {
		t.Errorf("lanyard start: %+v", said)
	}
}

// TestGitAddresses asks from inside a workspace for what is no repository, and with options for git.
func TestGitAddresses(t *testing.T) {
	w := harness.Start(t)
	ws := w.Workspace("ada", payments)
	const git = "http://127.0.0.1:7070/git/git.example.test"
	for _, line := range []string{
		"curl -sSf --path-as-is '" + git + "/payments/../shop/web/info/refs?service=git-upload-pack'",
		"curl -sSf --path-as-is '" + git + "/payments/%2e%2e/shop/web/info/refs?service=git-upload-pack'",
		"curl -sSf --path-as-is '" + git + "/payments%2fapi/info/refs?service=git-upload-pack'",
		"curl -sSf --path-as-is '" + git + "//payments/api/info/refs?service=git-upload-pack'",
		"curl -sSf '" + git + "/payments/api/info/refs?service=--upload-pack=touch'",
		"curl -sSf '" + git + "/payments/api/info/refs?service=git-upload-pack&service=git-receive-pack'",
		"curl -sSf '" + git + "/payments/api/info/refs?service=git-upload-archive'",
		"curl -sSf '" + git + "/payments/api/info/refs'",
		"curl -sSf '" + git + "/payments/api/HEAD'",
		"curl -sSf '" + git + "/payments/api/objects/info/packs'",
		"curl -sSf '" + git + "/payments/api/git-upload-pack'",
		"curl -sSf -X POST '" + git + "/payments/api/git-upload-pack'",
		"curl -sSf -X DELETE '" + git + "/payments/api/info/refs?service=git-upload-pack'",
		"curl -sSf '" + git + ":22/payments/api/info/refs?service=git-upload-pack'",
		"curl -sSf 'http://127.0.0.1:7070/git/127.0.0.1/payments/api/info/refs?service=git-upload-pack'",
		"curl -sSf 'http://127.0.0.1:7070/git/ledger.example.test/info/refs?service=git-upload-pack'",
		"curl -sSf --path-as-is 'http://127.0.0.1:7070/r/ledger/../../api/v1/me'",
		"curl -sSf --path-as-is 'http://127.0.0.1:7070/r/../api/v1/me'",
		"curl -sSf 'http://127.0.0.1:7070/api/v1/me'",
		"curl -sSf 'http://127.0.0.1:7070/.well-known/openid-configuration'",
		"curl -sSf 'http://127.0.0.1:7070/r/unknown/'",
		"git clone https://git.example.test/--upload-pack=touch /tmp/x",
		"git clone https://git.example.test/shop/web /tmp/x",
		"git clone -c protocol.ext.allow=always 'ext::sh -c \"touch /tmp/x\"' /tmp/x && false",
	} {
		out, status := w.Exec("ada", ws, line)
		t.Logf("%s: %d %s", line, status, strings.TrimSpace(out))
		if status == 0 {
			t.Errorf("%s went through: %s", line, out)
		}
	}
	w.Must("ada", ws, "test ! -e /tmp/x/.git && git fetch -q && curl -sf http://127.0.0.1:7070/r/ledger/whoami")
}

// TestRequests sends the API what is not in its description.
func TestRequests(t *testing.T) {
	w := harness.Start(t)
	hers := w.As("ada").Browser.HTTP()
	order := `{"context_url":"` + payments + `"}`
	at := func(method, path, body string, more ...string) request {
		r := request{method: method, url: w.Info.URL + path, body: body, header: map[string]string{"Origin": w.Info.URL}}
		if body != "" {
			r.header["Content-Type"] = "application/json"
		}
		for i := 0; i+1 < len(more); i += 2 {
			r.header[more[i]] = more[i+1]
		}
		return r
	}
	at("POST", "/api/v1/workspaces", `{"context_url":"`+strings.Repeat("a", 1<<20)+`"}`).refused(t, hers, 413, "larger than")
	at("POST", "/api/v1/workspaces", `{"context_url":"`+payments+`","admin":true}`).refused(t, hers, 400, "admin")
	at("POST", "/api/v1/workspaces", `{"context_url":"`+payments+`","context_url":"x"}`).refused(t, hers, 400, "context_url")
	at("POST", "/api/v1/workspaces", `{"Context_URL":"`+payments+`"}`).refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", order+order).refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", `{`).refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", "{\"context_url\":\"\xff\"}").refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", "null").refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", strings.Repeat("[", 50_000)).refused(t, hers, 400)
	at("POST", "/api/v1/workspaces", order, "Content-Type", "application/xml").refused(t, hers, 400, "must be JSON")
	at("POST", "/api/v1/revoke", `{"kind":"everything","id":"x"}`).refused(t, hers, 400, "everything")
	at("GET", "/api/v1/leases?limit=0", "").refused(t, hers, 400, "limit")
	at("GET", "/api/v1/leases?limit=99999999999999999999", "").refused(t, hers, 400, "limit")
	at("GET", "/api/v1/leases?nothing=1", "").refused(t, hers, 400, "nothing")
	at("GET", "/api/v1/leases?user=ada&user=grace", "").refused(t, hers, 400, "more than once")
	at("GET", "/api/v1/workspaces?cursor=%ff", "").refused(t, hers, 400, "cursor")
	at("GET", "/api/v1/workspaces/..%2f..%2fme", "").refused(t, hers, 400)
	at("GET", "/api/v1/workspaces/w-%0a", "").refused(t, hers, 400)
	at("GET", "/api/v1/why?action=repo:explode&resource="+payments, "").refused(t, hers, 400, "There is no action", "repo:write")
	at("GET", "/api/v1/audit?after=-5", "").refused(t, hers, 400, "after")
	for _, path := range []string{"/api/v1/nothing", "/api/v2/me", "/api/", "/nothing", "/.env", "/.git/config", "/oauth/nothing", "/mcp/x", "/metrics", "/debug/pprof/"} {
		at("GET", path, "").refused(t, hers, 404)
	}
	for _, wrong := range [][2]string{
		{"DELETE", "/api/v1/me"}, {"PUT", "/api/v1/workspaces"}, {"PATCH", "/api/v1/leases"}, {"TRACE", "/api/v1/me"}, {"POST", "/"}, {"GET", "/logout"},
		{"POST", "/login"}, {"GET", "/api/v1/revoke"}, {"OPTIONS", "/api/v1/me"},
	} {
		at(wrong[0], wrong[1], "").refused(t, hers, 405, "and not to "+wrong[0])
	}
	if list, err := w.As("ada").Workspaces(w.Context()); err != nil || len(list) != 0 {
		t.Errorf("%d workspaces were made: %v", len(list), err)
	}
	if strings.Contains(w.Log(), "level=ERROR") || strings.Contains(w.Log(), "panic") {
		t.Errorf("the log takes bad input for errors of the server:\n%s", w.Log())
	}
}

// TestCommandLine gives the commands what they do not know.
func TestCommandLine(t *testing.T) {
	w := harness.Start(t)
	for _, c := range []struct {
		args   string
		status int
		says   string
	}{
		{"nothing", 2, "unknown command"},
		{"why repo:write", 2, "needs RESOURCE"},
		{"why repo:write " + payments + " --user nobody", 1, "no single user"},
		{"why repo:read https://git.example.test/no/where --user ada", 1, "no such resource"},
		{"revoke everything x", 2, `knows no "everything"`},
		{"revoke lease l-nothing", 1, "There is no lease"},
		{"revoke user nobody", 1, "There is no user"},
		{"start --user nobody " + payments, 2, "no sample user"},
		{"exec --user ada w-nothing -- true", 125, ""},
		{"exec --user ada w-aaaaaaaaaaaaaaaa -- true", 126, "There is no workspace"},
		{"dev --runtime kube", 2, "kube"},
		{"dev --listen 0.0.0.0:0 --data " + filepath.Join(w.Data, "other"), 2, "loopback"},
		{"--socket /nonexistent.sock list", 1, "No server runs here"},
	} {
		said := w.Lanyard(strings.Fields(c.args)...)
		t.Logf("lanyard %s: %d %s", c.args, said.Status, strings.TrimSpace(said.Err))
		if said.Status != c.status || said.Err == "" {
			t.Errorf("lanyard %s ended with %d, not %d: %s%s", c.args, said.Status, c.status, said.Out, said.Err)
		}
		hasWords(t, "lanyard "+c.args, said.Err, c.says)
	}
	said := w.Lanyard("leases", "--json")
	if err := json.Unmarshal([]byte(said.Out), &api.Leases{}); err != nil {
		t.Errorf("leases --json: %v", err)
	}
	if _, err := os.Stat(filepath.Join(w.Data, "other", "lanyard.sock")); err == nil {
		t.Error("a server that was refused has left its socket")
	}
}
