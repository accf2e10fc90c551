package issuer_test

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/session"
)

const (
	grantExchange = "urn:ietf:params:oauth:grant-type:token-exchange"
	typeAccess    = "urn:ietf:params:oauth:token-type:access_token"
	typeJWT       = "urn:ietf:params:oauth:token-type:jwt"

	planner       = "planner"
	plannerSecret = "a-secret-of-the-planner"

	// moreAudiences are what the planner is, what it may exchange for, and what it may not.
	moreAudiences = `  - audience: planner
    aud: https://planner.example.test
  - audience: storage
    aud: https://storage.example.test
  - audience: payroll
    aud: https://payroll.example.test
`
	shopFile = `project: shop
roles:
  developer: ["00000000-0000-4000-9000-000000000001"]
resources:
  - audience: shop-storage
    aud: https://shop.example.test
`
)

// mayMint is a line of a delegation: tokens for an audience of payments; without a name for all of them.
func mayMint(audience string) grant.Allowed {
	return grant.Allowed{Action: identity.TokenMint, Kind: identity.KindAudience, Name: audience, Project: "p-aaaaaaaaaaaaaaaa"}
}

// exchange is what a client asks for.
func exchange(subject, audience string, more url.Values) url.Values {
	form := url.Values{"grant_type": {grantExchange}, "subject_token": {subject}, "subject_token_type": {typeAccess}, "audience": {audience}}
	for name, values := range more {
		form[name] = values
	}
	return form
}

func withActor(actor string) url.Values {
	return url.Values{"actor_token": {actor}, "actor_token_type": {typeJWT}}
}

// exchanging is a world with projects, and the planner.
func exchanging(t *testing.T) (*world, *program) {
	t.Helper()
	w := newWorld(t)
	w.declare(map[string]string{"payments.yaml": paymentsFile + moreAudiences, "shop.yaml": shopFile})
	w.member(true)
	return w, &program{w: w, id: planner, secret: plannerSecret}
}

// The command on somebody's laptop gets a token for a service, bound to its key.
func TestExchangeOfThePersonsOwnToken(t *testing.T) {
	w, _ := exchanging(t)
	p := w.program(issuer.CLI)
	code, verifier := w.code(issuer.CLI, laptop, nil)
	own := p.post(issuer.TokenPath, byCode(code, verifier, laptop))
	got := p.post(issuer.TokenPath, exchange(own.Access, "storage", nil))
	if got.Status != http.StatusOK || got.Type != "DPoP" || got.Expires < 590 || !strings.Contains(got.Text, `"issued_token_type":"`+typeAccess+`"`) {
		t.Fatalf("%+v", got)
	}
	_, claims := claimsOf(t, w, got.Access, jose.ES256)
	if claims["aud"] != "https://storage.example.test" || claims["sub"] != "u-"+ada.Object || claims["client_id"] != issuer.CLI || claims["act"] != nil ||
		claims["cnf"] == nil || claims["project"] != "payments" {
		t.Errorf("%v", claims)
	}
	byResource := exchange(own.Access, "", url.Values{"resource": {"https://storage.example.test"}, "requested_token_type": {typeJWT}})
	byResource.Del("audience")
	if got := p.post(issuer.TokenPath, byResource); got.Status != http.StatusOK || !strings.Contains(got.Text, `"issued_token_type":"`+typeJWT+`"`) {
		t.Errorf("by its resource: %+v", got)
	}
	w.member(false)
	if got := p.post(issuer.TokenPath, exchange(own.Access, "storage", nil)); got.Error != "invalid_target" {
		t.Errorf("after the role was taken away: %+v", got)
	}
}

