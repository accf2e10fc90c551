package access

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Policies that read every kind of fact and circumstance, in the sets that the schedules put in force in turn.
var mixed = []string{
	``,
	`forbid (principal, action == Action::"repo:read", resource) when { context.session == "workspace" };`,
	`@step_up("c1") forbid (principal, action == Action::"repo:write", resource) unless { context.contexts.contains("c1") };`,
	`@approval("00000000-0000-4000-9000-000000000003") forbid (principal, action == Action::"app:call", resource);`,
	`forbid (principal, action == Action::"repo:read", resource) when { context has ip && context.ip.isInRange(ip("203.0.113.0/24")) };`,
	`forbid (principal, action == Action::"app:call", resource) when { context has agent };`,
	`forbid (principal, action == Action::"repo:read", resource) when { context.now > datetime("2026-11-02T09:40:00Z") };`,
	`forbid (principal, action == Action::"workspace:list", resource) unless { resource has owner && resource.owner in Group::"00000000-0000-4000-9000-000000000002" };`,
	`forbid (principal, action == Action::"repo:write", resource) unless { principal in Group::"00000000-0000-4000-9000-000000000002" };`,
	`forbid (principal, action == Action::"workspace:list", resource) when { context has class && context.class == "large" };`,
}

// chaos changes facts at random, one at a time.
type chaos struct {
	w        *world
	rng      *rand.Rand
	policies []*policy.Set
	asked    []Request
}

func newChaos(w *world, seed uint64) *chaos {
	c := &chaos{w: w, rng: rand.New(rand.NewPCG(seed, 20))}
	for i, text := range mixed {
		set, err := policy.Parse(policy.Source{Tenant: tenant, Files: []policy.File{{Name: fmt.Sprintf("mixed-%d.cedar", i), Text: text}}})
		if err != nil {
			w.t.Fatal(err)
		}
		c.policies = append(c.policies, set)
	}
	return c
}

var everybody = []identity.UserID{ada, barbara, linus, mallory}

func (c *chaos) user() identity.UserID { return everybody[c.rng.IntN(len(everybody))] }
func (c *chaos) coin() bool            { return c.rng.IntN(2) == 0 }

// step makes one change and publishes it as the server does: with the users that it touches.
func (c *chaos) step() {
	w, f, u := c.w, c.w.engine.Facts(), c.user()
	publish := func(change func(*Facts), t Touched) {
		w.engine.Publish(func(f Facts) Facts { change(&f); return f }, t)
	}
	switch c.rng.IntN(14) {
	case 0, 1:
		w.change(membership([]identity.GroupID{engineers, apiTeam, viewers}[c.rng.IntN(3)], directory.Member{User: u}, c.coin()))
	case 2:
		w.change(membership(engineers, directory.Member{Group: apiTeam}, c.coin()))
	case 3:
		w.change(directory.Change{Users: []directory.User{{ID: u, Name: "somebody", Enabled: c.rng.IntN(3) > 0}}})
	case 4:
		group := directory.Change{GoneGroups: []identity.GroupID{apiTeam}}
		if c.coin() {
			group = directory.Change{Groups: []directory.Group{{ID: apiTeam, Name: "again", Security: true}},
				Members: membership(engineers, directory.Member{Group: apiTeam}, false).Members}
		}
		w.change(group)
	case 5, 12, 13:
		row, signIn, _ := f.Sessions.Session(sessionOf(u))
		changed, in := *row, *signIn
		switch c.rng.IntN(5) {
		case 0:
			changed.Ended = time.Time{}
			in.Ended = time.Time{}
		case 1:
			changed.Ended, changed.EndedWhy = w.now(), "it was revoked"
		case 2:
			in.Ended, in.EndedWhy = w.now(), "signed out"
		case 3:
			in.Contexts = [][]string{nil, {"c1"}, {"c2", "c1"}}[c.rng.IntN(3)]
		default:
			changed.Kind = []session.Kind{session.Browser, session.Workspace}[c.rng.IntN(2)]
		}
		signIns, sessions := []session.SignIn{in}, []session.Session{changed}
		if c.coin() {
			signIns = nil
		} else if c.coin() {
			sessions = nil
		}
		next := f.Sessions.With(signIns, sessions)
		publish(func(f *Facts) { f.Sessions = next }, Touched{Users: []identity.UserID{u}})
	case 6, 7:
		next := f.Grants.With([]grant.Grant{c.grant(u)})
		publish(func(f *Facts) { f.Grants = next }, Touched{Users: []identity.UserID{u}})
	case 8:
		set := c.policies[c.rng.IntN(len(c.policies))]
		publish(func(f *Facts) { f.Policies = set }, Touched{All: true})
	case 9:
		text := payments
		if c.coin() {
			text = "project: payments\nroles:\n  viewer: [\"00000000-0000-4000-9000-000000000002\"]\n"
		}
		set := w.projects(text)
		publish(func(f *Facts) { f.Projects = set }, Touched{All: true})
	default:
		w.pass(time.Duration(c.rng.IntN(120)) * time.Second)
		if c.coin() {
			w.change(directory.Change{AsOf: w.now()})
		}
	}
}

