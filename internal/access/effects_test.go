package access

import (
	"encoding/json"
	"errors"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	needsC1 = `@id("pushes-need-c1") @step_up("c1")
forbid (principal, action == Action::"repo:write", resource) unless { context.contexts.contains("c1") };`
	needsApproval = `@id("calls-are-approved") @approval("00000000-0000-4000-9000-000000000003")
forbid (principal, action == Action::"app:call", resource);`
)

var ledger = identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID}

func call(u identity.UserID) Request {
	return Request{Principal: person(u), Action: identity.AppCall, Resource: ledger}
}

// decree puts policies in force beside those that ship.
func (w *world) decree(text string) {
	w.t.Helper()
	set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "decree.cedar", Text: text}}})
	if err != nil {
		w.t.Fatal(err)
	}
	w.engine.Publish(func(f Facts) Facts { f.Policies = set; return f }, Touched{All: true})
}

func (w *world) give(g grant.Grant) {
	next := w.engine.Facts().Grants.With([]grant.Grant{g})
	w.engine.Publish(func(f Facts) Facts { f.Grants = next; return f }, Touched{Users: []identity.UserID{g.User}})
}

// stepUp is a step-up for what a request asks, for ten minutes.
func (w *world) stepUp(r Request, authContext string) grant.Grant {
	g := grant.Grant{ID: identity.NewGrantID(), Kind: grant.StepUp, User: r.Principal.User, Context: authContext, SignIn: signInOf(r.Principal.User),
		Workspace: r.Principal.Workspace, From: w.now(), Until: w.now().Add(10 * time.Minute),
		Allowed: []grant.Allowed{{Action: r.Action, Kind: r.Resource.Kind, Name: r.Resource.Name, Project: r.Resource.Project}}}
	w.give(g)
	return g
}