// A service that was called with a token goes on to the next one: as itself for the person, with the person's rights.
func TestExchangeByAService(t *testing.T) {
	w, p := exchanging(t)
	called := w.mint(w.inWorkspace(), "planner")
	got := p.post(issuer.TokenPath, exchange(called.Token, "https://storage.example.test", nil))
	if got.Status != http.StatusOK || got.Type != "Bearer" {
		t.Fatalf("%+v", got)
	}
	_, claims := claimsOf(t, w, got.Access, jose.ES256)
	if act, _ := claims["act"].(map[string]any); act["sub"] != issuer.ClientSubject(planner) || act["act"] != nil || claims["sub"] != "u-"+ada.Object || claims["client_id"] != planner {
		t.Errorf("%v", claims)
	}
	if end, _ := claims["exp"].(float64); int64(end) > called.Expires.Unix() {
		t.Errorf("it outlives what it was exchanged for: %v after %v", end, called.Expires)
	}
	if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool {
		return e.Action == string(identity.TokenMint) && e.Outcome == audit.Done && e.Detail["client"] == planner && e.User.Object == ada.Object
	}) {
		t.Error("the log does not say who exchanged")
	}
}

// An AI agent's token beside its person's: what comes of it is the agent's for the person, within the delegation.
func TestExchangeForAnAgent(t *testing.T) {
	w, p := exchanging(t)
	in := w.inWorkspace()
	storage := identity.Resource{Kind: identity.KindAudience, Name: "storage", Project: in.Project}
	fixer := w.agent(in, "fixer", mayMint("planner"), mayMint("storage"))
	person, agent := w.mint(in, "planner"), w.mint(fixer, "planner")

	got := p.post(issuer.TokenPath, exchange(person.Token, "storage", withActor(agent.Token)))
	if got.Status != http.StatusOK {
		t.Fatalf("%+v", got)
	}
	_, claims := claimsOf(t, w, got.Access, jose.ES256)
	act, _ := claims["act"].(map[string]any)
	if claims["sub"] != "u-"+ada.Object || act["sub"] != issuer.AgentSubject("fixer") || act["sid"] != string(fixer.Session) || act["act"] != nil {
		t.Errorf("%v", claims)
	}
	if !slices.ContainsFunc(w.audit.all(), func(e audit.Event) bool {
		return e.Action == string(identity.TokenMint) && e.Actor == "agent:fixer" && e.User.Object == ada.Object && e.Resource == storage.String()
	}) {
		t.Error("the log does not name person and agent")
	}

	t.Run("who acted before stays in the chain", func(t *testing.T) {
		helper := w.agent(in, "helper", mayMint(""))
		next := p.post(issuer.TokenPath, exchange(agent.Token, "storage", withActor(w.mint(helper, "planner").Token)))
		if next.Status != http.StatusOK {
			t.Fatalf("%+v", next)
		}
		_, claims := claimsOf(t, w, next.Access, jose.ES256)
		outer, _ := claims["act"].(map[string]any)
		inner, _ := outer["act"].(map[string]any)
		if outer["sub"] != "agent:helper" || inner["sub"] != "agent:fixer" {
			t.Errorf("%v", claims)
		}
	})
	t.Run("a service that an agent called acts for it", func(t *testing.T) {
		next := p.post(issuer.TokenPath, exchange(agent.Token, "storage", nil))
		if next.Status != http.StatusOK {
			t.Fatalf("%+v", next)
		}
		_, claims := claimsOf(t, w, next.Access, jose.ES256)
		outer, _ := claims["act"].(map[string]any)
		inner, _ := outer["act"].(map[string]any)
		if outer["sub"] != "client:planner" || inner["sub"] != "agent:fixer" {
			t.Errorf("%v", claims)
		}
	})
	t.Run("it ends with its delegation", func(t *testing.T) {
		w.sessions.EndSession(t.Context(), fixer.Session, "its time is over")
		if again := p.post(issuer.TokenPath, exchange(person.Token, "storage", withActor(agent.Token))); again.Error != "invalid_request" {
			t.Errorf("%+v", again)
		}
	})
}