// grant is of one of few IDs for each user, so that they are replaced and end.
func (c *chaos) grant(u identity.UserID) grant.Grant {
	now := c.w.now()
	g := grant.Grant{ID: identity.GrantID(fmt.Sprintf("g-%s-%d", u.Object, c.rng.IntN(3))), User: u,
		From: now.Add(time.Duration(c.rng.IntN(3)-1) * time.Minute), Until: now.Add(time.Duration(c.rng.IntN(10)) * time.Minute)}
	switch c.rng.IntN(3) {
	case 0:
		g.Kind, g.Project, g.Role = grant.BreakGlass, projectID, policy.Maintainer
	case 1:
		g.Kind, g.Group = grant.Approval, viewers
		g.Allowed = []grant.Allowed{{Action: identity.AppCall, Kind: identity.KindApp, Project: projectID}}
	default:
		g.Kind, g.Agent, g.Session = grant.Delegation, "helper", sessionOf(u)
		g.Allowed = []grant.Allowed{{Action: identity.RepoRead, Kind: identity.KindRepo, Project: projectID}}
	}
	if c.rng.IntN(4) == 0 {
		g.Ended = now
	}
	return g
}

// question asks something of somebody, as person or as AI agent, from somewhere; most have been asked lately.
func (c *chaos) question() Request {
	if n := len(c.asked); n >= 12 && c.rng.IntN(8) > 0 {
		return c.asked[n-1-c.rng.IntN(12)]
	}
	r := c.fresh()
	c.asked = append(c.asked, r)
	return r
}

func (c *chaos) fresh() Request {
	u := c.user()
	r := Request{Principal: person(u), IP: []string{"", "198.51.100.7", "203.0.113.9"}[c.rng.IntN(3)], Class: []string{"", "large"}[c.rng.IntN(2)]}
	switch c.rng.IntN(4) {
	case 0:
		r.Action, r.Resource = identity.RepoRead, repo
	case 1:
		r.Action, r.Resource = identity.RepoWrite, repo
	case 2:
		r.Action, r.Resource = identity.AppCall, identity.Resource{Kind: identity.KindApp, Name: "ledger", Project: projectID}
	default:
		r.Action = identity.WorkspaceList
		r.Resource = identity.Resource{Kind: identity.KindWorkspace, Name: "w-aaaaaaaaaaaaaaaa", Project: projectID, Owner: c.user()}
	}
	if c.rng.IntN(4) == 0 {
		r.Principal.Session = siteOf(u)
	}
	if c.rng.IntN(4) == 0 {
		r.Principal.Kind, r.Principal.Agent = identity.AIAgent, "helper"
		r.Principal.Delegation = identity.GrantID(fmt.Sprintf("g-%s-%d", u.Object, c.rng.IntN(3)))
	}
	return r
}

