package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

// The organisation that decisions are made for.
const (
	decideUsers    = 10_000
	decideGroups   = 1_000
	decideProjects = 200
	decideIn       = 144 // groups that each user is in
	decideAskers   = 1_000
	decideRounds   = 9
	decideRound    = 300 * time.Millisecond
)

const decideTenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

// benchDecide measures the CPU time of one decision on an app of a project, for users who are in 144 of 1,000 groups each, from
// facts as the server holds them. Beside it is the least that could answer the same question: one look into a map of
// (user, project) that somebody has filled before. @first is a user's first decision after a change of the directory,
// when the closure of their groups has to be found.
func benchDecide(ctx context.Context, b *bench) error {
	facts, requests, err := decisions()
	if err != nil {
		return err
	}
	runtime.GC() // what making the facts has left is not the decisions'
	now := time.Now()
	roles := map[roleKey]policy.Role{}
	for _, r := range requests {
		d := access.Decide(facts, r, now)
		if d.Effect != access.Allow {
			return fmt.Errorf("the sample does not allow: %v", d.Reasons)
		}
		roles[roleKey{r.Principal.User, r.Resource.Project}] = d.Role
	}
	var whole, bare, first []float64
	for range decideRounds {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := each(&whole, requests, func(r access.Request) bool { return access.Decide(facts, r, now).Effect == access.Allow }); err != nil {
			return err
		}
		if err := each(&bare, requests, func(r access.Request) bool {
			return roles[roleKey{r.Principal.User, r.Resource.Project}].Includes(policy.Developer)
		}); err != nil {
			return err
		}
		// A change of anybody makes a new snapshot, in which no closure is known.
		touched := *facts
		toggle := directory.Membership{Group: groupN(0), Member: directory.Member{User: userN(decideUsers - 1)}, Removed: len(first)%2 == 0}
		touched.Directory, _ = facts.Directory.With(directory.Change{AsOf: now, Members: []directory.Membership{toggle}})
		start, err := usedCPU()
		if err != nil {
			return err
		}
		for _, r := range requests {
			if access.Decide(&touched, r, now).Effect != access.Allow {
				return fmt.Errorf("the change took access away from %s", r.Principal.User)
			}
		}
		end, err := usedCPU()
		if err != nil {
			return err
		}
		first = append(first, us(end-start)/float64(len(requests)))
	}
	if b.profiles != "" {
		if _, err := profile(ctx, filepath.Join(b.profiles, "decide.pprof")); err != nil {
			return err
		}
		var more []float64
		for range decideRounds {
			if err := each(&more, requests, func(r access.Request) bool { return access.Decide(facts, r, now).Effect == access.Allow }); err != nil {
				return err
			}
		}
		if _, err := profile(ctx, ""); err != nil {
			return err
		}
	}
	compare("decide.uncached", median(whole), "us", "map", median(bare))
	report("decide.uncached@first", median(first), "us")
	return nil
}

type roleKey struct {
	user    identity.UserID
	project identity.ProjectID
}

// each answers all requests in turn for a while, and adds how many microseconds of CPU time one took.
func each(to *[]float64, requests []access.Request, allowed func(access.Request) bool) error {
	n := 0
	before, err := usedCPU()
	if err != nil {
		return err
	}
	for start := time.Now(); time.Since(start) < decideRound; {
		for _, r := range requests {
			if !allowed(r) {
				return fmt.Errorf("%s is refused what it was allowed before", r.Principal.User)
			}
			n++
		}
	}
	after, err := usedCPU()
	*to = append(*to, us(after-before)/float64(n))
	return err
}

func us(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

func userN(i int) identity.UserID {
	return identity.UserID{Tenant: decideTenant, Object: fmt.Sprintf("00000000-0000-4000-8000-%012d", i)}
}

func groupN(i int) identity.GroupID {
	return identity.GroupID{Tenant: decideTenant, Object: fmt.Sprintf("00000000-0000-4000-9000-%012d", i)}
}

// decisions makes facts, and requests that they allow. Groups below 800 are direct; the others contain four of those
// each, so that closures are more than a list. A project's developers are one group, whose members are askers.
func decisions() (*access.Facts, []access.Request, error) {
	now := time.Now()
	chance := rand.New(rand.NewPCG(1, 2)) // the same organisation at every run
	change := directory.Change{AsOf: now.Add(time.Hour)}
	for g := range decideGroups {
		change.Groups = append(change.Groups, directory.Group{ID: groupN(g), Name: fmt.Sprintf("group-%d", g), Security: true, Assigned: true})
	}
	const flat = 800
	for g := flat; g < decideGroups; g++ {
		for i := range 4 {
			change.Members = append(change.Members, directory.Membership{Group: groupN(g), Member: directory.Member{Group: groupN((g-flat)*4 + i)}})
		}
	}
	for u := range decideUsers {
		change.Users = append(change.Users, directory.User{
			ID: userN(u), Name: fmt.Sprintf("Person %d", u), UserName: fmt.Sprintf("person-%d@contoso.example", u), Enabled: true})
		// The nested groups add about a fifth.
		for _, g := range chance.Perm(flat)[:decideIn*5/7] {
			change.Members = append(change.Members, directory.Membership{Group: groupN(g), Member: directory.Member{User: userN(u)}})
		}
	}
	snapshot, _ := directory.Empty().With(change)

	files := map[string]string{}
	for p := range decideProjects {
		files[fmt.Sprintf("p%d.yaml", p)] = fmt.Sprintf(
			"project: p%d\nroles:\n  viewer: [%q]\n  developer: [%q, %q]\n  maintainer: [%q]\nresources:\n  - app: app-%[1]d\n    url: http://app.example.test\n",
			p, groupN(p).Object, groupN(flat+p).Object, groupN(p+200).Object, groupN(p+400).Object)
	}
	parsed, err := project.Parse(project.Input{Tenant: decideTenant, Revision: project.Revision{Number: 1, Projects: files}})
	if err != nil {
		return nil, nil, err
	}
	policies, err := policy.Parse(policy.Source{Tenant: decideTenant})
	if err != nil {
		return nil, nil, err
	}
	var signIns []session.SignIn
	var sessions []session.Session
	for u := range decideUsers {
		signIn := session.SignIn{ID: identity.NewSignInID(), User: userN(u), At: now, Expires: now.Add(12 * time.Hour)}
		signIns = append(signIns, signIn)
		sessions = append(sessions, session.Session{ID: identity.NewSessionID(), SignIn: signIn.ID, User: userN(u), Kind: session.Browser, Created: now})
	}
	facts := &access.Facts{
		Directory: snapshot, Projects: parsed.Set, Policies: policies, Sessions: session.NewSet(signIns, sessions),
		Bounds: access.Bounds{Stale: time.Hour * 2, Close: time.Hour * 3},
	}
	var requests []access.Request
	for len(requests) < decideAskers {
		u := chance.IntN(decideUsers)
		owner, app, ok := parsed.Set.App(fmt.Sprintf("app-%d", chance.IntN(decideProjects)))
		if !ok {
			return nil, nil, fmt.Errorf("an app is missing")
		}
		r := access.Request{
			Principal: identity.Principal{Kind: identity.Person, User: userN(u), Session: sessions[u].ID},
			Action:    identity.AppCall, Resource: app.Resource(owner.ID),
		}
		if access.Decide(facts, r, now).Effect == access.Allow {
			requests = append(requests, r)
		}
	}
	return facts, requests, nil
}
