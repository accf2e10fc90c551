package gitserver

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

const callback = "http://lanyard.localhost/login/callback"

// tenant is a running sample tenant.
type tenant struct {
	*entrasim.Tenant
	url    string
	client *http.Client
}

func newTenant(t *testing.T) tenant {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	base := "http://" + server.Listener.Addr().String()
	sim, err := entrasim.New(entrasim.Config{URL: base, Organisation: entrasim.Contoso(entrasim.Sample{RedirectURIs: []string{callback}})})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = sim
	server.Start()
	t.Cleanup(func() { server.Close(); sim.Close() })
	return tenant{sim, base, server.Client()}
}

// token signs a person in to Lanyard's app and redeems the refresh token for a scope, as Lanyard does.
func (n tenant) token(t *testing.T, user, scope string) string {
	t.Helper()
	app, _ := n.App("Lanyard")
	config := &oauth2.Config{
		ClientID: app.ClientID, ClientSecret: app.Secret, RedirectURL: callback, Scopes: []string{"openid", "profile", "offline_access"},
		Endpoint: oauth2.Endpoint{AuthURL: n.url + "/" + n.TenantID() + "/oauth2/v2.0/authorize", TokenURL: n.url + "/" + n.TenantID() + "/oauth2/v2.0/token"},
	}
	jar, _ := cookiejar.New(nil)
	browser := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	verifier := oauth2.GenerateVerifier()
	back, err := entrasim.SignIn(t.Context(), browser, config.AuthCodeURL("st", oauth2.S256ChallengeOption(verifier)), user, "lanyard-"+user)
	if err != nil {
		t.Fatal(err)
	}
	first, err := config.Exchange(t.Context(), back.Query().Get("code"), oauth2.VerifierOption(verifier))
	if err != nil {
		t.Fatal(err)
	}
	if scope == "" {
		return first.Extra("id_token").(string)
	}
	resp, err := n.client.PostForm(config.Endpoint.TokenURL, url.Values{
		"grant_type": {"refresh_token"}, "refresh_token": {first.RefreshToken}, "client_id": {app.ClientID}, "client_secret": {app.Secret}, "scope": {scope},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	_, rest, ok := strings.Cut(string(body), `"access_token":"`)
	if !ok {
		t.Fatalf("no token: %s", body)
	}
	token, _, _ := strings.Cut(rest, `"`)
	return token
}

func newServer(t *testing.T, accept Authenticator) (*Server, *httptest.Server, Config) {
	t.Helper()
	dir := t.TempDir()
	c := Config{
		Root: filepath.Join(dir, "git"), Hooks: filepath.Join(dir, "hooks"), LogFile: filepath.Join(dir, "git.log"),
		Accept: accept, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	s, err := New(c)
	if err != nil {
		t.Skipf("no Git here: %v", err)
	}
	if err := Seed(t.Context(), c.Root, Samples()...); err != nil {
		t.Fatal(err)
	}
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	return s, listening, c
}

// run runs git with an Authorization header.
func run(t *testing.T, dir, authorization string, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "git", append([]string{"-c", "http.extraHeader=Authorization: " + authorization}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &out
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
		"GIT_AUTHOR_NAME=x", "GIT_AUTHOR_EMAIL=x@example.test", "GIT_COMMITTER_NAME=x", "GIT_COMMITTER_EMAIL=x@example.test",
	}
	err := cmd.Run()
	return strings.TrimSpace(out.String()), err
}

func TestLogNamesThePersonOfTheToken(t *testing.T) {
	n := newTenant(t)
	_, server, c := newServer(t, &Entra{Issuer: n.Issuer(), Tenant: n.TenantID(), Audience: entrasim.ContosoGitAppID, Client: n.client})
	dir := t.TempDir()
	good := "Bearer " + n.token(t, "ada", "api://"+entrasim.ContosoGitAppID+"/.default")
	for _, args := range [][]string{
		{"clone", "--quiet", server.URL + "/payments/api", "api"},
		{"-C", "api", "commit", "--quiet", "--allow-empty", "-m", "Try"},
		{"-C", "api", "push", "--quiet", "origin", "HEAD"},
	} {
		if out, err := run(t, dir, good, args...); err != nil {
			t.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	head, _ := run(t, dir, good, "-C", "api", "rev-parse", "HEAD")
	old, _ := run(t, dir, good, "-C", "api", "rev-parse", "HEAD~")
	log, err := os.ReadFile(c.LogFile)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("push payments/api refs/heads/main %s..%s by Ada Lovelace <%s>\n", old, head, entrasim.AdaID)
	if !strings.Contains(string(log), want) || !strings.Contains(string(log), "fetch payments/api by Ada Lovelace <") {
		t.Errorf("the log is\n%swithout\n%s", log, want)
	}

	other := newTenant(t)
	for name, authorization := range map[string]string{
		"nothing":             "",
		"a password":          "Basic YWRhOmx5bmF5YXJk",
		"an ID token":         "Bearer " + n.token(t, "ada", ""),
		"for Graph":           "Bearer " + n.token(t, "ada", "https://graph.microsoft.com/User.Read"),
		"of another tenant":   "Bearer " + other.token(t, "ada", "api://"+entrasim.ContosoGitAppID+"/.default"),
		"with another letter": good[:len(good)-9] + "AAAAAAAAA",
	} {
		if out, err := run(t, t.TempDir(), authorization, "ls-remote", server.URL+"/payments/api"); err == nil {
			t.Errorf("%s was taken: %s", name, out)
		}
	}
}

func TestPasswordServer(t *testing.T) {
	s, server, _ := newServer(t, Password{User: "lanyard", Secret: "right"})
	get := func(path, secret string) int {
		r, _ := http.NewRequest(http.MethodGet, server.URL+path, nil)
		r.SetBasicAuth("lanyard", secret)
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	const refs = "/info/refs?service=git-upload-pack"
	for path, want := range map[string]int{
		"/payments/legacy" + refs: 200, "/payments/legacy.git" + refs: 200, "/payments/none" + refs: 404, "/payments/legacy/HEAD": 404,
		"/payments/legacy.git/objects/info/packs": 404, "/../etc/passwd": 404, "/-x/legacy" + refs: 404, "/payments/.new-1" + refs: 404,
	} {
		if got := get(path, "right"); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	if got := get("/payments/legacy"+refs, "wrong"); got != 401 {
		t.Errorf("a wrong password: %d", got)
	}

	if err := SeedLarge(t.Context(), s.c.Root, "payments/large", 2); err != nil {
		t.Fatal(err)
	}
	s.Throttle(1) // a byte a second: the answer begins and does not end
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/payments/large"+refs, nil)
	r.SetBasicAuth("lanyard", "right")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if _, err := io.ReadFull(resp.Body, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	s.Throttle(0) // it holds at once, for what is under way too
	if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) == 0 {
		t.Errorf("%d bytes, %v", len(rest), err)
	}
}

func TestSeedLeavesWhatIsThere(t *testing.T) {
	root := t.TempDir()
	if err := Seed(t.Context(), root, Samples()...); err != nil {
		t.Fatal(err)
	}
	describe := func() string {
		var all strings.Builder
		for _, r := range Samples() {
			out, err := run(t, t.TempDir(), "", "--git-dir", filepath.Join(root, r.Name+".git"), "for-each-ref", "--format=%(refname) %(objectname)")
			if err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			all.WriteString(out + "\n")
			if out, err := run(t, t.TempDir(), "", "--git-dir", filepath.Join(root, r.Name+".git"), "fsck", "--strict"); err != nil {
				t.Errorf("%s: %v\n%s", r.Name, err, out)
			}
		}
		return all.String()
	}
	before := describe()
	if !strings.Contains(before, "refs/heads/refunds") || !strings.Contains(before, "refs/pull/7/head") {
		t.Errorf("the refs are %s", before)
	}
	if err := Seed(t.Context(), root, Samples()...); err != nil {
		t.Fatal(err)
	}
	if after := describe(); after != before {
		t.Errorf("seeding again changed %s to %s", before, after)
	}
	left, _ := filepath.Glob(filepath.Join(root, "*", ".new-*"))
	if len(left) > 0 {
		t.Errorf("left over: %v", left)
	}
}