// TestAttack20TheCacheNeverServesAStaleAllow: whatever changes and however often the same is asked, the cache answers
// what a decision from the facts of now answers: allowed or not, on the same ground, and until no later.
func TestAttack20TheCacheNeverServesAStaleAllow(t *testing.T) {
	hits, allowed := 0, 0
	for seed := range uint64(8) {
		w := newWorld(t)
		c := newChaos(w, seed)
		for step := range 1500 {
			if c.rng.IntN(12) == 0 {
				c.step()
			}
			r, open := c.question(), c.coin()
			f, now := w.engine.Facts(), w.now()
			got, _, cached := w.engine.decide(f, r, now, alive{open: open})
			want := judge(f, r, now, alive{open: open}, nil)
			if got.Effect != want.Effect || got.Code != want.Code || got.Role != want.Role || got.Via != want.Via || got.Grant != want.Grant ||
				!slices.Equal(got.Policies, want.Policies) || !slices.Equal(got.Reasons, want.Reasons) {
				t.Fatalf("seed %d, step %d, cached=%t, %s by %s:\n%+v\nrather than\n%+v", seed, step, cached, r.Action, r.Principal.User, got, want)
			}
			if got.Effect == Allow && !want.Until.IsZero() && (got.Until.IsZero() || got.Until.After(want.Until)) {
				t.Fatalf("seed %d, step %d, cached=%t: until %s rather than %s", seed, step, cached, got.Until, want.Until)
			}
			if cached {
				hits++
			}
			if want.Effect == Allow {
				allowed++
			}
		}
	}
	if allowed < 1000 || hits*2 < allowed {
		t.Errorf("%d hits of %d allowed: this tests little", hits, allowed)
	}
	t.Logf("%d of %d allowed came from the cache", hits, allowed)
}

// TestAttack20CachedWhileFactsChange: many ask, some with leases, while facts change. What is open in the end is allowed
// by the facts of the end.
func TestAttack20CachedWhileFactsChange(t *testing.T) {
	w := newWorld(t)
	changing := newChaos(w, 99)
	var asking sync.WaitGroup
	stop := make(chan struct{})
	for i := range 4 {
		asking.Go(func() {
			c := &chaos{w: w, rng: rand.New(rand.NewPCG(uint64(i), 21))}
			for {
				select {
				case <-stop:
					return
				default:
				}
				_, l, err := w.engine.Open(context.Background(), c.question(), nil)
				if err != nil {
					continue
				}
				_ = l.Ask(identity.RepoWrite, repo)
				if c.rng.IntN(8) > 0 {
					l.End()
				}
			}
		})
	}
	for range 200 {
		changing.step()
	}
	close(stop)
	asking.Wait()
	w.engine.sweep()
	f, now := w.engine.Facts(), w.now()
	for l := range w.engine.Leases {
		if d := judge(f, l.Request, now, alive{open: true}, nil); d.Effect != Allow {
			t.Errorf("%s of %s is open: %v", l.Request.Action, l.Request.Principal.User, d.Reasons)
		}
		l.End()
	}
	for i := range w.engine.index.shards {
		if first := w.engine.index.shards[i].first; first != nil {
			t.Errorf("the index still has %s of %s", first.lease.Request.Action, first.user)
		}
	}
	if n := w.engine.Defects(); n != 0 {
		t.Errorf("%d leases were only closed by the recheck", n)
	}
}

// What a session can make the cache hold is bounded, and goes with the session.
func TestCacheIsBoundedAndGoesWithItsSession(t *testing.T) {
	w := newWorld(t)
	for i := range 1000 {
		r := Request{Principal: person(ada), Action: identity.WorkspaceList,
			Resource: identity.Resource{Kind: identity.KindWorkspace, Name: fmt.Sprintf("w-%d", i), Project: projectID, Owner: ada}}
		if !w.engine.May(r) {
			t.Fatal("refused")
		}
	}
	row := w.engine.Facts().Sessions.Row(sessionOf(ada))
	table, held := w.engine.cache.table(row), 0
	for i := range table.small {
		if table.small[i].Load() != nil {
			held++
		}
	}
	for i := range table.large.Load() {
		if table.large.Load()[i].Load() != nil {
			held++
		}
	}
	if held <= smallTable || held > smallTable+largeTable {
		t.Errorf("a session holds %d decisions", held)
	}
	w.engine.cache.prune(w.engine.Facts())
	if w.engine.cache.table(row) == nil {
		t.Error("a live session's decisions were forgotten")
	}
	w.endSession(ada)
	w.engine.cache.prune(w.engine.Facts())
	if w.engine.cache.table(row) != nil {
		t.Error("an ended session's decisions are held")
	}
}