// document is a refusal as a program reads it.
func document(t *testing.T, err error) (d problem.Document) {
	t.Helper()
	answer := httptest.NewRecorder()
	problem.Write(answer, err)
	if err := json.Unmarshal(answer.Body.Bytes(), &d); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestStepUp(t *testing.T) {
	w := newWorld(t)
	w.engine.stepUp = func(r Request, c string) string {
		return "https://lanyard.example.test/step-up?code=" + c + string(r.Action)
	}
	_, open := w.open(write(ada), nil)
	w.decree(needsC1)
	if r := waitCut(t, open); r.Code != StepUpNeeded || !strings.Contains(r.Text, "authentication context c1") {
		t.Errorf("what was open ended with %v", r)
	}
	_, _, err := w.engine.Open(t.Context(), write(ada), nil)
	d := document(t, err)
	if problem.KindOf(err) != problem.StepUpNeeded || d.Status != 403 || d.Next == nil || d.Context != "c1" ||
		d.SignIn != "https://lanyard.example.test/step-up?code=c1repo:write" || !strings.Contains(d.Detail, d.SignIn) {
		t.Errorf("refused with %v, as a document %+v", err, d)
	}
	if _, _, err := w.engine.Open(t.Context(), write(linus), nil); problem.KindOf(err) != problem.Denied {
		t.Errorf("who has no right to push is told %v", err)
	}
	w.stepUp(read(ada), "c1")
	w.stepUp(write(barbara), "c1")
	w.stepUp(write(ada), "c2")
	elsewhere := write(ada)
	elsewhere.Principal.Workspace = "w-aaaaaaaaaaaaaaaa"
	w.stepUp(elsewhere, "c1")
	if w.engine.May(write(ada)) {
		t.Error("a step-up for another action, person, context or workspace counts")
	}
	g := w.stepUp(write(ada), "c1")
	_, open = w.open(write(ada), nil)
	g.Ended, g.EndedWhy = w.now(), "taken back"
	w.give(g)
	if r := waitCut(t, open); r.Code != StepUpNeeded {
		t.Errorf("reason: %v", r)
	}
}

// A step-up lasts minutes, whatever the sign-in does.
func TestStepUpLastsMinutes(t *testing.T) {
	w := newWorld(t)
	w.decree(needsC1)
	w.stepUp(write(ada), "c1")
	_, open := w.open(write(ada), nil)
	if until := open.Decision().Until; !until.Equal(w.now().Add(10 * time.Minute)) {
		t.Errorf("until %s", until)
	}
	w.pass(10 * time.Minute)
	w.change(directory.Change{AsOf: w.now()})
	w.engine.sweep()
	if r := waitCut(t, open); r.Code != StepUpNeeded || w.engine.Defects() != 0 {
		t.Errorf("reason: %v, %d defects", r, w.engine.Defects())
	}
	if w.engine.May(write(ada)) {
		t.Error("a step-up of ten minutes ago counts")
	}
}

func TestApproval(t *testing.T) {
	w := newWorld(t)
	w.decree(needsApproval)
	_, _, err := w.engine.Open(t.Context(), call(ada), nil)
	d := document(t, err)
	if problem.KindOf(err) != problem.ApprovalNeeded || d.Next == nil || d.Approvers != viewers.Object ||
		d.Run != `lanyard request app:call payments/ledger --why "…"` || !strings.Contains(d.Detail, "payments-viewers") {
		t.Errorf("refused with %v, as a document %+v", err, d)
	}
	approved := grant.Grant{ID: identity.NewGrantID(), Kind: grant.Approval, User: ada, Group: viewers, By: linus, From: w.now(), Until: w.now().Add(5 * time.Minute),
		Allowed: []grant.Allowed{{Action: identity.AppCall, Kind: identity.KindApp, Name: "ledger", Project: projectID}}}
	w.give(approved)
	_, open := w.open(call(ada), nil)
	if d := open.Decision(); d.Grant != approved.ID || !d.Until.Equal(approved.Until) {
		t.Errorf("rests on %q until %s", d.Grant, d.Until)
	}
	if w.engine.May(call(barbara)) {
		t.Error("somebody else's approval counts")
	}
	approved.Ended = w.now()
	w.give(approved)
	if r := waitCut(t, open); r.Code != ApprovalNeeded || !strings.Contains(r.Text, string(approved.ID)) {
		t.Errorf("reason: %v", r)
	}
	approved.Ended = time.Time{}
	w.give(approved)
	_, open = w.open(call(ada), nil)
	w.pass(5 * time.Minute)
	w.change(directory.Change{AsOf: w.now()})
	w.engine.sweep()
	if r := waitCut(t, open); r.Code != ApprovalNeeded || w.engine.Defects() != 0 {
		t.Errorf("reason: %v, %d defects", r, w.engine.Defects())
	}
}

func TestBreakGlass(t *testing.T) {
	w := newWorld(t)
	if w.engine.May(write(mallory)) {
		t.Fatal("a stranger pushes")
	}
	g := grant.Grant{ID: identity.NewGrantID(), Kind: grant.BreakGlass, User: mallory, Project: projectID, Role: policy.Developer,
		Why: "the payments are stuck", From: w.now(), Until: w.now().Add(time.Hour)}
	w.give(g)
	_, open := w.open(write(mallory), nil)
	d := open.Decision()
	if d.Grant != g.ID || d.Role != policy.Developer || !strings.Contains(d.Reasons[0], "break-glass grant "+string(g.ID)) {
		t.Errorf("%+v", d)
	}
	g.Ended = w.now()
	w.give(g)
	if r := waitCut(t, open); !strings.Contains(r.Text, string(g.ID)) {
		t.Errorf("reason: %v", r)
	}
	g.Ended, g.User, g.Role = time.Time{}, ada, policy.Viewer // a lesser role than she has takes nothing away
	w.give(g)
	if d := Decide(w.engine.Facts(), write(ada), w.now()); d.Effect != Allow || d.Via != engineers || d.Grant != "" {
		t.Errorf("%+v", d)
	}
}

// An AI agent may what its user may and the delegation covers, while the delegating session lives.
func TestAIAgent(t *testing.T) {
	w := newWorld(t)
	g := grant.Grant{ID: identity.NewGrantID(), Kind: grant.Delegation, User: ada, Agent: "helper", Session: sessionOf(ada), By: ada,
		From: w.now(), Until: w.now().Add(30 * time.Minute), Allowed: []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Project: projectID}}}
	w.give(g)
	agent := func(r Request) Request {
		r.Principal.Kind, r.Principal.Session, r.Principal.Agent, r.Principal.Delegation = identity.AIAgent, siteOf(ada), "helper", g.ID
		return r
	}
	refused := func(what string, r Request, code Code) {
		t.Helper()
		var why Reason
		if _, l, err := w.engine.Open(t.Context(), r, nil); !errors.As(err, &why) || why.Code != code {
			t.Errorf("%s: %v", what, err)
			if l != nil {
				l.End()
			}
		}
	}
	_, open := w.open(agent(read(ada)), nil)
	if d := open.Decision(); d.Grant != g.ID || d.Until.After(g.Until) {
		t.Errorf("%+v", d)
	}
	refused("a push, which was not delegated", agent(write(ada)), NotDelegated)
	other := agent(read(ada))
	other.Principal.Agent = "another"
	refused("another agent by the same delegation", other, NotDelegated)
	other = agent(read(ada))
	other.Principal.User = barbara
	refused("for another user", other, SessionEnded)
	other = agent(read(ada))
	other.Principal.Delegation = ""
	refused("without a delegation", other, NotDelegated)
	hidden := agent(read(ada))
	hidden.Resource.Project = "p-bbbbbbbbbbbbbbbb"
	refused("what the user may not know of", hidden, NoRole)

	w.change(membership(engineers, directory.Member{User: ada}, true))
	waitCut(t, open)
	refused("what the user may no longer", agent(read(ada)), NoRole)
	w.change(membership(engineers, directory.Member{User: ada}, false))

	w.decree(`forbid (principal, action == Action::"repo:read", resource) when { context has agent };`)
	refused("what a policy refuses to agents", agent(read(ada)), NotPermitted)
	_, herself := w.open(read(ada), nil)
	herself.End()
	w.decree("")

	_, open = w.open(agent(read(ada)), nil)
	w.endSession(ada)
	if r := waitCut(t, open); r.Code != SessionEnded && r.Code != NotDelegated {
		t.Errorf("the delegating session ended: %v", r)
	}
}

