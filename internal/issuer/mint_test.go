package issuer_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// What each kind of audience gets, down to the claim.
func TestMintedClaims(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()

	got := w.mint(who, "https://reports.example.test") // by its value
	header, c := claimsOf(t, w, got.Token, jose.ES256)
	if header.ExtraHeaders["typ"] != issuer.WorkloadType || got.Audience.Name != "reports" {
		t.Errorf("%+v %+v", header, got)
	}
	for name, want := range map[string]any{
		"iss": w.url, "sub": "u-" + ada.Object, "aud": "https://reports.example.test", "oid": ada.Object, "tid": tenant, "sid": string(who.Session),
		"project": "payments", "project_id": "p-aaaaaaaaaaaaaaaa", "workspace": string(who.Workspace), "repository": "https://git.example.test/payments/api",
		"preferred_username": "ada@contoso.example", "exp": c["iat"].(float64) + 600,
	} {
		if c[name] != want {
			t.Errorf("%s is %v, not %v", name, c[name], want)
		}
	}
	if roles, _ := c["roles"].([]any); len(roles) != 1 || roles[0] != "developer" || c["jti"] == "" || c["auth_time"] == nil || c["act"] != nil {
		t.Errorf("%v", c)
	}

	header, c = claimsOf(t, w, w.mint(who, "aws").Token, jose.RS256)
	if header.ExtraHeaders["typ"] != "JWT" || c["sub"] != "project:p-aaaaaaaaaaaaaaaa" || c["exp"] != c["iat"].(float64)+300 || c["name"] != nil {
		t.Errorf("for a cloud: %v %v", header, c)
	}

	old, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "aws", Gitpod: true, Scope: "deploy"})
	if err != nil {
		t.Fatal(err)
	}
	_, c = claimsOf(t, w, old.Token, jose.RS256)
	for name, want := range map[string]any{
		"sub": "https://git.example.test/payments/api", "azp": "sts.amazonaws.com", "user_id": ada.Object, "org_id": tenant, "email": "ada@contoso.example",
		"email_verified": false, "workspace_id": string(who.Workspace), "context": "https://git.example.test/payments/api/tree/main",
		"repository": "https://git.example.test/payments/api", "name": "Ada Lovelace", "scope": "deploy",
	} {
		if c[name] != want {
			t.Errorf("with Gitpod's claims %s is %v, not %v", name, c[name], want)
		}
	}
}

// An AI agent has what its person may and its delegation says, under its own name: a cloud, which knows no `act`, sees it in
// the subject.
func TestMintedForAnAgent(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	in := w.inWorkspace()
	who := w.agent(in, "claude",
		grant.Allowed{Action: identity.TokenMint, Kind: identity.KindAudience, Name: "reports", Project: in.Project},
		grant.Allowed{Action: identity.TokenMint, Kind: identity.KindAudience, Name: "azure", Project: in.Project})
	_, c := claimsOf(t, w, w.mint(who, "reports").Token, jose.ES256)
	act, _ := c["act"].(map[string]any)
	if c["sub"] != "u-"+ada.Object || act["sub"] != "agent:claude" || act["sid"] != string(who.Session) {
		t.Errorf("%v", c)
	}
	if _, c = claimsOf(t, w, w.mint(who, "azure").Token, jose.RS256); c["sub"] != "u-"+ada.Object+":agent:claude" {
		t.Errorf("%v", c)
	}
	w.refused(who, "aws", problem.Denied, "has not delegated it to the AI agent claude")
	if !slices.ContainsFunc(w.events(), func(e audit.Event) bool {
		return e.Action == "token:mint" && e.Outcome == audit.Done && e.Actor == "agent:claude" && e.User.Object == ada.Object && e.Detail["jti"] != nil
	}) {
		t.Error("the log does not name both")
	}
}

func (w *world) events() []audit.Event {
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	return slices.Clone(w.audit.list)
}

