package issuer_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/issuer"
)

// Whoever has not signed in learns of no audience by asking in the name of the lanyard command, and whoever has learns of none
// that is not theirs (SECURITY row 26).
func TestAttack26AudiencesAreNotTold(t *testing.T) {
	w, _ := exchanging(t)
	w.member(false)
	cli := w.program(issuer.CLI)
	ask := func(refresh, resource string) answer {
		form := byRefresh(refresh)
		form.Set("resource", resource)
		return cli.post(issuer.TokenPath, form)
	}
	const none = "https://nobody.example.test"
	for _, resource := range []string{storageAud, none} {
		if a := ask("x", resource); a.Error != "invalid_grant" {
			t.Errorf("a stranger, %s: %+v", resource, a)
		}
		resp, _ := w.browse(issuer.AuthorizePath+"?"+url.Values{"client_id": {issuer.CLI}, "redirect_uri": {laptop}, "response_type": {"code"}, "prompt": {"none"},
			"code_challenge_method": {"S256"}, "code_challenge": {"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"}, "resource": {resource}}.Encode(), nil)
		if to := resp.Header.Get("Location"); !strings.Contains(to, "error=consent_required") {
			t.Errorf("at the page, %s: %s", resource, to)
		}
	}
	code, verifier := w.code(issuer.CLI, laptop, nil)
	got := cli.post(issuer.TokenPath, byCode(code, verifier, laptop))
	declared, absent := ask(got.Refresh, storageAud), ask(got.Refresh, none)
	if declared.Error != "invalid_target" || declared.Status != absent.Status ||
		strings.ReplaceAll(declared.Text, storageAud, "") != strings.ReplaceAll(absent.Text, none, "") {
		t.Errorf("told apart:\n%+v\n%+v", declared, absent)
	}
	w.member(true)
	if a := ask(got.Refresh, storageAud); a.Status != http.StatusOK {
		t.Errorf("with the role, and the refresh token is not spent: %+v", a)
	}
}

// A refresh that is refused spends nothing, so that coming again is not taken for theft; and a session whose first tokens are
// refused does not stay.
func TestARefusedRequestSpendsNothing(t *testing.T) {
	w, _ := exchanging(t)
	p := &program{w: w, id: desk, secret: deskSecret}
	code, verifier := w.code(desk, portalBack, nil)
	got := p.post(issuer.TokenPath, byCode(code, verifier, portalBack))
	form := byRefresh(got.Refresh)
	form.Set("resource", storageAud)
	w.declare(map[string]string{"payments.yaml": paymentsFile + strings.Replace(moreAudiences, storageAud, storageAud+"\n    sensitive: c1", 1)})
	for range 2 {
		if a := p.post(issuer.TokenPath, form); a.Error != "invalid_target" {
			t.Errorf("it takes a step-up: %+v", a)
		}
	}
	open := func() (n int) {
		for _, signIn := range w.sessions.Set().SignInsOf(ada) {
			for _, row := range w.sessions.Set().Below(signIn.ID) {
				if row.Client == desk && row.Ended.IsZero() {
					n++
				}
			}
		}
		return n
	}
	if n := open(); n != 1 {
		t.Errorf("%d sessions of the desk", n)
	}
	code, verifier = w.code(desk, portalBack, nil)
	first := byCode(code, verifier, portalBack)
	first.Set("resource", storageAud)
	if a := p.post(issuer.TokenPath, first); a.Error != "invalid_target" {
		t.Errorf("a code: %+v", a)
	}
	if n := open(); n != 1 {
		t.Errorf("%d sessions of the desk after a code that gave no tokens", n)
	}
	w.declare(map[string]string{"payments.yaml": paymentsFile + moreAudiences})
	if a := p.post(issuer.TokenPath, form); a.Status != http.StatusOK {
		t.Errorf("the same refresh token afterwards: %+v", a)
	}
}

// What is exchanged ends no later than the access token that it was exchanged for, and not with the sign-in (SECURITY row 34).
func TestAttack34AnExchangeEndsWithItsAccessToken(t *testing.T) {
	w, _ := exchanging(t)
	p := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	own := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	w.later(9 * time.Minute)
	got := p.post(issuer.TokenPath, exchange(own.Access, "storage", nil))
	if got.Status != http.StatusOK || got.Expires > 60 {
		t.Errorf("%+v", got)
	}
}

// Who alone may exchange an agent's token holds where it is the actor's too, and for what comes of it (SECURITY row 34).
func TestAttack34TheActorsTokenIsForOneClient(t *testing.T) {
	w, p := exchanging(t)
	in := w.inWorkspace()
	fixer := w.agent(in, "fixer", mayMint(""))
	person := w.mint(in, "planner")
	actor := func(only string) string {
		got, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: fixer, Audience: "planner", MayAct: only})
		if err != nil {
			t.Fatal(err)
		}
		return got.Token
	}
	for _, other := range []string{issuer.ClientSubject(desk), issuer.AgentSubject("fixer")} {
		if a := p.post(issuer.TokenPath, exchange(person.Token, "storage", withActor(actor(other)))); a.Error != "invalid_request" {
			t.Errorf("for %s: %+v", other, a)
		}
	}
	got := p.post(issuer.TokenPath, exchange(person.Token, "storage", withActor(actor(issuer.ClientSubject(planner)))))
	if got.Status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	_, claims := claimsOf(t, w, got.Access, jose.ES256)
	if only, _ := claims["may_act"].(map[string]any); only["sub"] != issuer.ClientSubject(planner) {
		t.Errorf("%v", claims)
	}
}