// An exchange that would widen what somebody has is refused, and stands in the log (SECURITY row 34: no unsigned or foreign
// actor is believed).
func TestAttack34ExchangeThatWidens(t *testing.T) {
	w, p := exchanging(t)
	in := w.inWorkspace()
	narrow := w.agent(in, "narrow", mayMint("planner"))
	wide := w.agent(in, "wide", mayMint(""))
	person, agent, wider := w.mint(in, "planner"), w.mint(narrow, "planner"), w.mint(wide, "planner")
	scoped, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: in, Audience: "planner", Scope: "read"})
	if err != nil {
		t.Fatal(err)
	}
	only, err := w.issuer.Mint(t.Context(), issuer.MintRequest{Principal: in, Audience: "planner", MayAct: "agent:wide"})
	if err != nil {
		t.Fatal(err)
	}
	cloud, elsewhere := w.mint(in, "aws"), w.mint(in, "storage")
	other := &program{w: w, id: portal, secret: portalSecret}
	code, verifier := w.code(portal, portalBack, nil)
	theirs := other.post(issuer.TokenPath, byCode(code, verifier, portalBack))
	cli, thief := w.program(issuer.CLI), w.program(issuer.CLI)
	code, verifier = w.code(issuer.CLI, laptop, nil)
	own := cli.post(issuer.TokenPath, byCode(code, verifier, laptop))

	for name, c := range map[string]struct {
		by   *program
		form url.Values
		want string
	}{
		"what the delegation lacks":               {p, exchange(person.Token, "storage", withActor(agent.Token)), "invalid_target"},
		"what the agent lacks, through a service": {p, exchange(agent.Token, "storage", nil), "invalid_target"},
		"what the client may not":                 {p, exchange(person.Token, "payroll", nil), "invalid_target"},
		"beyond the workspace's project":          {p, exchange(person.Token, "shop-storage", nil), "invalid_target"},
		"Lanyard itself":                          {p, exchange(person.Token, w.url, nil), "invalid_target"},
		"a wider scope":                           {p, exchange(scoped.Token, "storage", url.Values{"scope": {"read write"}}), "invalid_scope"},
		"another actor than may act":              {p, exchange(only.Token, "storage", withActor(agent.Token)), "invalid_request"},
		"the client, where an agent may act":      {p, exchange(only.Token, "storage", nil), "invalid_request"},
		"a person as the actor":                   {p, exchange(person.Token, "storage", withActor(person.Token)), "invalid_request"},
		"a token of another audience":             {p, exchange(elsewhere.Token, "storage", nil), "invalid_request"},
		"a token for a cloud":                     {p, exchange(cloud.Token, "storage", nil), "invalid_request"},
		"another client's access token":           {p, exchange(theirs.Access, "storage", nil), "invalid_request"},
		"an ID token":                             {p, exchange(theirs.ID, "storage", nil), "invalid_request"},
		"the command's token at a service":        {p, exchange(own.Access, "storage", nil), "invalid_request"},
		"a service's token at the command":        {cli, exchange(person.Token, "storage", nil), "invalid_request"},
		"the command's token with another key":    {thief, exchange(own.Access, "storage", nil), "invalid_dpop_proof"},
		"a client that exchanges nothing":         {other, exchange(theirs.Access, "storage", nil), "unauthorized_client"},
		"an unsigned token":                       {p, exchange(unsigned(person.Token), "storage", nil), "invalid_request"},
		"an unsigned actor":                       {p, exchange(person.Token, "storage", withActor(unsigned(wider.Token))), "invalid_request"},
		"two audiences":                           {p, exchange(person.Token, "storage", url.Values{"resource": {"https://payroll.example.test"}}), "invalid_target"},
		"a resource that is none":                 {p, exchange(person.Token, "storage", url.Values{"resource": {"storage"}}), "invalid_target"},
		"no audience":                             {p, url.Values{"grant_type": {grantExchange}, "subject_token": {person.Token}, "subject_token_type": {typeJWT}}, "invalid_request"},
		"no subject":                              {p, exchange("", "storage", nil), "invalid_request"},
		"no type":                                 {p, exchange(person.Token, "storage", url.Values{"subject_token_type": {""}}), "invalid_request"},
		"an actor without type":                   {p, exchange(person.Token, "storage", url.Values{"actor_token": {wider.Token}}), "invalid_request"},
		"a refresh token in return":               {p, exchange(person.Token, "storage", url.Values{"requested_token_type": {"urn:ietf:params:oauth:token-type:refresh_token"}}), "invalid_request"},
	} {
		before := len(w.audit.all())
		if a := c.by.post(issuer.TokenPath, c.form); a.Error != c.want || a.Status != http.StatusBadRequest || a.Access != "" {
			t.Errorf("%s: %+v", name, a)
		}
		if !slices.ContainsFunc(w.audit.all()[before:], func(e audit.Event) bool { return e.Outcome == audit.Denied && e.Action == "oauth:token" }) {
			t.Errorf("%s: not in the log", name)
		}
	}
	if a := p.post(issuer.TokenPath, exchange(only.Token, "storage", withActor(wider.Token))); a.Status != http.StatusOK {
		t.Errorf("who may act: %+v", a)
	}
	if a := p.post(issuer.TokenPath, exchange(scoped.Token, "storage", nil)); a.Status != http.StatusOK || !strings.Contains(a.Text, `"scope":"read"`) {
		t.Errorf("the scope goes along: %+v", a)
	}
}

