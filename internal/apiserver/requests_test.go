package apiserver

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/source"
	"github.com/lanyardhq/lanyard/internal/store/storetest"
)

const legacyURL = "https://git.example.test/payments/legacy"

var (
	leads  = groupN(5) // may approve; who is in the nested group may too
	seats  = groupN(6) // in leads
	admins = groupN(7)
)

const hotfixes = `@id("hotfixes")
@approval("00000000-0000-4000-9000-000000000005")
forbid (principal, action == Action::"repo:write", resource == Repo::"https://git.example.test/payments/legacy");
`

// startGrants gives the world a manager of grants on a real database.
func (w *world) startGrants() {
	db := storetest.SQLite(w.t).Open(w.t, "test")
	w.grants = grant.NewManager(grant.Config{
		Rows: &failing{Rows: db, down: &w.grantsDown}, Log: slog.New(slog.DiscardHandler),
		Publish: func(set *grant.Set, users []identity.UserID, _ feed.Seq) {
			w.engine.Publish(func(f access.Facts) access.Facts { f.Grants = set; return f }, access.Touched{Users: users})
		},
	})
	if err := w.grants.Load(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// failing is a store of grants that can be down.
type failing struct {
	grant.Rows
	down *atomic.Bool
}

func (f *failing) DecideRequest(ctx context.Context, q grant.Request, g []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	if f.down.Load() {
		return 0, errors.New("the database is down")
	}
	return f.Rows.DecideRequest(ctx, q, g, e, events...)
}

func (f *failing) SaveGrants(ctx context.Context, g []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	if f.down.Load() {
		return 0, errors.New("the database is down")
	}
	return f.Rows.SaveGrants(ctx, g, e, events...)
}

// guarded is a world in which pushes to one repository need approval, and mallory is an administrator. Approvers are
// barbara by a nested group, and ada, who also asks.
func guarded(t *testing.T) *world {
	w := newWorld(t)
	set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "hotfixes.cedar", Text: hotfixes}}})
	if err != nil {
		t.Fatal(err)
	}
	result, err := project.Parse(project.Input{
		Revision: project.Revision{Number: 1, Projects: map[string]string{"payments.yaml": payments}},
		Names:    []project.Name{{Name: "payments", ID: projectID}}, Tenant: tenant,
		Global: map[project.Role][]source.Located{project.Auditor: {{Text: auditors.Object}}, project.Admin: {{Text: admins.Object}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.engine.Publish(func(f access.Facts) access.Facts {
		f.Policies, f.Projects = set, result.Set
		return f
	}, access.Touched{All: true})
	w.change(directory.Change{
		AsOf: time.Now(),
		Groups: []directory.Group{
			{ID: leads, Name: "payments-leads", Security: true}, {ID: seats, Name: "seats", Security: true},
			{ID: admins, Name: "admins", Security: true, Assigned: true},
		},
		Members: []directory.Membership{
			{Group: leads, Member: directory.Member{User: ada}}, {Group: leads, Member: directory.Member{Group: seats}},
			{Group: seats, Member: directory.Member{User: barbara}}, {Group: admins, Member: directory.Member{User: mallory}},
		},
	})
	return w
}

func hotfix() api.Ask {
	return api.Ask{Action: "repo:write", Resource: legacyURL, Why: "ticket 4711", For: "2h"}
}

func (w *world) ask(u identity.UserID) api.Request {
	w.t.Helper()
	q, err := w.as(u).Ask(w.t.Context(), hotfix())
	if err != nil {
		w.t.Fatal(err)
	}
	return q
}

func (w *world) write(u identity.UserID) access.Request {
	return access.Request{Principal: person(u), Action: identity.RepoWrite,
		Resource: identity.Resource{Kind: identity.KindRepo, Name: legacyURL, Project: projectID}}
}

func (w *world) mayWrite(u identity.UserID) bool {
	return w.engine.Explain(w.t.Context(), w.write(u)).Effect == access.Allow
}

// TestAskApproveRevoke goes the whole way, with an open lease that ends with the grant.
func TestAskApproveRevoke(t *testing.T) {
	w := guarded(t)
	ctx := t.Context()
	q := w.ask(ada)
	if q.State != "pending" || q.Approvers != "payments-leads" || q.For != "2h" || q.MayDecide || q.UserName != "Ada Lovelace" || w.mayWrite(ada) {
		t.Fatalf("%+v", q)
	}
	waiting, err := w.as(barbara).Requests(ctx, "to-approve")
	if err != nil || len(waiting) != 1 || waiting[0].ID != q.ID || !waiting[0].MayDecide {
		t.Fatalf("%+v, %v", waiting, err)
	}
	if _, err := w.as(barbara).Approve(ctx, q.ID, api.Answer{For: "3h"}); status(err) != http.StatusBadRequest {
		t.Errorf("lengthened: %v", err)
	}
	q, err = w.as(barbara).Approve(ctx, q.ID, api.Answer{For: "1h", Why: "go"})
	if err != nil || q.State != "approved" || q.ByName != "Barbara Liskov" || q.Until.Sub(q.Decided) != time.Hour || !w.mayWrite(ada) {
		t.Fatalf("%+v, %v", q, err)
	}
	if w.mayWrite(barbara) {
		t.Error("the grant is somebody else's too")
	}
	leaseCtx, lease, err := w.engine.Open(ctx, w.write(ada), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer lease.End()
	if until := lease.Decision().Until; until.After(q.Until) {
		t.Errorf("the lease is decided again at %s, and the grant ends at %s", until, q.Until)
	}
	for _, one := range []struct {
		name string
		who  identity.UserID
		want int
	}{{"who has it", ada, 1}, {"who gave it", barbara, 1}, {"a stranger", linus, 0}} {
		if list, err := w.as(one.who).Grants(ctx, ""); err != nil || len(list) != one.want {
			t.Errorf("%s: %+v, %v", one.name, list, err)
		}
	}
	if list, err := w.as(edith).Grants(ctx, "*"); err != nil || len(list) != 1 || list[0].Allowed[0] != "repo:write repo "+legacyURL {
		t.Errorf("the auditor: %+v, %v", list, err)
	}
	for _, who := range []identity.UserID{linus, edith} { // to see is not to end
		_, err := w.as(who).Revoke(ctx, api.Revoke{Kind: api.RevokeGrant, ID: q.ID})
		_, none := w.as(who).Revoke(ctx, api.Revoke{Kind: api.RevokeGrant, ID: "g-aaaaaaaaaaaaaaaa"})
		if status(err) != http.StatusNotFound || strings.ReplaceAll(err.Error(), q.ID, "") != strings.ReplaceAll(none.Error(), "g-aaaaaaaaaaaaaaaa", "") {
			t.Errorf("revoked by a stranger: %v; of one that is not there: %v", err, none)
		}
	}
	done, err := w.as(barbara).Revoke(ctx, api.Revoke{Kind: api.RevokeGrant, ID: q.ID})
	if err != nil || done.Grants != 1 || done.Leases != 1 || !done.Recorded || w.mayWrite(ada) {
		t.Fatalf("%+v, %v", done, err)
	}
	select {
	case <-leaseCtx.Done():
	case <-time.After(10 * time.Second):
		t.Fatal("the lease is still open")
	}
	if said := lease.Reason().Text; !strings.Contains(said, q.ID) || !strings.Contains(said, "Barbara Liskov ended this access") {
		t.Errorf("the lease was told: %s", said)
	}
}

// TestWhoMayEndAGrant ends one as its holder, as an administrator and as the operator.
func TestWhoMayEndAGrant(t *testing.T) {
	w := guarded(t)
	for _, who := range []identity.UserID{ada, mallory, operator} {
		q := w.ask(ada)
		if _, err := w.as(barbara).Approve(t.Context(), q.ID, api.Answer{}); err != nil {
			t.Fatal(err)
		}
		if done, err := w.as(who).Revoke(t.Context(), api.Revoke{Kind: api.RevokeGrant, ID: q.ID}); err != nil || done.Grants != 1 || w.mayWrite(ada) {
			t.Errorf("%s: %+v, %v", who, done, err)
		}
	}
}

// TestGrantsWithTheDatabaseDown gives nothing, and takes all the same.
func TestGrantsWithTheDatabaseDown(t *testing.T) {
	w := guarded(t)
	ctx := t.Context()
	given := w.ask(ada)
	if _, err := w.as(barbara).Approve(ctx, given.ID, api.Answer{}); err != nil {
		t.Fatal(err)
	}
	waiting, err := w.as(barbara).Ask(ctx, hotfix())
	if err != nil {
		t.Fatal(err)
	}
	w.grantsDown.Store(true)
	if _, err := w.as(ada).Approve(ctx, waiting.ID, api.Answer{}); status(err) != http.StatusServiceUnavailable || w.mayWrite(barbara) {
		t.Errorf("approved: %v", err)
	}
	if _, err := w.as(operator).BreakGlass(ctx, api.BreakGlass{User: "mallory@contoso.example", Project: "payments", Role: "viewer", Why: "x"}); status(err) != http.StatusServiceUnavailable {
		t.Errorf("the glass was broken: %v", err)
	}
	done, err := w.as(operator).Revoke(ctx, api.Revoke{Kind: api.RevokeGrant, ID: given.ID})
	if err != nil || done.Grants != 1 || done.Recorded || !strings.Contains(done.Message, "not yet recorded") || w.mayWrite(ada) {
		t.Errorf("%+v, %v", done, err)
	}
	w.grantsDown.Store(false)
	if _, err := w.as(ada).Approve(ctx, waiting.ID, api.Answer{}); err != nil || !w.mayWrite(barbara) {
		t.Errorf("not approved once it is back: %v", err)
	}
}

// TestWhatCannotBeAskedFor answers as the decision itself would.
func TestWhatCannotBeAskedFor(t *testing.T) {
	w := guarded(t)
	ask := func(u identity.UserID, change func(*api.Ask)) error {
		a := hotfix()
		change(&a)
		_, err := w.as(u).Ask(t.Context(), a)
		return err
	}
	for _, c := range []struct {
		name   string
		who    identity.UserID
		status int
		change func(*api.Ask)
	}{
		{"what is allowed", ada, http.StatusConflict, func(a *api.Ask) { a.Resource = apiURL }},
		{"without a role that would do", linus, http.StatusForbidden, func(*api.Ask) {}},
		{"without any role", mallory, http.StatusNotFound, func(*api.Ask) {}},
		{"what is not there", ada, http.StatusNotFound, func(a *api.Ask) { a.Resource = "payments/none" }},
		{"as the operator", operator, http.StatusForbidden, func(*api.Ask) {}},
		{"without a reason", ada, http.StatusBadRequest, func(a *api.Ask) { a.Why = "\x00 \u202e" }},
		{"for too long", ada, http.StatusBadRequest, func(a *api.Ask) { a.For = "25h" }},
		{"for no length of time", ada, http.StatusBadRequest, func(a *api.Ask) { a.For = "soon" }},
		{"an action that nobody knows", ada, http.StatusForbidden, func(a *api.Ask) { a.Action = "repo:\x1b[2J" }},
		{"something of no kind", ada, http.StatusNotFound, func(a *api.Ask) { a.Resource = "../../etc/passwd" }},
	} {
		if err := ask(c.who, c.change); status(err) != c.status {
			t.Errorf("%s: %d, %v", c.name, status(err), err)
		}
	}
	w.change(directory.Change{AsOf: time.Now(), GoneGroups: []identity.GroupID{leads}})
	if err := ask(ada, func(*api.Ask) {}); status(err) != http.StatusConflict || !strings.Contains(err.Error(), "not in the directory") {
		t.Errorf("of a group that is gone: %v", err)
	}
	hidden := ask(mallory, func(*api.Ask) {})
	absent := ask(mallory, func(a *api.Ask) { a.Resource = "https://git.example.test/payments/none" })
	if strings.ReplaceAll(hidden.Error(), legacyURL, "X") != strings.ReplaceAll(absent.Error(), "https://git.example.test/payments/none", "X") {
		t.Errorf("hidden and absent differ: %v; %v", hidden, absent)
	}
}

// TestOwnRequestsAreNotApproved tries everything by which somebody would approve what is not theirs to approve.
func TestOwnRequestsAreNotApproved(t *testing.T) {
	w := guarded(t)
	ctx := t.Context()
	q := w.ask(ada) // who is an approver herself
	w.change(directory.Change{AsOf: time.Now(), Members: []directory.Membership{{Group: admins, Member: directory.Member{User: ada}}}})
	approve := func(u identity.UserID) error {
		_, err := w.as(u).Approve(ctx, q.ID, api.Answer{})
		return err
	}
	for name, who := range map[string]identity.UserID{"oneself, an administrator": ada, "an administrator": mallory, "an auditor": edith, "the operator": operator} {
		if err := approve(who); status(err) != http.StatusForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	stranger := approve(linus)
	_, none := w.as(linus).Approve(ctx, "g-aaaaaaaaaaaaaaaa", api.Answer{})
	if status(stranger) != http.StatusNotFound || strings.ReplaceAll(stranger.Error(), q.ID, "X") != strings.ReplaceAll(none.Error(), "g-aaaaaaaaaaaaaaaa", "X") {
		t.Errorf("a stranger: %v; of one that is not there: %v", stranger, none)
	}
	f := w.engine.Facts()
	row, _ := w.grants.Request(identity.GrantID(q.ID))
	for _, of := range []identity.UserID{ada, barbara} { // neither hers nor an approver's AI agent
		if err := f.Approver(identity.Principal{Kind: identity.AIAgent, User: of, Agent: "helper"}, row); err == nil {
			t.Errorf("an AI agent of %s approves", of)
		}
	}
	if _, err := w.as(barbara).Withdraw(ctx, q.ID); status(err) != http.StatusForbidden {
		t.Errorf("withdrawn by another: %v", err)
	}

	w.change(directory.Change{AsOf: time.Now(), Members: []directory.Membership{{Group: seats, Member: directory.Member{User: barbara}, Removed: true}}})
	if err := approve(barbara); status(err) != http.StatusNotFound {
		t.Errorf("an approver who left the group: %v", err)
	}
	w.change(directory.Change{AsOf: time.Now(), Members: []directory.Membership{{Group: seats, Member: directory.Member{User: barbara}}}})
	w.disable(ada, false)
	if err := approve(barbara); status(err) != http.StatusConflict {
		t.Errorf("for somebody who is disabled: %v", err)
	}
	w.disable(ada, true)
	w.disable(barbara, false)
	if err := approve(barbara); err == nil {
		t.Error("by somebody who is disabled")
	}
	if w.mayWrite(ada) {
		t.Error("it was given")
	}
	denied, err := w.audit.Search(ctx, audit.Filter{Action: "grant:approve", Limit: 100})
	if err != nil || len(denied.Events) == 0 {
		t.Errorf("the log has %d entries of it, %v", len(denied.Events), err)
	}
}

// disable disables or enables somebody's account.
func (w *world) disable(u identity.UserID, enabled bool) {
	row, _ := w.engine.Facts().Directory.User(u)
	changed := *row
	changed.Enabled = enabled
	w.change(directory.Change{AsOf: time.Now(), Users: []directory.User{changed}})
}

// TestDelegations give an AI agent a part of what its user may do, and end with the session.
func TestDelegations(t *testing.T) {
	w := guarded(t)
	ctx := t.Context()
	for name, line := range map[string]api.DelegateLine{
		"what needs approval": {Action: "repo:write", Resource: legacyURL}, "every one, of which one needs approval": {Action: "repo:write", Resource: "payments/*"},
		"to approve": {Action: "grant:approve", Resource: "self"}, "to delegate": {Action: "grant:delegate", Resource: "self"},
	} {
		if _, err := w.as(ada).Delegate(ctx, api.Delegate{Agent: "helper", Allow: []api.DelegateLine{line}}); status(err) != http.StatusForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.as(mallory).Delegate(ctx, api.Delegate{Agent: "helper", Allow: []api.DelegateLine{{Action: "repo:read", Resource: apiURL}}}); status(err) != http.StatusNotFound {
		t.Errorf("what is hidden: %v", err)
	}
	g, err := w.as(ada).Delegate(ctx, api.Delegate{Agent: "helper", For: "30m", Allow: []api.DelegateLine{
		{Action: "repo:read", Resource: "payments/*"}, {Action: "repo:write", Resource: apiURL},
	}})
	if err != nil || g.Kind != "delegation" || len(g.Allowed) != 2 || g.Session != string(sessionOf(ada)) {
		t.Fatalf("%+v, %v", g, err)
	}
	agent := identity.Principal{Kind: identity.AIAgent, User: ada, Session: sessionOf(ada), Agent: "helper", Delegation: identity.GrantID(g.ID)}
	may := func(action identity.Action, url string) access.Decision {
		return access.Decide(w.engine.Facts(), access.Request{Principal: agent, Action: action,
			Resource: identity.Resource{Kind: identity.KindRepo, Name: url, Project: projectID}}, time.Now())
	}
	for _, c := range []struct {
		action identity.Action
		url    string
		want   access.Effect
	}{
		{identity.RepoRead, apiURL, access.Allow}, {identity.RepoRead, legacyURL, access.Allow}, {identity.RepoWrite, apiURL, access.Allow},
		{identity.RepoWrite, legacyURL, access.Approval},
	} {
		if d := may(c.action, c.url); d.Effect != c.want {
			t.Errorf("%s %s: %+v", c.action, c.url, d)
		}
	}
	app := identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID}
	if d := access.Decide(w.engine.Facts(), access.Request{Principal: agent, Action: identity.AppCall, Resource: app}, time.Now()); d.Code != access.NotDelegated {
		t.Errorf("what only the user may: %+v", d)
	}
	if list, err := w.as(ada).Grants(ctx, ""); err != nil || len(list) != 1 || list[0].Agent != "helper" {
		t.Errorf("%+v, %v", list, err)
	}
	w.sessions.EndSession(ctx, sessionOf(ada), "signed out")
	if list, err := w.as(edith).Grants(ctx, "*"); err != nil || len(list) != 0 {
		t.Errorf("it is listed without its session: %+v, %v", list, err)
	}
	if d := may(identity.RepoRead, apiURL); d.Effect != access.Deny {
		t.Errorf("it outlives its session: %+v", d)
	}
}

// TestBreakGlass gives a role for a while, to others only, and says so loudly.
func TestBreakGlass(t *testing.T) {
	w := guarded(t)
	ctx := t.Context()
	broken := api.BreakGlass{User: "linus@contoso.example", Project: "payments", Role: "developer", Why: "outage"}
	for _, c := range []struct {
		name   string
		who    identity.UserID
		status int
		change func(*api.BreakGlass)
	}{
		{"an administrator for themselves", mallory, http.StatusForbidden, func(b *api.BreakGlass) { b.User = "mallory@contoso.example" }},
		{"a developer", ada, http.StatusForbidden, func(*api.BreakGlass) {}},
		{"an auditor", edith, http.StatusNotFound, func(*api.BreakGlass) {}},
		{"a stranger of whom there is none", linus, http.StatusForbidden, func(b *api.BreakGlass) { b.User = "nobody" }},
		{"for too long", operator, http.StatusBadRequest, func(b *api.BreakGlass) { b.For = "61m" }},
		{"without a reason", operator, http.StatusBadRequest, func(b *api.BreakGlass) { b.Why = "" }},
		{"a role of the installation", operator, http.StatusBadRequest, func(b *api.BreakGlass) { b.Role = "admin" }},
		{"no such project", operator, http.StatusNotFound, func(b *api.BreakGlass) { b.Project = "none" }},
		{"no such user", operator, http.StatusNotFound, func(b *api.BreakGlass) { b.User = "nobody" }},
	} {
		b := broken
		c.change(&b)
		if g, err := w.as(c.who).BreakGlass(ctx, b); status(err) != c.status {
			t.Errorf("%s: %+v, %v", c.name, g, err)
		}
	}
	for _, who := range []identity.UserID{operator, mallory} {
		b := broken
		b.Role = "maintainer"
		g, err := w.as(who).BreakGlass(ctx, b)
		if err != nil || g.Role != "maintainer" || g.Until.Sub(g.From) != 30*time.Minute {
			t.Fatalf("%+v, %v", g, err)
		}
		call := access.Request{Principal: person(linus), Action: identity.AppCall, Resource: identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID}}
		_, lease, err := w.engine.Open(ctx, call, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := lease.Decision(); d.Until.IsZero() || d.Until.After(g.Until) {
			t.Errorf("it is decided again at %s, and the role ends at %s", d.Until, g.Until)
		}
		for _, sees := range []identity.UserID{operator, linus} {
			if l, err := w.as(sees).Leases(ctx, ""); err != nil || len(l.Alarms) != 1 || l.Alarms[0].ID != g.ID {
				t.Errorf("the alarm over the leases: %+v, %v", l.Alarms, err)
			}
		}
		if l, err := w.as(ada).Leases(ctx, ""); err != nil || len(l.Alarms) != 0 {
			t.Errorf("somebody else sees %+v, %v", l.Alarms, err)
		}
		if done, err := w.as(linus).Revoke(ctx, api.Revoke{Kind: api.RevokeGrant, ID: g.ID}); err != nil || done.Leases != 1 {
			t.Errorf("%+v, %v", done, err)
		}
		lease.End()
	}
	w.disable(linus, false)
	if _, err := w.as(operator).BreakGlass(ctx, broken); status(err) != http.StatusConflict {
		t.Errorf("for somebody who is disabled: %v", err)
	}
}
