package isolation

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// curl asks from the workspace.
func (p *prison) curl(arguments string) (status, body string) {
	p.T.Helper()
	out, _ := p.Exec(who, p.ws, "curl -s -m 20 -w '\\n%{http_code}' "+arguments)
	i := strings.LastIndexByte(out, '\n')
	return out[i+1:], out[:max(i, 0)]
}

const whoami = "http://127.0.0.1:7070/r/ledger/whoami"

// The agent's listener speaks as the workspace for whoever reaches it, so it takes no request that a web page could
// have made, and nothing that claims to be somebody.
func TestAgentsListener(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	host := strings.TrimPrefix(p.Info.URL, "http://")
	for _, c := range []struct {
		arguments string
		status    string // regular expression
		body      string // likewise, of some part
	}{
		{whoami, "200", `"name":"Ada Lovelace"`},
		{"http://localhost:7070/r/ledger/whoami", "200", "Ada Lovelace"},
		{"-H 'Sec-Fetch-Mode: cors' " + whoami, "200", "Ada Lovelace"}, // Node's fetch sends it
		{"-H 'Host: evil.example.test' " + whoami, "403", "only as localhost"},
		{"-H 'Host: evil.example.test:7070' " + whoami, "403", "only as localhost"},
		{"-H 'Host: " + host + "' " + whoami, "403", "only as localhost"},
		{"-H 'Host: 127.0.0.1' " + whoami, "403", "only as localhost"},
		{"--http1.0 -H 'Host:' " + whoami, "400|403", ""},
		{"-H 'Origin: http://evil.example.test' " + whoami, "403", "Origin"},
		{"-H 'Origin: null' " + whoami, "403", "Origin"},
		{"-H 'Origin;' " + whoami, "403", "Origin"},
		{"-H 'Origin: http://127.0.0.1:7070' " + whoami, "403", "Origin"},
		{"-H 'Sec-Fetch-Site: same-origin' " + whoami, "403", "Sec-Fetch-Site"},
		{"-H 'Sec-Fetch-Site: none' " + whoami, "403", "Sec-Fetch-Site"},
		{"-H 'Sec-Fetch-Mode: navigate' " + whoami, "403", ""},
		{"-H 'Forwarded: for=192.0.2.1' " + whoami, "403", "Forwarded"},
		{"-H 'Cookie: __Host-lanyard=x' " + whoami, "403", ""},
		// What claims to be somebody reaches the app as it is not, or not at all.
		{"-H 'Lanyard-Assertion: forged' " + whoami, "200|400|403", "Ada Lovelace|refused"},
		{"-H 'Lanyard_Assertion: forged' " + whoami, "200|400|403", "Ada Lovelace|refused"},
		{"-H 'X-Forwarded-For: 192.0.2.1' -H 'X-Forwarded-User: grace' -H 'X-Real-IP: 192.0.2.1' " + whoami, "200", "Ada Lovelace"},
		{"-H 'Authorization: Bearer forged' " + whoami, "200|401|403", "Ada Lovelace|refused"},
		// Nothing but /git/ and /r/ is there, however it is spelt.
		{"http://127.0.0.1:7070/", "404", ""},
		{"http://127.0.0.1:7070/api/v1/me", "404", ""},
		{"http://127.0.0.1:7070/token", "404", ""},
		{"http://127.0.0.1:7070/v1/status", "404", ""},
		{"--path-as-is http://127.0.0.1:7070/r/../api/v1/me", "400|404", ""},
		{"--path-as-is http://127.0.0.1:7070/r/ledger/../../api/v1/me", "400|404", ""},
		{"--path-as-is http://127.0.0.1:7070/r/ledger/%2e%2e/%2e%2e/api/v1/me", "400|404", ""},
		{"--path-as-is http://127.0.0.1:7070/r/ledger/..%2f..%2fapi/v1/me", "400|404", ""},
		{"--path-as-is 'http://127.0.0.1:7070/r/ledger/..;/whoami'", "400|404", ""},
		{"--path-as-is http://127.0.0.1:7070//api/v1/me", "400|404", ""},
		{"--request-target " + p.Info.URL + "/api/v1/me http://127.0.0.1:7070/r/ledger/whoami", "400|403|404", ""},
		{"-X CONNECT --request-target " + host + " http://127.0.0.1:7070/", "400|403|404|405", ""},
		{"-p -x http://127.0.0.1:7070 http://192.0.2.1/", "000|400|403|404|405", ""},
	} {
		status, body := p.curl(c.arguments)
		t.Logf("%s: %s %.100q", c.arguments, status, body)
		if !regexp.MustCompile("^("+c.status+")$").MatchString(status) || !regexp.MustCompile(c.body).MatchString(body) {
			t.Errorf("curl %s: %s, want %s and %q:\n%s", c.arguments, status, c.status, c.body, body)
		}
		if status == "200" && !strings.Contains(body, "Ada Lovelace") {
			t.Errorf("curl %s is answered as somebody else: %s", c.arguments, body)
		}
	}
	// No port of the workspace is to be reached from the server's sites.
	for _, site := range []string{"7070-" + label(p.ws), "7070-t-" + label(p.ws)} {
		r, err := http.NewRequestWithContext(p.Context(), http.MethodGet, "http://"+site+".localhost:"+host[strings.LastIndexByte(host, ':')+1:]+"/r/ledger/whoami", nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := p.As(who).Browser.HTTP().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("%s answers %s", site, resp.Status)
		}
	}
}

