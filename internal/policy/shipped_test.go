package policy

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	tenant   = identity.TenantID("11111111-1111-1111-1111-111111111111")
	payments = identity.ProjectID("p-aaaaaaaaaaaaaaaa")
	ledger   = identity.ProjectID("p-bbbbbbbbbbbbbbbb")
)

func user(n int) identity.UserID {
	return identity.UserID{Tenant: tenant, Object: fmt.Sprintf("00000000-0000-0000-0000-%012d", n)}
}

var (
	vera, dev, mona, adam, audrey, stray = user(1), user(2), user(3), user(4), user(5), user(6)
)

// world is a Facts made of maps.
type world struct {
	roles  map[identity.UserID]map[identity.ProjectID]Role
	global map[identity.UserID]Role
	groups map[identity.UserID][]identity.GroupID
	needs  map[string]string // the authentication contexts of repositories
	given  map[identity.GroupID]time.Time
}

func (w world) InGroup(u identity.UserID, g identity.GroupID) bool {
	return slices.Contains(w.groups[u], g)
}
func (w world) Groups(u identity.UserID) []identity.GroupID { return w.groups[u] }

func (w world) ProjectRole(u identity.UserID, p identity.ProjectID) Role { return w.roles[u][p] }
func (w world) GlobalRole(u identity.UserID, r Role) bool                { return w.global[u] == r }
func (w world) Approved(_ identity.UserID, _ identity.Action, _ identity.Resource, by identity.GroupID) (time.Time, bool) {
	until, ok := w.given[by]
	return until, ok
}
func (w world) Sensitive(r identity.Resource) string { return w.needs[r.Name] }
func (w world) ProjectName(p identity.ProjectID) string {
	return map[identity.ProjectID]string{payments: "payments", ledger: "ledger"}[p]
}

func sample() world {
	return world{
		roles: map[identity.UserID]map[identity.ProjectID]Role{
			vera: {payments: Viewer}, dev: {payments: Developer}, mona: {payments: Maintainer},
		},
		global: map[identity.UserID]Role{adam: Admin, audrey: Auditor},
		groups: map[identity.UserID][]identity.GroupID{},
	}
}

func person(u identity.UserID) identity.Principal {
	return identity.Principal{Kind: identity.Person, User: u, Session: "s-x"}
}

