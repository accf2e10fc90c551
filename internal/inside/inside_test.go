package inside

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// place is a workspace as far as a command sees it: the socket, a home folder, an environment.
type place struct {
	t     *testing.T
	env   map[string]string
	order api.TokenOrder // the last one
}

const jwt = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ1LTEifQ.c2ln"

func newPlace(t *testing.T, refuse error) *place {
	t.Helper()
	dir, err := os.MkdirTemp("", "ins")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	p := &place{t: t, env: map[string]string{agentapi.SocketEnv: filepath.Join(dir, "lanyard.sock"), "HOME": dir, "LANYARD_WORKSPACE_ID": "w-1"}}
	l, err := net.Listen("unix", p.env[agentapi.SocketEnv])
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case refuse != nil:
			problem.Write(w, refuse)
		case r.Method == http.MethodDelete && r.URL.Path == "/agents/s-1":
			_ = json.NewEncoder(w).Encode(agentapi.Running{ID: "s-1", Name: "tidy", State: "ended", Why: r.URL.RawQuery})
		case r.URL.Path == "/token/audiences":
			_ = json.NewEncoder(w).Encode(api.Page[api.TokenAudience]{Items: []api.TokenAudience{{Name: "aws", Value: "sts.amazonaws.com", Kind: "federation", Seconds: 600, Decision: "allow"}}})
		default:
			p.order = api.TokenOrder{}
			_ = json.NewDecoder(r.Body).Decode(&p.order)
			_ = json.NewEncoder(w).Encode(api.Token{Token: jwt, Expires: time.Unix(1900000000, 0).UTC(), Audience: "aws", Value: "sts.amazonaws.com"})
		}
	})}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
		http.DefaultClient.CloseIdleConnections()
	})
	return p
}

func (p *place) run(program string, args ...string) (status int, out, errs string) {
	p.t.Helper()
	var o, e bytes.Buffer
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	status = Run(ctx, Config{Program: program, Env: func(k string) string { return p.env[k] }, Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e}, args)
	return status, o.String(), e.String()
}

func TestToken(t *testing.T) {
	p := newPlace(t, nil)
	for line, want := range map[string]string{
		"lanyard token --audience aws":              jwt,
		"lanyard token --audience aws --json":       `{"token":"` + jwt + `","expires":"2030-03-17T17:46:40Z","audience":"aws","aud":"sts.amazonaws.com","project":""}` + "\n",
		"lanyard token --audience aws --decode":     "{\n  \"Header\": {\n    \"alg\": \"RS256\"\n  },\n  \"Payload\": {\n    \"sub\": \"u-1\"\n  }\n}\n",
		"lanyard token --list":                      "AUDIENCE  AUD                KIND        LIFETIME  NOW    FILE\naws       sts.amazonaws.com  federation  10m0s     allow  -\n",
		"gp idp token --audience sts.amazonaws.com": jwt,
		"lanyard kubectl-credential --audience aws": `{"apiVersion":"client.authentication.k8s.io/v1","kind":"ExecCredential","status":{"expirationTimestamp":"2030-03-17T17:46:40Z","token":"` + jwt + `"}}` + "\n",
		"lanyard google-credential --audience aws":  `{"version":1,"success":true,"token_type":"urn:ietf:params:oauth:token-type:jwt","id_token":"` + jwt + `","expiration_time":1900000000}` + "\n",
	} {
		args := strings.Fields(line)
		if status, out, errs := p.run(args[0], args[1:]...); status != 0 || out != want {
			t.Errorf("%s: %d %q %q", line, status, out, errs)
		}
		if gp := args[0] == "gp"; !strings.Contains(line, "list") && p.order.Gitpod != gp {
			t.Errorf("%s asks with Gitpod's claims: %v", line, p.order.Gitpod)
		}
	}
}