// A process of the workspace may speak through the socket itself, past the agent. It speaks as the workspace all the
// same, and reaches what the workspace does.
func TestTunnelUsedDirectly(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	requests := []struct {
		request string // method, path, headers, with tabs between
		status  string
		body    string
	}{
		{"GET /r/ledger/whoami", "200", "Ada Lovelace"},
		{"GET /git/git.example.test/payments/api/info/refs?service=git-upload-pack", "200", "service=git-upload-pack|version"},
		{"GET /git/git.example.test/shop/web/info/refs?service=git-upload-pack", "403|404", "no repository"},
		{"GET /r/ledger/whoami\tX-Forwarded-User: grace\tLanyard-Assertion: forged", "200|400|403", "Ada Lovelace|refused|not"},
		{"GET /r/ledger/whoami\tCookie: __Host-lanyard=x", "400|403", ""},
		{"GET /r/ledger/whoami\tHost: tenant.localhost", "200|403|404|421", ""},
		{"GET /api/v1/me", "403|404", ""},
		{"GET /api/v1/workspaces", "403|404", ""},
		{"POST /api/v1/revoke", "403|404|405", ""},
		{"GET /dev/v1/info", "403|404", ""},
		{"GET /login", "403|404", ""},
		{"GET /portal\tHost: tenant.localhost", "403|404|421", ""},
		{"GET /_lanyard/terminal\tHost: t-" + label(p.other) + ".localhost", "403|404|421", ""},
		{"GET /v1/status\tHost: " + label(p.other), "403|404|421", ""},
		{"GET /", "403|404", ""},
	}
	var arguments []string
	for _, r := range requests {
		arguments = append(arguments, "'"+r.request+"'")
	}
	// The newest connection is the workspace's, so the agent loses its own for a moment and takes it back: this runs
	// beside it, until all has been answered within one connection.
	p.Must(who, p.ws, fmt.Sprintf("cat >~/run <<'END'\nfor i in $(seq 100); do ~/probe tunnel /run/lanyard/lanyard.sock %s >/workspace/.said 2>&1; grep -q '\"error\"' /workspace/.said || break; sleep 0.0$i; done; mv /workspace/.said /workspace/said\nEND\nsetsid bash ~/run >/dev/null 2>&1 &", strings.Join(arguments, " ")))
	said := ""
	p.Eventually("the tunnel was used", func() bool {
		b, err := os.ReadFile(filepath.Join(p.Files(p.ws), "said"))
		said = string(b)
		return err == nil
	})
	answers := strings.Split(strings.TrimSpace(said), "\n")
	if len(answers) != len(requests) {
		t.Fatalf("%d requests, answers:\n%s", len(requests), said)
	}
	for i, r := range requests {
		var a struct {
			Status int
			Body   string
			Error  string
		}
		if err := json.Unmarshal([]byte(answers[i]), &a); err != nil || a.Error != "" {
			t.Errorf("%s: %v %s", r.request, err, answers[i])
			continue
		}
		t.Logf("%q: %d %.100q", r.request, a.Status, a.Body)
		if !regexp.MustCompile("^("+r.status+")$").MatchString(fmt.Sprint(a.Status)) || !regexp.MustCompile(r.body).MatchString(a.Body) {
			t.Errorf("%s: %d, want %s and %q:\n%s", r.request, a.Status, r.status, r.body, a.Body)
		}
		if a.Status == 200 && strings.Contains(r.request, "whoami") && !strings.Contains(a.Body, "Ada Lovelace") {
			t.Errorf("%s is answered as somebody else: %s", r.request, a.Body)
		}
	}
	p.Eventually("the agent has its tunnel back", func() bool {
		out, _, err := p.TryExec(p.Context(), who, p.ws, "echo back")
		return err == nil && out == "back\n"
	})
}