// An AI agent that acts for somebody else gives nobody's rights to it.
func TestAttack34AgentOfAnotherPerson(t *testing.T) {
	w, p := exchanging(t)
	in := w.inWorkspace()
	subject := w.mint(in, "planner")
	eve := identity.UserID{Tenant: tenant, Object: "0f1d7c5a-7a0e-4a5c-9a7c-2f1b6f1c9e11"}
	w.engine.Publish(func(f access.Facts) access.Facts {
		f.Directory, _ = f.Directory.With(directory.Change{Users: []directory.User{{ID: eve, Name: "Eve", Enabled: true}},
			Members: []directory.Membership{{Group: engineers, Member: directory.Member{User: eve}}}})
		return f
	}, access.Touched{Users: []identity.UserID{eve}})
	row, _, err := w.sessions.Begin(t.Context(), session.SignIn{User: eve, Name: "Eve", At: w.clock()}, w.url, audit.Event{Action: "signin"})
	if err != nil {
		t.Fatal(err)
	}
	hers := identity.Principal{Kind: identity.Person, User: eve, Workspace: identity.NewWorkspaceID(), Project: in.Project}
	if hers.Session, err = w.sessions.ForWorkspace(t.Context(), row.ID, hers.Workspace, hers.Project); err != nil {
		t.Fatal(err)
	}
	token := w.mint(w.agent(hers, "hers", mayMint("")), "planner")
	if a := p.post(issuer.TokenPath, exchange(subject.Token, "storage", withActor(token.Token))); a.Error != "invalid_request" || !strings.Contains(a.Description, "somebody else") {
		t.Errorf("%+v", a)
	}
}

// Nothing is given for a token that has ended, was revoked, or whose session is over.
func TestAttack34ExchangeOfWhatHasEnded(t *testing.T) {
	w, p := exchanging(t)
	in := w.inWorkspace()
	revoked, old := w.mint(in, "planner"), w.mint(in, "planner")
	if a := p.post(issuer.RevocationPath, url.Values{"token": {revoked.Token}}); a.Status != http.StatusOK {
		t.Fatalf("%+v", a)
	}
	if a := p.post(issuer.TokenPath, exchange(revoked.Token, "storage", nil)); a.Error != "invalid_request" {
		t.Errorf("revoked: %+v", a)
	}
	if a := p.post(issuer.TokenPath, exchange(old.Token, "storage", nil)); a.Status != http.StatusOK {
		t.Errorf("another one: %+v", a)
	}
	w.later(11 * time.Minute)
	if a := p.post(issuer.TokenPath, exchange(old.Token, "storage", nil)); a.Error != "invalid_request" {
		t.Errorf("ended: %+v", a)
	}
	last := w.mint(in, "planner")
	w.sessions.EndUser(t.Context(), ada, "the operator ended it")
	if a := p.post(issuer.TokenPath, exchange(last.Token, "storage", nil)); a.Error != "invalid_request" {
		t.Errorf("after the sign-in: %+v", a)
	}
}

// unsigned is a token with the claims of another one and no signature (RFC 8725 section 2.1).
func unsigned(raw string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"`+issuer.WorkloadType+`"}`)) + "." + strings.Split(raw, ".")[1] + "."
}

func (e *events) all() []audit.Event {
	e.mu.Lock()
	defer e.mu.Unlock()
	return slices.Clone(e.list)
}
