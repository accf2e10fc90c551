package issuer_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

const paymentsFile = `project: payments
roles:
  developer: ["00000000-0000-4000-9000-000000000001"]
repositories:
  - url: https://git.example.test/payments/api
resources:
  - app: ledger
    url: http://ledger.example.test
    assertion: {audience: ledger}
  - audience: reports
    aud: https://reports.example.test
  - audience: aws
    aud: sts.amazonaws.com
    kind: federation
    subject: project
    lifetime: 5m
  - audience: azure
    aud: api://AzureADTokenExchange
    kind: federation
  - audience: vault
    aud: vault.example.test
    sensitive: c1
`

// declare puts project files in force.
func (w *world) declare(files map[string]string) {
	w.t.Helper()
	parsed, err := project.Parse(project.Input{Tenant: tenant, Names: []project.Name{{Name: "payments", ID: "p-aaaaaaaaaaaaaaaa"}, {Name: "shop", ID: "p-bbbbbbbbbbbbbbbb"}},
		Revision: project.Revision{Projects: files}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.Publish(func(f access.Facts) access.Facts { f.Projects = parsed.Set; return f }, access.Touched{All: true})
}

// member puts Ada into the group of payments' developers, or takes her out.
func (w *world) member(is bool) {
	w.engine.Publish(func(f access.Facts) access.Facts {
		f.Directory, _ = f.Directory.With(directory.Change{Members: []directory.Membership{
			{Group: engineers, Member: directory.Member{User: ada}, Removed: !is},
		}})
		return f
	}, access.Touched{Users: []identity.UserID{ada}})
}

// inWorkspace is who asks from a workspace of Ada's in payments.
func (w *world) inWorkspace() identity.Principal {
	w.t.Helper()
	ws := identity.NewWorkspaceID()
	id, err := w.sessions.ForWorkspace(w.t.Context(), w.session, ws, "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		w.t.Fatal(err)
	}
	return identity.Principal{Kind: identity.Person, User: ada, Session: id, Workspace: ws, Project: "p-aaaaaaaaaaaaaaaa"}
}

// agent is who asks from an AI agent's tunnel, with what was delegated to it.
func (w *world) agent(in identity.Principal, name string, allowed ...grant.Allowed) identity.Principal {
	w.t.Helper()
	g := grant.Grant{ID: identity.NewGrantID(), Kind: grant.Delegation, User: in.User, Agent: name, Session: in.Session, Allowed: allowed,
		From: time.Now().Add(-time.Minute), Until: time.Now().Add(30 * time.Minute)}
	w.engine.Publish(func(f access.Facts) access.Facts {
		if f.Grants == nil {
			f.Grants = grant.NewSet(nil)
		}
		f.Grants = f.Grants.With([]grant.Grant{g})
		return f
	}, access.Touched{Users: []identity.UserID{ada}})
	row, err := w.sessions.ForAgent(w.t.Context(), in.Session, name, g.ID, audit.Event{Action: "agent:run"})
	if err != nil {
		w.t.Fatal(err)
	}
	return identity.Principal{Kind: identity.AIAgent, User: in.User, Session: row.ID, Workspace: in.Workspace, Project: in.Project, Agent: name, Delegation: g.ID}
}

// mint gets a token that has to be given.
func (w *world) mint(who identity.Principal, audience string) issuer.Minted {
	w.t.Helper()
	got, err := w.issuer.Mint(w.t.Context(), issuer.MintRequest{Principal: who, Audience: audience})
	if err != nil {
		w.t.Fatalf("%s: %v", audience, err)
	}
	return got
}

// refused gets none, and checks the kind of the refusal.
func (w *world) refused(who identity.Principal, audience string, kind problem.Kind, says string) {
	w.t.Helper()
	got, err := w.issuer.Mint(w.t.Context(), issuer.MintRequest{Principal: who, Audience: audience})
	if err == nil || problem.KindOf(err) != kind || !strings.Contains(problem.Message(err), says) {
		w.t.Errorf("%s: %+v, %v, want %s with %q", audience, got, err, kind, says)
	}
}

// claimsOf verifies a token as its receiver does, by the published keys, and gives header and claims.
func claimsOf(t *testing.T, w *world, raw string, alg jose.SignatureAlgorithm) (jose.Header, map[string]any) {
	t.Helper()
	parsed, err := jwt.ParseSigned(raw, []jose.SignatureAlgorithm{alg})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range w.keys.JWKS().Keys {
		claims := map[string]any{}
		if key.KeyID == parsed.Headers[0].KeyID && parsed.Claims(key.Key, &claims) == nil {
			return parsed.Headers[0], claims
		}
	}
	t.Fatalf("no key of the set verifies %s", raw)
	return jose.Header{}, nil
}

// server is the service that takes tokens for reports.
const (
	reportsServer = "reports-server"
	reportsSecret = "a-secret-of-the-reports-server"
)

func (w *world) introspected(raw string) answer {
	p := &program{w: w, id: reportsServer, secret: reportsSecret}
	return p.post(issuer.IntrospectionPath, url.Values{"token": {raw}})
}

// restart makes the issuer anew, with nothing in its memory.
func (w *world) restart() { w.issuer = issuer.New(w.config) }

// read is what a minted token says, whether or not it stands.
func (w *world) read(raw string) issuer.Claims {
	w.t.Helper()
	c, err := w.issuer.Minted(w.t.Context(), raw)
	if err != nil {
		w.t.Fatal(err)
	}
	return c
}

// eventually reports whether something holds within a generous time.
func eventually(holds func() bool) bool {
	for range 1000 {
		if holds() {
			return true
		}
		time.Sleep(10 * time.Millisecond)
	}
	return false
}
