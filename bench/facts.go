package main

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

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