func mustParse(t testing.TB, files ...File) *Set {
	t.Helper()
	s, err := Parse(Source{Tenant: tenant, Files: files})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestShippedMeaning holds what each role may do: for every principal and every resource, the exact list of
// actions. Whatever is not in the table is denied.
func TestShippedMeaning(t *testing.T) {
	set, facts := mustParse(t), sample()
	repo := identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/api", Project: payments}
	app := identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: payments}
	project := identity.Resource{Kind: identity.KindProject, Name: string(payments), Project: payments}
	devs := identity.Resource{Kind: identity.KindWorkspace, Name: "w-dev", Project: payments, Owner: dev}
	strays := identity.Resource{Kind: identity.KindWorkspace, Name: "w-stray", Project: payments, Owner: stray}
	all := identity.Installation()
	veras := identity.Resource{Kind: identity.KindGrant, Name: "g-vera", Project: payments, Owner: vera}
	adams := identity.Resource{Kind: identity.KindGrant, Name: "g-adam", Project: payments, Owner: adam}

	type row map[identity.Resource][]identity.Action
	allowed := map[identity.Principal]row{
		person(vera): {
			project: {identity.ProjectView, identity.WorkspaceCreate, identity.WorkspaceList, identity.EnvList},
			repo:    {identity.RepoRead, identity.WorkspaceCreate},
			app:     {identity.AppView},
		},
		person(dev): {
			project: {identity.ProjectView, identity.WorkspaceCreate, identity.WorkspaceList, identity.EnvList},
			repo:    {identity.RepoRead, identity.RepoWrite, identity.RepoTag, identity.RepoForce, identity.RepoDelete, identity.WorkspaceCreate},
			app:     {identity.AppCall, identity.AppView},
			devs: {identity.WorkspaceOpen, identity.AgentRun, identity.WorkspaceStart, identity.WorkspaceStop,
				identity.WorkspaceList, identity.WorkspaceDelete, identity.EnvList, identity.EnvSet, identity.EnvSecret},
		},
		person(mona): {
			project: {identity.ProjectView, identity.WorkspaceCreate, identity.WorkspaceList, identity.EnvList, identity.EnvSet},
			repo: {identity.RepoRead, identity.RepoWrite, identity.RepoTag, identity.RepoForce, identity.RepoDelete,
				identity.RepoMaintain, identity.WorkspaceCreate},
			app:    {identity.AppCall, identity.AppView},
			devs:   {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete},
			strays: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete},
		},
		person(stray): {
			strays: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete},
		},
		person(adam): {
			project: {identity.ProjectView, identity.WorkspaceList, identity.LeaseList, identity.LeaseRevoke},
			devs: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete, identity.WorkspaceExport,
				identity.LeaseList, identity.LeaseRevoke},
			strays: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete, identity.WorkspaceExport,
				identity.LeaseList, identity.LeaseRevoke},
			all:                 {identity.WorkspaceList, identity.LeaseList, identity.LeaseRevoke, identity.DirectoryRead, identity.DirectoryProvision},
			identity.Own(vera):  {identity.LeaseList, identity.LeaseRevoke},
			identity.Own(stray): {identity.LeaseList, identity.LeaseRevoke},
		},
		person(audrey): {
			project:             {identity.ProjectView, identity.LeaseList, identity.AuditRead, identity.DecisionExplain},
			devs:                {identity.LeaseList, identity.AuditRead, identity.DecisionExplain},
			strays:              {identity.LeaseList, identity.AuditRead, identity.DecisionExplain},
			all:                 {identity.LeaseList, identity.AuditRead, identity.DirectoryRead, identity.DecisionExplain},
			identity.Own(vera):  {identity.LeaseList, identity.AuditRead, identity.DecisionExplain},
			identity.Own(stray): {identity.LeaseList, identity.AuditRead, identity.DecisionExplain},
		},
		{Kind: identity.Operator}: {
			project: {identity.ProjectView, identity.WorkspaceList, identity.LeaseList, identity.LeaseRevoke,
				identity.AuditRead, identity.DecisionExplain},
			devs: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete,
				identity.LeaseList, identity.LeaseRevoke, identity.AuditRead, identity.DecisionExplain},
			strays: {identity.WorkspaceStop, identity.WorkspaceList, identity.WorkspaceDelete,
				identity.LeaseList, identity.LeaseRevoke, identity.AuditRead, identity.DecisionExplain},
			all: {identity.WorkspaceList, identity.LeaseList, identity.LeaseRevoke,
				identity.AuditRead, identity.DirectoryRead, identity.DirectoryProvision, identity.DecisionExplain},
			identity.Own(vera):  {identity.LeaseList, identity.LeaseRevoke, identity.AuditRead, identity.DecisionExplain},
			identity.Own(stray): {identity.LeaseList, identity.LeaseRevoke, identity.AuditRead, identity.DecisionExplain},
		},
		{Kind: identity.Service, Service: "sync"}: {repo: {identity.RepoRead}}, // which repository it acts for is looked at besides
		{}:                      {},
		{Kind: identity.Person}: {}, // a person without an ID is nobody
	}
	own := []identity.Action{identity.SelfView, identity.SelfSignOut, identity.SelfConnect, identity.SelfRegistry, identity.SelfStepUp, identity.SelfAuthorize, identity.EnvList, identity.EnvSet, identity.LeaseList, identity.LeaseRevoke,
		identity.DecisionExplain, identity.AuditRead, identity.GrantList, identity.GrantRequest, identity.GrantDelegate, identity.GrantRevoke}
	grants := map[identity.Principal]row{
		person(vera): {veras: {identity.GrantRevoke}, adams: {identity.GrantApprove}},
		person(adam): {
			veras:   {identity.GrantList, identity.GrantRevoke, identity.GrantApprove, identity.GrantBreakGlass},
			adams:   {identity.GrantList, identity.GrantRevoke}, // an administrator neither approves nor breaks the glass for themselves
			project: {identity.GrantList, identity.GrantRevoke, identity.GrantBreakGlass},
			all:     {identity.GrantList, identity.GrantRevoke}, identity.Own(vera): {identity.GrantList, identity.GrantRevoke},
			identity.Own(stray): {identity.GrantList, identity.GrantRevoke},
		},
		person(audrey): {
			veras: {identity.GrantList, identity.GrantApprove}, adams: {identity.GrantList, identity.GrantApprove},
			project: {identity.GrantList}, all: {identity.GrantList}, identity.Own(vera): {identity.GrantList}, identity.Own(stray): {identity.GrantList},
		},
		{Kind: identity.Operator}: {
			veras:   {identity.GrantList, identity.GrantRevoke, identity.GrantBreakGlass},
			adams:   {identity.GrantList, identity.GrantRevoke, identity.GrantBreakGlass},
			project: {identity.GrantList, identity.GrantRevoke, identity.GrantBreakGlass},
			all:     {identity.GrantList, identity.GrantRevoke}, identity.Own(vera): {identity.GrantList, identity.GrantRevoke},
			identity.Own(stray): {identity.GrantList, identity.GrantRevoke},
		},
	}
	for principal, rows := range allowed {
		if !principal.User.IsZero() {
			rows[veras], rows[adams] = []identity.Action{identity.GrantApprove}, []identity.Action{identity.GrantApprove}
		}
		for resource, more := range grants[principal] {
			if resource == veras || resource == adams {
				rows[resource] = nil
			}
			rows[resource] = append(slices.Clone(rows[resource]), more...)
		}
		if !principal.User.IsZero() {
			rows[identity.Own(principal.User)] = own
		}
		resources := []identity.Resource{project, repo, app, devs, strays, all, veras, adams, identity.Own(vera), identity.Own(stray), {}}
		if !principal.User.IsZero() {
			resources = append(resources, identity.Own(principal.User))
		}
		for _, resource := range resources {
			for _, action := range actions {
				want := slices.Contains(rows[resource], action)
				got := set.Decide(Input{Principal: principal, Action: action, Resource: resource, Now: time.Now()}, facts)
				if got.Allow != want {
					t.Errorf("%s %s: %s on %s: got %+v, want allow=%v", principal.Kind, principal.User, action, resource, got, want)
				}
				if got.Allow && len(got.Policies) == 0 {
					t.Errorf("%s on %s is allowed by no policy", action, resource)
				}
			}
		}
	}
}

