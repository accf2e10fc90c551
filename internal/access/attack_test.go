package access

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/session"
)

// TestAttack18EveryEndingReachesEveryChannel: whatever ends a person's access, it ends all that they have open, of
// every kind, and nothing of anybody else's.
func TestAttack18EveryEndingReachesEveryChannel(t *testing.T) {
	workspace := identity.Resource{Kind: identity.KindWorkspace, Name: "w-aaaaaaaaaaaaaaaa", Project: projectID, Owner: ada}
	app := identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID}
	kinds := []Request{
		read(ada), write(ada), {Principal: person(ada), Action: identity.AppCall, Resource: app},
		{Principal: person(ada), Action: identity.WorkspaceOpen, Resource: workspace},
		{Principal: person(ada), Action: identity.SelfView, Resource: identity.Own(ada)},
		{Principal: person(ada), Action: identity.LeaseList, Resource: identity.Own(ada)},
	}
	for name, end := range map[string]func(*world){
		"sign-out":        func(w *world) { w.end(ada, "you signed out") },
		"disabled":        func(w *world) { w.change(disabled(ada)) },
		"deleted":         func(w *world) { w.change(directory.Change{GoneUsers: []identity.UserID{ada}}) },
		"session revoked": func(w *world) { w.endSession(ada) },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			var open []*Lease
			for _, r := range kinds {
				_, l := w.open(r, nil)
				open = append(open, l)
			}
			_, other := w.open(read(barbara), nil)
			defer other.End()
			end(w)
			for i, l := range open {
				if l.Reason().IsZero() {
					t.Errorf("%s is still open", kinds[i].Action)
					l.End()
					continue
				}
				waitCut(t, l)
				if _, again, err := w.engine.Open(t.Context(), kinds[i], nil); err == nil {
					t.Errorf("%s opens again", kinds[i].Action)
					again.End()
				}
				if err := l.Ask(kinds[i].Action, kinds[i].Resource); err == nil {
					t.Errorf("%s may be asked again", kinds[i].Action)
				}
			}
			if !other.Reason().IsZero() {
				t.Errorf("somebody else's access ended too: %s", other.Reason().Text)
			}
		})
	}
}

// endSession ends one session below a sign-in that goes on.
func (w *world) endSession(u identity.UserID) {
	row, _, _ := w.engine.Facts().Sessions.Session(sessionOf(u))
	ended := *row
	ended.Ended, ended.EndedWhy = w.now(), "it was revoked"
	next := w.engine.Facts().Sessions.With(nil, []session.Session{ended})
	w.engine.Publish(func(f Facts) Facts { f.Sessions = next; return f }, Touched{Users: []identity.UserID{u}})
}

// TestAttack20EveryFactCounts: a decision is the same only while all that it reads is the same. Each fact is changed
// alone, after the same question was answered, so that an answer kept under too few of them would show.
func TestAttack20EveryFactCounts(t *testing.T) {
	for name, change := range map[string]func(*world, *Request){
		"the user":        func(_ *world, r *Request) { r.Principal = person(mallory) },
		"a lesser user":   func(_ *world, r *Request) { r.Principal = person(linus) },
		"the tenant":      func(_ *world, r *Request) { r.Principal.User.Tenant = "11111111-0000-4000-8000-000000000000" },
		"the session":     func(_ *world, r *Request) { r.Principal.Session = sessionOf(barbara) },
		"the ceiling":     func(_ *world, r *Request) { r.Principal.Project = "p-bbbbbbbbbbbbbbbb" },
		"the kind":        func(_ *world, r *Request) { r.Principal.Kind = identity.Anonymous },
		"the action":      func(_ *world, r *Request) { r.Action = identity.AppCall },
		"the resource":    func(_ *world, r *Request) { r.Resource.Kind = identity.KindProject },
		"the project":     func(_ *world, r *Request) { r.Resource.Project = "p-bbbbbbbbbbbbbbbb" },
		"a membership":    func(w *world, _ *Request) { w.change(membership(engineers, directory.Member{User: ada}, true)) },
		"a group":         func(w *world, _ *Request) { w.change(directory.Change{GoneGroups: []identity.GroupID{engineers}}) },
		"the account":     func(w *world, _ *Request) { w.change(disabled(ada)) },
		"the sign-in":     func(w *world, _ *Request) { w.end(ada, "over") },
		"one session":     func(w *world, _ *Request) { w.endSession(ada) },
		"the project set": func(w *world, _ *Request) { w.configure("project: payments\n") },
		"a policy":        func(w *world, _ *Request) { w.forbid() },
		"the clock":       func(w *world, _ *Request) { w.pass(13 * time.Hour) },
		"the bounds": func(w *world, _ *Request) {
			w.pass(time.Minute)
			w.engine.Publish(func(f Facts) Facts { f.Bounds.Stale = time.Second; return f }, Touched{All: true})
		},
	} {
		w := newWorld(t)
		r := write(ada)
		for range 2 {
			if d := Decide(w.engine.Facts(), r, w.now()); d.Effect != Allow {
				t.Fatalf("before: %v", d.Reasons)
			}
		}
		change(w, &r)
		if d := Decide(w.engine.Facts(), r, w.now()); d.Effect != Deny {
			t.Errorf("%s makes no difference", name)
		}
	}
}

