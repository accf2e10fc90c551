package apiserver

import (
	"cmp"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

// reviewPeople says of each person how they signed in.
func (s *server) reviewPeople(x reviewed, findings []api.ReviewFinding) []api.ReviewPerson {
	logged := map[string]review.Logged{} // by ID
	for _, e := range x.logged {
		logged[e.ID] = e
	}
	found := map[string]int{}
	for _, f := range findings {
		found[f.User]++
	}
	list, at := []api.ReviewPerson{}, map[identity.UserID]int{}
	for _, r := range x.remembered {
		if r.Kind == review.Unbegun || r.Kind == review.Arrival {
			continue
		}
		i, ok := at[r.User]
		if !ok {
			i = len(list)
			at[r.User] = i
			list = append(list, api.ReviewPerson{User: r.User.String(), UserName: cmp.Or(r.Name, r.User.String()), Last: r.At, Findings: found[r.User.String()],
				Strengths: []string{}, Contexts: []string{}, Places: []api.ReviewPlace{}, Devices: []string{}})
		}
		add(&list[i], r, logged[r.Logged])
	}
	slices.SortStableFunc(list, func(a, b api.ReviewPerson) int {
		return cmp.Or(b.Findings-a.Findings, b.New-a.New, strings.Compare(a.UserName, b.UserName))
	})
	return list
}

// add counts one sign-in with what the tenant's log says of it; they come the newest first.
func add(p *api.ReviewPerson, r review.Remembered, e review.Logged) {
	p.First = r.At
	if r.Kind == review.StepUp {
		p.StepUps++
	} else {
		p.SignIns++
	}
	if r.Logged != "" {
		p.Joined++
	}
	if r.New() {
		p.New++
	}
	p.Guest = p.Guest || r.Guest
	p.Strengths = with(p.Strengths, r.Strength)
	p.Devices = with(p.Devices, r.Device)
	for _, s := range e.Strength {
		p.Strengths = with(p.Strengths, s)
	}
	for _, c := range r.Contexts {
		p.Contexts = with(p.Contexts, c)
	}
	i := slices.IndexFunc(p.Places, func(known api.ReviewPlace) bool { return known.IP == r.IP })
	if i < 0 {
		i = len(p.Places)
		p.Places = append(p.Places, api.ReviewPlace{IP: r.IP})
	}
	p.Places[i].Times++
	p.Places[i].Place = cmp.Or(p.Places[i].Place, e.Place)
}

func with(list []string, value string) []string {
	if value == "" || slices.Contains(list, value) {
		return list
	}
	return append(list, value)
}

// reviewGroups says of each group that gives a role in a project whether that was used.
func (s *server) reviewGroups(x reviewed) []api.ReviewGroup {
	type key struct{ project, role, group string }
	used := map[key]review.Use{}
	for _, u := range x.uses {
		if u.Kind == review.OfGroup {
			used[key{u.Project, u.Role, u.ID}] = u
		}
	}
	f, list := s.c.Access.Facts(), []api.ReviewGroup{}
	for _, p := range f.Projects.All() {
		if p.Closed != "" {
			continue
		}
		for _, role := range policy.ProjectRoles() {
			for _, g := range p.Roles[role] {
				use, ok := used[key{p.Name, string(role), g.Object}]
				name := groupName(f, g)
				list = append(list, api.ReviewGroup{Project: p.Name, Role: string(role), Group: g.Object, Name: name, Used: ok, Last: use.Last})
			}
		}
	}
	slices.SortStableFunc(list, func(a, b api.ReviewGroup) int { return unusedFirst(a.Used, b.Used) })
	return list
}

// reviewGrants says of each grant whether it was used. What somebody stepped up for is used at once.
func (s *server) reviewGrants(x reviewed) []api.ReviewGrant {
	used := map[string]review.Use{}
	for _, u := range x.uses {
		if u.Kind == review.OfGrant {
			used[u.ID] = u
		}
	}
	f, list := s.c.Access.Facts(), []api.ReviewGrant{}
	for i := range x.grants {
		g := &x.grants[i]
		if g.Kind == grant.StepUp || g.From.After(x.until) {
			continue
		}
		use, ok := used[string(g.ID)]
		list = append(list, api.ReviewGrant{Grant: grantOf(f, g), Ended: g.Ended, Used: ok, Last: use.Last})
	}
	slices.SortStableFunc(list, func(a, b api.ReviewGrant) int { return unusedFirst(a.Used, b.Used) })
	return list
}

func unusedFirst(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}
