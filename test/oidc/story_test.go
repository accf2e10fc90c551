package oidc

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/gateway/httpproxy"
	"github.com/lanyardhq/lanyard/test/harness"
)

// upstream is an app that says who its assertion names, and goes on with a line now and then.
func upstream(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var said struct {
			Tenant, Object, Name string
		}
		parts := strings.Split(r.Header.Get(httpproxy.AssertionHeader), ".")
		if len(parts) == 3 {
			raw, _ := base64.RawURLEncoding.DecodeString(parts[1])
			var claims map[string]any
			_ = json.Unmarshal(raw, &claims)
			said.Tenant, said.Object = fmt.Sprint(claims["tid"]), fmt.Sprint(claims["oid"])
		}
		w.Header().Set("Content-Type", "text/plain")
		fmt.Fprintln(w, said.Tenant, said.Object)
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(func() {
		s.CloseClientConnections()
		s.Close()
	})
	return s.URL
}

// A person is issuer and subject, is in the groups that the claim names, loses at the next sweep what it does not name
// any more, with what was open, and is out when the provider does not know them any more.
func TestCertifiedProvider(t *testing.T) {
	t.Parallel()
	l := place(t)
	p := certified(t, l, nil)
	l.serve(p.issuer, upstream(t), "", `  name: Contoso sign-in
  groups_claim: groups
  scopes: [openid, profile, email, groups, offline_access]
  prompt: consent`)

	ada, bob, ops := l.enter("ada"), l.enter("bob"), l.enter("ops")
	for who, want := range map[*remote.Remote]string{ada: "developer", bob: "viewer", ops: ""} {
		if role := l.role(who); role != want {
			t.Errorf("a role is %q and not %q", role, want)
		}
	}
	me, err := ada.Me(within(t))
	if err != nil || me.User != "u-0b1e-ada|1" {
		t.Errorf("%+v %v", me, err)
	}
	if _, err := ops.SignIns(within(t), "*"); err != nil {
		t.Errorf("who is in the group of administrators is none: %v", err)
	}
	if _, err := ada.SignIns(within(t), "*"); err == nil {
		t.Error("who is not in it is one")
	}

	checkHealth(t, l, p)
	checkTrial(t, l, ada)
	app := l.ledger(ada)
	defer app.Body.Close()
	said, rest := line(t, app.Body)
	if said != p.issuer+" 0b1e-ada|1" {
		t.Fatalf("the app is told that %q asks (%s)", said, app.Status)
	}
	now := somePeople()
	moved := now["0b1e-ada|1"]
	moved.Groups = nil
	now["0b1e-ada|1"] = moved
	p.tell(t, now)
	if _, err := io.Copy(io.Discard, rest); err == nil {
		t.Error("what was open ended as if it were whole")
	}
	eventually(t, "ada has no role", func() bool { return l.role(ada) == "" })

	gone := now["0b1e-bob|2"]
	gone.Disabled = true
	now["0b1e-bob|2"] = gone
	p.tell(t, now)
	eventually(t, "bob's sign-in ended", func() bool {
		_, err := bob.Me(within(t))
		return err != nil
	})
	if _, err := l.signIn("bob", "pw-bob"); err == nil {
		t.Error("bob signs in")
	}

	home, err := url.Parse(l.url)
	if err != nil {
		t.Fatal(err)
	}
	out := post(t, ops, home, "/logout", nil)
	if page := read(t, out); out.StatusCode != http.StatusOK || !strings.HasPrefix(out.Request.URL.String(), p.issuer) {
		t.Errorf("signing out does not lead to the provider's: %s at %s\n%s", out.Status, out.Request.URL, page)
	}
	if _, err := ops.Me(within(t)); err == nil {
		t.Error("the session outlives signing out")
	}
}

// checkHealth asks the doctor, who finds nothing to mend.
func checkHealth(t *testing.T, l *lanyard, p provider) {
	t.Helper()
	var h api.DirectoryHealth
	var err error
	for end := time.Now().Add(harness.Wait); ; time.Sleep(100 * time.Millisecond) { // a look may be cut short, and the directory is read at a start
		h, err = l.operator.DirectoryHealth(within(t))
		if err == nil && !slices.ContainsFunc(h.Findings, func(f api.DirectoryFinding) bool { return f.Problem }) || time.Now().After(end) {
			break
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	if h.Provider != "Contoso sign-in" || h.Discovery.Issuer != p.issuer || len(h.Credentials) != 1 || !h.Credentials[0].Works {
		t.Errorf("%+v", h)
	}
	for _, f := range h.Findings {
		if f.Problem {
			t.Errorf("the doctor finds %+v", f)
		}
	}
}

// checkTrial lets ada sign in for a test: who asked sees what came, that of UserInfo too, and what follows from it.
func checkTrial(t *testing.T, l *lanyard, ada *remote.Remote) {
	t.Helper()
	test, err := l.operator.NewSignInTest(within(t))
	if err != nil {
		t.Fatal(err)
	}
	page, err := ada.Browser.Visit(within(t), test.URL)
	if err != nil {
		t.Fatal(err)
	}
	if shown := read(t, page); page.StatusCode != http.StatusOK || !strings.Contains(shown, "The operator of this server") {
		t.Fatalf("who made the link is not told: %s %s", page.Status, shown)
	}
	done := answer(t, ada, post(t, ada, page.Request.URL, "/login/test", page.Request.URL.Query()))
	shown := read(t, done)
	test, err = l.operator.SignInTest(within(t), test.ID)
	if err != nil || test.State != "done" || test.User != "u-0b1e-ada|1" || len(test.Groups) != 2 || len(test.Projects) != 1 || test.Projects[0].Role != "developer" {
		t.Errorf("%+v %v\n%s %s", test, err, done.Status, shown)
	}
	if !slices.ContainsFunc(test.Claims, func(c api.Claim) bool { return c.Name == "groups" && strings.Contains(c.Value, "/contoso/engineers") }) {
		t.Errorf("the claims do not say where the role comes from: %+v", test.Claims)
	}
}

func line(t *testing.T, r io.Reader) (string, *bufio.Reader) {
	t.Helper()
	b := bufio.NewReader(r)
	s, err := b.ReadString('\n')
	if err != nil {
		t.Fatalf("read the app's first line: %v", err)
	}
	return strings.TrimSpace(s), b
}