func TestAgentStop(t *testing.T) {
	p := newPlace(t, nil)
	for line, want := range map[string]string{
		"agent stop s-1":                  "tidy has ended.",
		"agent stop --discard s-1":        "What tidy did is thrown away.\n",
		"agent stop --discard --json s-1": `"discard=true"`,
	} {
		if status, out, errs := p.run("lanyard", strings.Fields(line)...); status != 0 || !strings.Contains(out, want) {
			t.Errorf("%s: %d %q %q", line, status, out, errs)
		}
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	step := problem.New(problem.StepUpNeeded, "The audience vault needs a fresh sign-in.")
	step.(*problem.Error).Next = &problem.Next{Context: "c1", SignIn: "https://lanyard.example.test/login?step=1"}
	for name, c := range map[string]struct {
		refuse error
		line   string
		status int
		says   []string
	}{
		"denied":        {problem.New(problem.Denied, "You may not."), "lanyard token --audience a", 3, []string{"lanyard: You may not.\n"}},
		"step up":       {step, "lanyard token --audience a", 3, []string{"fresh sign-in", "sign in again at: https://lanyard.example.test/login?step=1"}},
		"signed out":    {problem.New(problem.SignInNeeded, "Sign in first."), "gp idp token --audience a", 4, []string{"gp: Sign in first."}},
		"hidden":        {problem.New(problem.NotFound, "There is no audience \"a\x1b[2J\"."), "lanyard token --audience a", 3, []string{`"a\u001b[2J"`}},
		"of Gitpod's":   {nil, "gp ports visibility 80:public", 2, []string{`"visibility": a port is its owner's alone`}},
		"its old name":  {nil, "gp await-port 80", 2, []string{"`gp ports await PORT` does it"}},
		"no audience":   {nil, "lanyard token", 2, []string{"one of aws", "--help"}},
		"a typo":        {nil, "lanyard tokn", 2, []string{"did you mean token"}},
		"two audiences": {nil, "gp idp token --audience a --audience b", 2, []string{"one audience"}},
		"another API":   {nil, "lanyard kubectl-credential --audience a", 2, []string{"client.authentication.k8s.io/v2"}},
		"a typo of gp":  {nil, "gp idp tokn", 2, []string{"did you mean token"}},
		"no role":       {nil, "gp idp login aws", 2, []string{"IDP_AWS_ROLE_ARN"}},
		"a role's name": {nil, "gp idp login aws --role-arn dev;id", 2, []string{"not the ARN"}},
		"no Vault":      {nil, "gp idp login vault --role dev", 2, []string{"VAULT_ADDR"}},
	} {
		p := newPlace(t, c.refuse)
		p.env[execInfo] = `{"apiVersion":"client.authentication.k8s.io/v2"}`
		args := strings.Fields(c.line)
		status, out, errs := p.run(args[0], args[1:]...)
		if status != c.status || out != "" {
			t.Errorf("%s: %d %q", name, status, out)
		}
		for _, s := range c.says {
			if !strings.Contains(errs, s) {
				t.Errorf("%s does not say %q: %s", name, s, errs)
			}
		}
	}
	p := newPlace(t, nil)
	p.env[agentapi.SocketEnv] += ".not"
	if status, _, errs := p.run("lanyard", "token", "--audience", "a"); status != 1 || !strings.Contains(errs, "works in a Lanyard workspace only") {
		t.Errorf("outside of a workspace: %d %s", status, errs)
	}
}

// What is written for AWS's tools to run goes through a shell in some of them.
func TestAttack35NothingOfACommandLineIsRunByAShell(t *testing.T) {
	p := newPlace(t, nil)
	for _, args := range [][]string{
		{"--role-arn", "arn:aws:iam::123456789012:role/dev; id"},
		{"--role-arn", "arn:aws:iam::123456789012:role/dev", "--audience", "x;id"},
		{"--role-arn", "arn:aws:iam::123456789012:role/dev", "--audience", "$(id)"},
		{"--role-arn", "arn:aws:iam::123456789012:role/dev", "--audience", "-x"},
		{"--role-arn", "arn:aws:iam::123456789012:role/dev", "--profile", "a]\n[b"},
	} {
		if status, _, errs := p.run("gp", append([]string{"idp", "login", "aws"}, args...)...); status != 2 {
			t.Errorf("%q: %d %s", args, status, errs)
		}
	}
	if _, err := os.Stat(filepath.Join(p.env["HOME"], ".aws")); !os.IsNotExist(err) {
		t.Errorf("something was written: %v", err)
	}
}

// Google's libraries read a refusal only from a program that succeeded.
func TestGoogleIsToldOfARefusal(t *testing.T) {
	p := newPlace(t, problem.New(problem.Denied, "You may not."))
	if status, out, _ := p.run("gp", "idp", "gcloud-token"); status != 2 || out != "" {
		t.Errorf("without a provider: %d %s", status, out)
	}
	p.env[googleAudience] = "//iam.googleapis.com/x"
	status, out, errs := p.run("gp", "idp", "gcloud-token")
	if status != 0 || out != `{"version":1,"success":false,"code":"denied","message":"You may not."}`+"\n" || !strings.Contains(errs, "You may not.") {
		t.Errorf("%d %s %s", status, out, errs)
	}
}

// AWS's answers are those of its documentation:
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
func TestAWS(t *testing.T) {
	p := newPlace(t, nil)
	var form string
	sts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form = r.PostForm.Encode()
		if strings.HasSuffix(r.PostForm.Get("RoleArn"), "/no") {
			w.WriteHeader(http.StatusForbidden)
			fmt.Fprint(w, `<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>Not authorized to perform sts:AssumeRoleWithWebIdentity</Message></Error></ErrorResponse>`)
			return
		}
		fmt.Fprint(w, `<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleWithWebIdentityResult><Audience>x</Audience><Credentials><SessionToken>s</SessionToken><SecretAccessKey>k</SecretAccessKey><Expiration>2030-03-17T17:46:40Z</Expiration><AccessKeyId>a</AccessKeyId></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>`)
	}))
	t.Cleanup(sts.Close)
	p.env["AWS_ENDPOINT_URL_STS"] = sts.URL
	status, out, errs := p.run("lanyard", "aws-credential", "--role-arn", "arn:aws:iam::123456789012:role/dev")
	if want := `{"Version":1,"AccessKeyId":"a","SecretAccessKey":"k","SessionToken":"s","Expiration":"2030-03-17T17:46:40Z"}` + "\n"; status != 0 || out != want {
		t.Errorf("%d %s %s", status, out, errs)
	}
	if want := "Action=AssumeRoleWithWebIdentity&DurationSeconds=3600&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fdev&RoleSessionName=w-1&Version=2011-06-15&WebIdentityToken=" + jwt; form != want {
		t.Error(form)
	}
	status, out, errs = p.run("lanyard", "aws-credential", "--role-arn", "arn:aws:iam::123456789012:role/no")
	if status != 3 || out != "" || !strings.Contains(errs, "AccessDenied Not authorized") || strings.Contains(errs, jwt) {
		t.Errorf("%d %s %s", status, out, errs)
	}
	sts.Close()
	if status, _, errs := p.run("lanyard", "aws-credential", "--role-arn", "arn:aws:iam::123456789012:role/dev"); status != 1 || !strings.Contains(errs, "cannot be reached") || strings.Contains(errs, jwt) {
		t.Errorf("%d %s", status, errs)
	}
}