// The right to mint is open for as long as its tokens are good, and what closes it ends them for who asks.
func TestAttack18TokensGoWithTheirGround(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	first, second := w.mint(who, "reports"), w.mint(who, "reports")
	open := w.engine.LeasesOf(ada)
	if len(open) != 1 || open[0].Request.Action != identity.TokenMint || open[0].Request.Resource.Name != "reports" {
		t.Fatalf("open: %+v", open)
	}
	if a := w.introspected(first.Token); !a.Active {
		t.Errorf("introspection: %+v", a)
	}

	w.member(false)
	if reason := open[0].Reason(); reason.Code != access.NoRole {
		t.Errorf("the lease: %+v", reason)
	}
	for _, raw := range []string{first.Token, second.Token} {
		if a := w.introspected(raw); a.Active || a.Status != http.StatusOK {
			t.Errorf("introspection after the group: %+v", a)
		}
	}
	w.refused(who, "reports", problem.Denied, "you are no longer in the group payments-engineers")

	w.member(true)
	third := w.mint(who, "reports")
	if a := w.introspected(third.Token); !a.Active {
		t.Errorf("introspection with the group back: %+v", a)
	}
	again := w.engine.LeasesOf(ada)
	if len(again) != 1 || !w.engine.Revoke(again[0].ID, access.Reason{Code: access.Revoked, Text: "it was revoked"}) {
		t.Fatalf("open: %+v", again)
	}
	w.refused(who, "reports", problem.Denied, "was revoked")
	if a := w.introspected(third.Token); a.Active {
		t.Errorf("introspection after the lease was revoked: %+v", a)
	}
	other := w.inWorkspace()
	if a := w.introspected(w.mint(other, "reports").Token); !a.Active {
		t.Errorf("of another workspace: %+v", a)
	}
}