// What is not of the workspace's project is denied as what does not exist is, also where its owner may reach it
// otherwise.
func TestAnotherProject(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	p.install(other, p.other)
	same := func(what string, forbidden, absent func() string) {
		t.Helper()
		f, a := forbidden(), absent()
		if f == "" || f != a {
			t.Errorf("%s tells forbidden from absent:\n%q\n%q", what, f, a)
		}
	}
	// git prints the address that it was given; beyond that the two must not differ.
	git := func(user string, ws api.Workspace, repository string) func() string {
		return func() string {
			out, code := p.Exec(user, ws, "git -c core.askPass=true ls-remote https://git.example.test/"+repository+"; git ls-remote http://127.0.0.1:7070/git/git.example.test/"+repository)
			if code == 0 || !strings.Contains(out, "There is no repository") {
				t.Errorf("git ls-remote %s from the workspace of %s: %d %s", repository, user, code, out)
			}
			return strings.ReplaceAll(out, repository, "REPOSITORY")
		}
	}
	call := func(user string, ws api.Workspace, arguments, name string) func() string {
		return func() string {
			out, _ := p.Exec(user, ws, fmt.Sprintf("curl -si -m 20 %s http://127.0.0.1:7070/r/%s/entries | grep -vi '^date:'", arguments, name))
			if !regexp.MustCompile(`^HTTP/1.1 40[34]`).MatchString(out) {
				t.Errorf("curl %s from the workspace of %s: %s", name, user, out)
			}
			return strings.ReplaceAll(out, name, "NAME")
		}
	}
	same("git", git(who, p.ws, "shop/web"), git(who, p.ws, "shop/wob"))
	same("git, the other way", git(other, p.other, "payments/api"), git(other, p.other, "payments/apo"))
	same("an app", call(other, p.other, "", "ledger"), call(other, p.other, "", "lodger"))
	post := `-d '{"text":"x","amount_minor":1}'`
	same("an app, posted to", call(other, p.other, post, "ledger"), call(other, p.other, post, "lodger"))

	// Ada joins the other project. Its workspaces are then hers to make; this one stays what it is.
	tenant := p.Tenant()
	tenant.Add(tenant.Group("shop-engineers"), tenant.User(who))
	p.Eventually("ada is in two projects", func() bool {
		me, err := p.As(who).Me(p.Context())
		return err == nil && len(me.Projects) == 2
	})
	same("git, of a project that its owner is in", git(who, p.ws, "shop/web"), git(who, p.ws, "shop/wob"))
	second := p.Workspace(who, "https://git.example.test/shop/web")
	p.Must(who, second, "git ls-remote https://git.example.test/shop/web")
	same("git, from the second workspace", git(who, second, "payments/api"), git(who, second, "payments/apo"))
	same("an app, from the second workspace", call(who, second, "", "ledger"), call(who, second, "", "lodger"))
	// A message that is the same for both must not become different by time: both are told at once.
	if out := p.Must(who, p.ws, "curl -sf "+whoami); !strings.Contains(out, "Ada Lovelace") {
		t.Errorf("the first workspace's own app: %s", out)
	}
}