// A decision's time is that of the earliest thing it rests on.
func TestCircumstances(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		policy string
		good   func(*Request)
		bad    func(*Request)
	}{
		"network": {`forbid (principal, action == Action::"repo:read", resource) unless { context has ip && context.ip.isInRange(ip("198.51.100.0/24")) };`,
			func(r *Request) { r.IP = "198.51.100.7" }, func(r *Request) { r.IP = "203.0.113.1" }},
		"mapped address": {`forbid (principal, action == Action::"repo:read", resource) unless { context has ip && context.ip.isInRange(ip("198.51.100.0/24")) };`,
			func(r *Request) { r.IP = "::ffff:198.51.100.7" }, func(r *Request) { r.IP = "not an address" }},
		"workspace class": {`forbid (principal, action == Action::"repo:read", resource) unless { context has class && context.class == "small" };`,
			func(r *Request) { r.Class = "small" }, func(r *Request) { r.Class = "large" }},
		"kind of session": {`forbid (principal, action == Action::"repo:read", resource) when { context.session == "site" };`,
			func(*Request) {}, func(r *Request) { r.Principal.Session = siteOf(ada) }},
	} {
		w.decree(c.policy)
		good, bad := read(ada), read(ada)
		c.good(&good)
		c.bad(&bad)
		for range 2 {
			if !w.engine.May(good) || w.engine.May(bad) {
				t.Errorf("%s: %t, %t", name, w.engine.May(good), w.engine.May(bad))
			}
		}
	}
	w.decree(`forbid (principal, action == Action::"repo:read", resource) when { context has signedIn && context.now.durationSince(context.signedIn) > duration("10m") };`)
	_, open := w.open(read(ada), nil)
	if until := open.Decision().Until; until.After(w.now().Add(10*time.Minute + time.Second)) {
		t.Errorf("until %s", until)
	}
	w.pass(11 * time.Minute)
	w.engine.sweep()
	if r := waitCut(t, open); r.Code != NotPermitted || w.engine.Defects() != 0 {
		t.Errorf("reason: %v, %d defects", r, w.engine.Defects())
	}
}

// A lease is for its operations as long as it is open, and no longer.
func TestAskAfterTheEnd(t *testing.T) {
	w := newWorld(t)
	_, l := w.open(write(ada), nil)
	if err := l.Ask(identity.RepoWrite, repo); err != nil {
		t.Fatal(err)
	}
	l.End()
	if err := l.Ask(identity.RepoWrite, repo); problem.KindOf(err) != problem.Denied {
		t.Errorf("after its end a lease answers %v", err)
	}
}
