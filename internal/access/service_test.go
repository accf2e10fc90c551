package access

import (
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// A prebuild reads its own repository, while the project's file wants prebuilds of it, and nothing else that policies permit
// to services.
func TestAttack30PrebuildsReadTheirRepositoryAlone(t *testing.T) {
	const wanted = "https://git.example.test/payments/api"
	more := strings.Replace(payments, wanted+"\n", wanted+"\n    prebuilds: true\n  - url: https://git.example.test/payments/other\n    prebuilds: true\n  - url: https://git.example.test/payments/plain\n", 1)
	w := newWorld(t)
	facts := func(file string) *Facts {
		next := *w.engine.Facts()
		next.Projects = w.projects(file)
		return &next
	}
	f := facts(more)
	p, _, ok := f.Projects.ForRepository(wanted)
	if !ok {
		t.Fatal("no project")
	}
	service := identity.Principal{Kind: identity.Service, Service: identity.PrebuildService("payments"), Project: p.ID, Repository: wanted}
	repo := func(url string) identity.Resource {
		return identity.Resource{Kind: identity.KindRepo, Name: url, Project: p.ID}
	}
	decide := func(f *Facts, who identity.Principal, a identity.Action, on identity.Resource) Effect {
		return Decide(f, Request{Principal: who, Action: a, Resource: on}, time.Now()).Effect
	}
	if decide(f, service, identity.RepoRead, repo(wanted)) != Allow {
		t.Errorf("it may not read its own: %+v", Decide(f, Request{Principal: service, Action: identity.RepoRead, Resource: repo(wanted)}, time.Now()))
	}
	none, foreign, unwanted, renamed := service, service, service, service
	none.Repository, foreign.Project, renamed.Service = "", "p-abcdefghij234567", "prebuild:other"
	unwanted.Repository = "https://git.example.test/payments/plain"
	for name, denied := range map[string]bool{
		"another repository":       decide(f, service, identity.RepoRead, repo("https://git.example.test/payments/other")) == Deny,
		"writing":                  decide(f, service, identity.RepoWrite, repo(wanted)) == Deny,
		"an app":                   decide(f, service, identity.AppCall, identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: p.ID}) == Deny,
		"a host":                   decide(f, service, identity.EgressConnect, identity.Resource{Kind: identity.KindEgress, Name: "example.test:443", Project: p.ID}) == Deny,
		"a token":                  decide(f, service, identity.TokenMint, identity.Resource{Kind: identity.KindAudience, Name: "x", Project: p.ID}) == Deny,
		"acting for none":          decide(f, none, identity.RepoRead, repo(wanted)) == Deny,
		"another project":          decide(f, foreign, identity.RepoRead, repo(wanted)) == Deny,
		"one without prebuilds":    decide(f, unwanted, identity.RepoRead, repo(unwanted.Repository)) == Deny,
		"another project's name":   decide(f, renamed, identity.RepoRead, repo(wanted)) == Deny,
		"prebuilds not wanted now": decide(facts(payments), service, identity.RepoRead, repo(wanted)) == Deny,
	} {
		if !denied {
			t.Errorf("%s is allowed", name)
		}
	}
}

// What administrators permit prebuilds to connect to they reach, as far as the project's file lists it; an app stays out of reach
// whatever is permitted.
func TestPoliciesLetPrebuildsGetPackages(t *testing.T) {
	const wanted = "https://git.example.test/payments/api"
	w := newWorld(t)
	f := *w.engine.Facts()
	f.Projects = w.projects(strings.Replace(payments, wanted+"\n", wanted+"\n    prebuilds: true\n", 1) + "workspace: {egress: [pkg.example.test]}\n")
	set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "prebuilds.cedar", Text: `@id("prebuilds-connect")
permit (principal == Service::"prebuild:payments", action in [Action::"registry:read", Action::"egress:connect"], resource);
@id("too-much")
permit (principal == Service::"prebuild:payments", action == Action::"app:call", resource);
`}}})
	if err != nil {
		t.Fatal(err)
	}
	f.Policies = set
	p, _, _ := f.Projects.ForRepository(wanted)
	service := identity.Principal{Kind: identity.Service, Service: identity.PrebuildService("payments"), Project: p.ID, Repository: wanted}
	for _, c := range []struct {
		action identity.Action
		on     identity.Resource
		want   Effect
	}{
		{identity.EgressConnect, identity.Resource{Kind: identity.KindEgress, Name: "pkg.example.test:443", Project: p.ID}, Allow},
		{identity.EgressConnect, identity.Resource{Kind: identity.KindEgress, Name: "other.example.test:443", Project: p.ID}, Deny},
		{identity.RegistryRead, identity.Resource{Kind: identity.KindRegistry, Name: "npm", Project: p.ID}, Allow},
		{identity.AppCall, identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: p.ID}, Deny},
	} {
		if d := Decide(&f, Request{Principal: service, Action: c.action, Resource: c.on}, time.Now()); d.Effect != c.want {
			t.Errorf("%s on %s: %+v", c.action, c.on, d)
		}
	}
}