// A revoked right is revoked at every replica, and after a restart.
func TestARevokedRightIsStored(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	got := w.mint(who, "reports")
	w.engine.Revoke(w.engine.LeasesOf(ada)[0].ID, access.Reason{Code: access.Revoked, Text: "it was revoked"})
	stored := eventually(func() bool {
		all, err := w.rows.RevokedTokens(t.Context())
		return err == nil && len(all) == 1
	})
	if !stored {
		t.Fatal("nothing is stored")
	}
	w.restart()
	if err := w.issuer.Revoked(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.refused(who, "reports", problem.Denied, "was revoked")
	if _, _, ok := w.issuer.Stands(t.Context(), w.read(got.Token)); ok {
		t.Error("the token stands after the restart")
	}
}

// Tokens end with what they rest on, whatever the audience says.
func TestATokenEndsWithItsGround(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	in := w.inWorkspace()
	who := w.agent(in, "claude", grant.Allowed{Action: identity.TokenMint, Kind: identity.KindAudience, Project: in.Project})
	w.engine.Publish(func(f access.Facts) access.Facts {
		g, _ := f.Grants.Grant(who.Delegation)
		short := *g
		short.Until = time.Now().Add(90 * time.Second)
		f.Grants = f.Grants.With([]grant.Grant{short})
		return f
	}, access.Touched{Users: []identity.UserID{ada}})
	if got := w.mint(who, "reports"); time.Until(got.Expires) > 91*time.Second {
		t.Errorf("good until %s, and the delegation ends in 90 s", got.Expires)
	}
	w.later(12*time.Hour - 3*time.Minute)
	if got := w.mint(in, "reports"); got.Expires.Sub(w.clock()) > 3*time.Minute+time.Second {
		t.Errorf("good until %s, and the sign-in ends in three minutes", got.Expires)
	}
}

// A sensitive audience takes a stronger sign-in, and the refusal says how.
func TestASensitiveAudienceTakesAStepUp(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	w.refused(w.inWorkspace(), "vault", problem.StepUpNeeded, "/step-up?code=c")
}

// What stands for Lanyard itself, for its assertions or for sign-ins is nothing to ask for.
func TestReservedAudiencesAreRefused(t *testing.T) {
	w := newWorld(t)
	for _, value := range []string{w.url, w.url + "/api", portal, issuer.CLI} {
		w.declare(map[string]string{"payments.yaml": strings.Replace(paymentsFile, "aud: https://reports.example.test", "aud: "+value, 1)})
		w.refused(w.inWorkspace(), "reports", problem.Conflict, "stands for Lanyard itself")
	}
}

// What the audience's service, or nobody, may do with a token.
func TestRevokingOneToken(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	one, two := w.mint(who, "reports"), w.mint(who, "reports")
	reports := &program{w: w, id: reportsServer, secret: reportsSecret}
	other := &program{w: w, id: portal, secret: portalSecret}
	if a := other.post(issuer.IntrospectionPath, url.Values{"token": {one.Token}}); a.Active {
		t.Errorf("another service learns of it: %+v", a)
	}
	for _, p := range []*program{other, w.program(issuer.CLI)} {
		if a := p.post(issuer.RevocationPath, url.Values{"token": {one.Token}}); a.Status != http.StatusOK || !w.introspected(one.Token).Active {
			t.Errorf("%s revoked it: %+v", p.id, a)
		}
	}
	if a := reports.post(issuer.RevocationPath, url.Values{"token": {one.Token}}); a.Status != http.StatusOK {
		t.Errorf("%+v", a)
	}
	if w.introspected(one.Token).Active || !w.introspected(two.Token).Active {
		t.Error("one of two was revoked, and not that")
	}
}

// A loop in a workspace does not fill the log.
func TestMintingIsBounded(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	for range 300 {
		w.mint(who, "reports")
	}
	w.refused(who, "reports", problem.TooMany, "try again in a minute")
	w.later(time.Minute)
	w.mint(who, "reports")
}

// Attack 12 and 34: a token of one kind is none of another, and nothing that came unsigned or signed otherwise is believed.
func TestAttack12MintedTokensAreOfTheirKind(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	who := w.inWorkspace()
	service, cloud := w.mint(who, "reports").Token, w.mint(who, "aws").Token
	p := w.program(issuer.CLI)
	for _, raw := range []string{service, cloud} {
		if a := p.me(raw, nil); a.Status != http.StatusUnauthorized {
			t.Errorf("Lanyard's API takes it: %+v", a)
		}
		parts := strings.Split(raw, ".")
		for what, forged := range map[string]string{
			"without a signature": parts[0] + "." + parts[1] + ".",
			"alg none":            "eyJhbGciOiJub25lIiwidHlwIjoibGFueWFyZC13b3JrbG9hZCtqd3QifQ." + parts[1] + ".",
			"another's signature": parts[0] + "." + parts[1] + "." + strings.Split(w.mint(who, "reports").Token, ".")[2],
		} {
			if _, err := w.issuer.Minted(t.Context(), forged); err == nil {
				t.Errorf("%s: believed", what)
			}
		}
	}
	if a := w.introspected(cloud); a.Active {
		t.Errorf("the token for a cloud is active for the reports: %+v", a)
	}
	code, verifier := w.code(portal, portalBack, nil)
	own := (&program{w: w, id: portal, secret: portalSecret}).post(issuer.TokenPath, byCode(code, verifier, portalBack))
	for _, raw := range []string{own.Access, own.ID} {
		if _, err := w.issuer.Minted(t.Context(), raw); err == nil {
			t.Error("Lanyard's own token is taken for a minted one")
		}
	}
}

// Where somebody asks from is asked each time, not only for the first token.
func TestAttack20TheRightOfAnotherPlace(t *testing.T) {
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile})
	policies, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "office.cedar", Text: `@id("office")
forbid (principal, action == Action::"token:mint", resource)
unless { context has ip && context.ip.isInRange(ip("10.0.0.0/8")) };`}}})
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Publish(func(f access.Facts) access.Facts { f.Policies = policies; return f }, access.Touched{All: true})
	who := w.inWorkspace()
	from := func(ip string) error {
		_, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: who, Audience: "reports", IP: ip})
		return err
	}
	for range 2 {
		if err := from("10.1.2.3"); err != nil {
			t.Errorf("from the office: %v", err)
		}
		if err := from("192.0.2.7"); problem.KindOf(err) != problem.Denied {
			t.Errorf("from elsewhere: %v", err)
		}
		if err := from("10.4.5.6"); err != nil {
			t.Errorf("from another place in the office: %v", err)
		}
	}
	if open := w.engine.LeasesOf(ada); len(open) != 1 {
		t.Errorf("open: %+v", open)
	}
}