// Vault's answers are those of its documentation: https://developer.hashicorp.com/vault/api-docs/auth/jwt#jwt-login
func TestVault(t *testing.T) {
	p := newPlace(t, nil)
	var asked string
	vault := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var b bytes.Buffer
		_, _ = b.ReadFrom(r.Body)
		asked = r.URL.Path + " " + b.String()
		if strings.Contains(asked, `"no"`) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"errors":["role \"no\" could not be found"]}`)
			return
		}
		fmt.Fprint(w, `{"auth":{"client_token":"hvs.token","lease_duration":900,"renewable":true}}`)
	}))
	t.Cleanup(vault.Close)
	p.env["VAULT_ADDR"] = vault.URL
	link := filepath.Join(p.env["HOME"], ".vault-token")
	if err := os.WriteFile(link, []byte("an earlier one"), 0o600); err != nil {
		t.Fatal(err)
	}
	status, out, errs := p.run("gp", "idp", "login", "vault", "--role", "dev", "--path", "lanyard/")
	if status != 0 || !strings.Contains(out, "as dev for 15m0s") || asked != `/v1/auth/lanyard/login {"jwt":"`+jwt+`","role":"dev"}` {
		t.Errorf("%d %s %s %s", status, out, errs, asked)
	}
	if to, err := os.Readlink(link); err != nil || to != filepath.Join(filepath.Dir(p.env[agentapi.SocketEnv]), "vault-token") {
		t.Errorf("%s %v", to, err)
	}
	if text, _ := os.ReadFile(link); string(text) != "hvs.token" {
		t.Errorf("%q", text)
	}
	if status, _, errs := p.run("gp", "idp", "login", "vault", "--role", "no"); status != 3 || !strings.Contains(errs, `role "no" could not be found`) {
		t.Errorf("%d %s", status, errs)
	}
}

func TestProfileLeavesTheRest(t *testing.T) {
	path := filepath.Join(t.TempDir(), ".aws", "config")
	for _, step := range []struct{ profile, value, want string }{
		{"default", "a", "[default]\nkey = a\n"},
		{"work", "b", "[default]\nkey = a\n\n[profile work]\nkey = b\n"},
		{"default", "c d", "[default]\nkey = c d\n\n[profile work]\nkey = b\n"},
	} {
		if err := setProfile(path, step.profile, "key", step.value); err != nil {
			t.Fatal(err)
		}
		if text, _ := os.ReadFile(path); string(text) != step.want {
			t.Errorf("%q", text)
		}
	}
	const other = "# mine\n[profile  work]\nregion = eu-central-1\nkey=old\n\n[sso-session x]\nkey = kept\n"
	if err := os.WriteFile(path, []byte(other), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := setProfile(path, "work", "key", "new"); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(path); string(text) != "# mine\n[profile  work]\nkey = new\nregion = eu-central-1\n\n[sso-session x]\nkey = kept\n" {
		t.Errorf("%q", text)
	}
}