var actions = []identity.Action{
	identity.ProjectView, identity.RepoRead, identity.RepoWrite, identity.RepoTag, identity.RepoForce, identity.RepoDelete,
	identity.RepoMaintain, identity.AppCall, identity.AppView, identity.WorkspaceCreate,
	identity.WorkspaceList, identity.WorkspaceOpen, identity.WorkspaceStart, identity.WorkspaceStop,
	identity.WorkspaceDelete, identity.WorkspaceExport, identity.LeaseList, identity.LeaseRevoke, identity.AuditRead, identity.DirectoryRead, identity.DirectoryProvision,
	identity.DecisionExplain, identity.SelfView, identity.SelfSignOut, identity.SelfConnect, identity.SelfRegistry, identity.SelfStepUp, identity.SelfAuthorize, identity.GrantList, identity.GrantRequest,
	identity.GrantApprove, identity.GrantRevoke, identity.GrantDelegate, identity.GrantBreakGlass,
	identity.AgentRun, identity.AgentShare, identity.TokenMint, identity.EnvList, identity.EnvSet, identity.EnvSecret, identity.RegistryRead, identity.RegistryPublish, identity.EgressConnect,
}

func TestEveryActionIsInTheSchema(t *testing.T) {
	set := mustParse(t)
	for _, a := range actions {
		if set.slices[a] == nil {
			t.Errorf("the schema lacks %s", a)
		}
	}
	if len(set.slices) != len(actions) {
		t.Errorf("the schema has %d actions, identity %d", len(set.slices), len(actions))
	}
}

// Invariant 10: whatever an administrator permits, a workspace is opened by its owner alone.
func TestNobodyOpensAnothersWorkspace(t *testing.T) {
	set := mustParse(t, File{Name: "generous.cedar", Text: `@id("all") permit (principal, action, resource);`})
	facts := sample()
	r := identity.Resource{Kind: identity.KindWorkspace, Name: "w-x", Project: payments, Owner: dev}
	for _, p := range []identity.Principal{person(mona), person(adam), {Kind: identity.Operator}, {Kind: identity.Service}, {}} {
		v := set.Decide(Input{Principal: p, Action: identity.WorkspaceOpen, Resource: r}, facts)
		if v.Allow || !slices.Equal(v.Policies, []string{"only-owners-open"}) {
			t.Errorf("%v: %+v", p, v)
		}
	}
	if v := set.Decide(Input{Principal: person(dev), Action: identity.WorkspaceOpen, Resource: r}, facts); !v.Allow {
		t.Errorf("the owner: %+v", v)
	}
	r.Owner = identity.UserID{}
	if v := set.Decide(Input{Principal: person(dev), Action: identity.WorkspaceOpen, Resource: r}, facts); v.Allow || len(v.Errors) == 0 {
		t.Errorf("without an owner: %+v", v)
	}
}