func (w *world) configure(text string) {
	set := w.projects(text)
	w.engine.Publish(func(f Facts) Facts { f.Projects = set; return f }, Touched{All: true})
}

// A lease rests on the newest facts also when a change is published between its own decision and the moment at which
// that is noted: the change's walk has set an earlier end, and it stays.
func TestOpenKeepsTheNewestDecision(t *testing.T) {
	w := newWorld(t)
	clocked, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: "hours.cedar", Text: `
		forbid (principal, action == Action::"repo:read", resource) when { context.now > datetime("2026-11-02T09:00:30Z") };`}}})
	if err != nil {
		t.Fatal(err)
	}
	w.engine.step = func(at string) {
		if at == "decided" {
			w.engine.step = nil
			w.engine.Publish(func(f Facts) Facts { f.Policies = clocked; return f }, Touched{All: true})
		}
	}
	_, l := w.open(read(ada), nil)
	if until := l.Decision().Until; !until.Equal(w.now().Add(30*time.Second + time.Millisecond)) {
		t.Errorf("the lease is looked at again at %s, not when the policy changes its answer", until)
	}
	w.pass(31 * time.Second)
	w.engine.sweep()
	waitCut(t, l)
	if n := w.engine.Defects(); n != 0 {
		t.Errorf("%d leases were only closed by the recheck", n)
	}
}

// A cut may come before the opening is in the log: the visit then ends all the same, once.
func TestVisitOfARefusedOpenEnds(t *testing.T) {
	for _, durable := range []bool{false, true} {
		w := newWorld(t)
		var cut *Lease
		w.engine.step = func(at string) {
			if at == "settled" {
				w.engine.step = nil
				for l := range w.engine.Leases {
					cut = l
				}
				w.change(disabled(ada))
				waitCut(t, cut)
			}
		}
		r := read(ada)
		r.Durable = durable
		if _, _, err := w.engine.Open(t.Context(), r, nil); err == nil {
			t.Fatal("a cut lease was handed out")
		}
		w.pass(visitGap)
		w.engine.visits.flush(true)
		outcomes := map[audit.Outcome]int{}
		for _, e := range w.audit.all() {
			outcomes[e.Outcome]++
		}
		if outcomes[audit.Opened] != 1 || outcomes[audit.Cut] != 1 || len(outcomes) != 2 {
			t.Errorf("durable=%t: the log has %v", durable, outcomes)
		}
	}
}

// A flood of denials, each for something else, fills neither the log nor the memory: neither one of somebody known nor
// one of strangers, who can name anything.
func TestDenialsOfAFloodAreCounted(t *testing.T) {
	for name, who := range map[string]identity.Principal{"strangers": {}, "mallory": person(mallory)} {
		w := newWorld(t)
		const flood = 20_000
		for i := range flood {
			r := Request{Principal: who, Action: identity.WorkspaceCreate,
				Resource: identity.Resource{Kind: identity.KindRepo, Name: fmt.Sprintf("https://git.example.test/a/%d", i)}}
			if _, _, err := w.engine.Open(t.Context(), r, nil); err == nil {
				t.Fatal("allowed")
			}
		}
		if n, _ := w.engine.denials.held(); n > maxDenialsEach+1 {
			t.Errorf("%s: %d denials are held", name, n)
		}
		w.pass(denialGap)
		w.engine.denials.flush(false)
		events, counted := w.audit.all(), int64(0)
		for _, e := range events {
			more, repeats := e.Detail["repeated"].(int64)
			if counted += more; !repeats {
				counted++
			}
		}
		if len(events) > maxDenialsEach+2 || counted != flood {
			t.Errorf("%s: %d events tell of %d denials", name, len(events), counted)
		}
		if n, each := w.engine.denials.held(); n != 0 || each != 0 {
			t.Errorf("%s: something is held for ever", name)
		}
	}
}

// What repeats is counted with the newest reason: why somebody is refused may change while they try again.
func TestRepeatedDenialTellsTheNewestReason(t *testing.T) {
	w := newWorld(t)
	for range 2 {
		_, _, _ = w.engine.Open(t.Context(), read(mallory), nil) // refused: that is the point
	}
	w.change(directory.Change{Users: []directory.User{{ID: mallory, Name: "Mallory"}}})
	_, _, _ = w.engine.Open(t.Context(), read(mallory), nil)
	w.pass(denialGap)
	w.engine.denials.flush(false)
	events := w.audit.all()
	if len(events) != 2 || events[1].Detail["repeated"] != int64(2) || !strings.Contains(events[1].Reasons[0], "disabled") {
		t.Errorf("%+v", events)
	}
}

func (n *denials) held() (seen, each int) {
	for i := range n.shards {
		seen += len(n.shards[i].seen)
		each += len(n.shards[i].each)
	}
	return seen, each
}