// Nobody comes into another's workspace: not a colleague, not a maintainer, not an administrator, not the operator.
func TestAnothersWorkspace(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	absent := "w-aaaaaaaaaaaaaaaa"
	for _, user := range []string{other, "barbara", "grace", "margaret", "ken"} {
		_, _, err := p.TryExec(p.Context(), user, p.ws, "id")
		if err == nil {
			t.Errorf("%s runs a command in the workspace of %s", user, who)
			continue
		}
		if kind := remote.KindOf(err); kind != problem.Denied && kind != problem.NotFound {
			t.Errorf("%s is refused with %s: %v", user, kind, err)
		}
		t.Logf("%s: %v", user, err)
		if user == other { // a stranger to the project
			_, _, none := p.TryExec(p.Context(), user, api.Workspace{ID: absent}, "id")
			if none == nil || strings.ReplaceAll(none.Error(), absent, "W") != strings.ReplaceAll(err.Error(), p.ws.ID, "W") {
				t.Errorf("%s can tell that the workspace exists: %v, %v", user, err, none)
			}
		}
		if _, err := p.TryTerminal(user, p.ws.Terminal); err == nil {
			t.Errorf("%s opens the terminal of %s", user, who)
		}
	}
	if said := p.Lanyard("exec", "-n", p.ws.ID, "--", "id"); said.Status != 126 || strings.Contains(said.Out, "uid") {
		t.Errorf("the operator runs a command in it: %+v", said)
	}
}

// When the owner's sign-in ends, the workspace's processes go on and reach nothing; with the next sign-in they reach
// again what they did, with nothing done inside.
func TestSignInEndsAndComesBack(t *testing.T) {
	t.Parallel()
	p := newPrison(t)
	p.Must(who, p.ws, `setsid bash -c 'while :; do echo $((++n)) >/workspace/counter; curl -s -m 5 `+whoami+` >/workspace/.new; mv /workspace/.new /workspace/answer; git -C /workspace/api ls-remote >/workspace/.new 2>&1; mv /workspace/.new /workspace/git; sleep 0.1; done' >/dev/null 2>&1 &`)
	read := func(name string) string {
		b, _ := os.ReadFile(filepath.Join(p.Files(p.ws), name)) // not there yet is empty
		return strings.TrimSpace(string(b))
	}
	reaches := func() bool {
		return strings.Contains(read("answer"), "Ada Lovelace") && strings.Contains(read("git"), "refs/heads/main")
	}
	p.Eventually("the workspace reaches what it may", reaches)
	agent := p.agent(p.ws)
	term := p.Terminal(who, p.ws)
	for _, end := range []struct {
		how string
		do  func()
	}{
		{"revoked by the operator", func() {
			if said := p.Lanyard("revoke", "user", who); said.Status != 0 {
				t.Fatalf("revoke: %+v", said)
			}
		}},
		{"signed out", func() { signOut(t, p) }},
	} {
		end.do()
		p.Eventually(end.how+": it reaches nothing", func() bool {
			return !strings.Contains(read("answer"), "Ada Lovelace") && read("answer") != "" && !strings.Contains(read("git"), "refs/heads") && read("git") != ""
		})
		t.Logf("%s: the app says %s; git says %s", end.how, read("answer"), read("git"))
		<-term.Ended()
		if _, _, err := p.TryExec(p.Context(), who, p.ws, "id"); err == nil {
			t.Errorf("%s: commands run still", end.how)
		}
		count := read("counter")
		p.Eventually(end.how+": its processes go on", func() bool { return read("counter") != count })
		p.SignIn(who)
		p.Eventually(end.how+": it reaches everything again", reaches)
		term = p.Terminal(who, p.ws)
		if now := p.agent(p.ws); now != agent {
			t.Fatalf("%s: the workspace is another", end.how)
		}
	}
}

// signOut ends the sign-in as the page's button does.
func signOut(t *testing.T, p *prison) {
	t.Helper()
	r, err := http.NewRequestWithContext(p.Context(), http.MethodPost, p.Info.URL+"/logout", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Origin", p.Info.URL)
	resp, err := p.As(who).Browser.HTTP().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode >= 400 {
		t.Fatalf("sign out: %s", resp.Status)
	}
}
