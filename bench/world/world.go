// Package world is the organisation that decisions are measured on: 10,000 users who are in 144 of 1,000 groups each,
// 200 projects, 500 policies beside those that ship with Lanyard. It is the same at every run. Engines of other makers
// answer the same questions: what they need is here as plain data beside Lanyard's own facts.
package world

import (
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Tenant is whose users and groups they are.
const Tenant identity.TenantID = "8c2f1a40-6a53-4a57-9a59-3a5a4f6e2b01"

// Size says how large an organisation is.
type Size struct {
	Users, Groups, Projects int
	In                      int // groups that each user is in, nested ones among them
	Questions               int
}

// Whole is the size that figures are given for.
func Whole() Size {
	return Size{Users: 10_000, Groups: 1_000, Projects: 200, In: 144, Questions: 1_000}
}

// World is an organisation and questions about it. Groups below four fifths are direct; the others contain four of those
// each, so that closures are more than a list.
type World struct {
	Size     Size
	Members  []directory.Membership
	Projects []Project
	Rules    []Rule
	Facts    *access.Facts
	// Allowed and Refused are questions with their answers: app:call on the app of a project, by people whose browser
	// session asks.
	Allowed, Refused []access.Request
}

// Project is a project with one app. Who holds a role holds the weaker ones too; developers may call the app.
type Project struct {
	ID                 identity.ProjectID
	Name, App          string
	Viewer, Maintainer identity.GroupID
	Developers         [2]identity.GroupID
}

// User and Group are the IDs of the n-th.
func User(n int) identity.UserID {
	return identity.UserID{Tenant: Tenant, Object: fmt.Sprintf("00000000-0000-4000-8000-%012d", n)}
}

// Group is the ID of the n-th group.
func Group(n int) identity.GroupID {
	return identity.GroupID{Tenant: Tenant, Object: fmt.Sprintf("00000000-0000-4000-9000-%012d", n)}
}

// New makes a world.
func New(size Size, now time.Time) (*World, error) {
	w := &World{Size: size}
	chance := rand.New(rand.NewPCG(1, 2))
	change := directory.Change{AsOf: now}
	flat := size.Groups * 4 / 5
	for g := range size.Groups {
		change.Groups = append(change.Groups, directory.Group{ID: Group(g), Name: fmt.Sprintf("group-%d", g), Security: true, Assigned: true})
	}
	for g := flat; g < size.Groups; g++ {
		for i := range 4 {
			change.Members = append(change.Members, directory.Membership{Group: Group(g), Member: directory.Member{Group: Group((g-flat)*4 + i)}})
		}
	}
	for u := range size.Users {
		change.Users = append(change.Users, directory.User{
			ID: User(u), Name: fmt.Sprintf("Person %d", u), UserName: fmt.Sprintf("person-%d@contoso.example", u), Enabled: true})
		for _, g := range chance.Perm(flat)[:size.In*5/7] { // the nested groups add the rest
			change.Members = append(change.Members, directory.Membership{Group: Group(g), Member: directory.Member{User: User(u)}})
		}
	}
	w.Members = change.Members
	snapshot, _ := directory.Empty().With(change)
	projects, err := w.projects(flat)
	if err != nil {
		return nil, err
	}
	policies, err := w.policies()
	if err != nil {
		return nil, err
	}
	var signIns []session.SignIn
	var sessions []session.Session
	for u := range size.Users {
		signIn := session.SignIn{ID: identity.NewSignInID(), User: User(u), At: now, Expires: now.Add(12 * time.Hour)}
		signIns = append(signIns, signIn)
		sessions = append(sessions, session.Session{ID: identity.NewSessionID(), SignIn: signIn.ID, User: User(u), Kind: session.Browser, Created: now})
	}
	w.Facts = &access.Facts{
		Directory: snapshot, Projects: projects, Policies: policies, Sessions: session.NewSet(signIns, sessions),
		Bounds: access.Bounds{Stale: 2 * time.Hour, Close: 3 * time.Hour},
	}
	for len(w.Allowed) < size.Questions {
		u, p := chance.IntN(size.Users), w.Projects[chance.IntN(size.Projects)]
		r := access.Request{
			Principal: identity.Principal{Kind: identity.Person, User: User(u), Session: sessions[u].ID}, IP: "198.51.100.7",
			Action: identity.AppCall, Resource: identity.Resource{Kind: identity.KindApp, Name: p.App, Project: p.ID},
		}
		switch d := access.Decide(w.Facts, r, now); {
		case d.Code == access.PolicyError:
			return nil, fmt.Errorf("a policy of the sample fails: %v", d.Reasons)
		case d.Effect == access.Allow:
			w.Allowed = append(w.Allowed, r)
		case len(w.Refused) < size.Questions:
			w.Refused = append(w.Refused, r)
		}
	}
	return w, nil
}
