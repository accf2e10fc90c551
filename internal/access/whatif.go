package access

import (
	"cmp"
	"iter"
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
)

// Difference is what other facts would mean for who has which role, and for what is open.
type Difference struct {
	Gained, Lost []Right   // sorted by user, project and role
	Closing      []Closing // leases that would be cut, oldest first
}

// Right is a role that a user holds: in a project, or, where Project is empty, in the installation.
type Right struct {
	User    identity.UserID
	Project identity.ProjectID
	Role    policy.Role
}

// Closing is an open lease that other facts would close.
type Closing struct {
	Lease  *Lease
	Reason Reason
}

// WhatIf compares two Facts for the open leases and for who holds which role. touched names whose leases and groups may
// differ, as for Engine.Publish; roles are looked at for them and for who is in a group that projects bind differently.
// Its cost is that of those people's groups and leases, not of users times resources.
func WhatIf(before, after *Facts, touched Touched, leases iter.Seq[*Lease], now time.Time) Difference {
	var d Difference
	was, is := bindings(before), bindings(after)
	for u := range candidates(before, after, touched, was, is) {
		old, new := before.rights(u, was, now), after.rights(u, is, now)
		for r := range old {
			if !new[r] {
				d.Lost = append(d.Lost, r)
			}
		}
		for r := range new {
			if !old[r] {
				d.Gained = append(d.Gained, r)
			}
		}
	}
	named := map[identity.UserID]bool{}
	for _, u := range touched.Users {
		named[u] = true
	}
	for l := range leases {
		if !touched.All && !named[l.Request.Principal.User] && !named[l.Request.Resource.Owner] {
			continue
		}
		judged := judge(after, l.Request, now, alive{open: true}, nil)
		if then := l.Request.stands(after, &judged); then.Effect != Allow {
			d.Closing = append(d.Closing, Closing{l, then.lost(l, after, now)})
		}
	}
	slices.SortFunc(d.Gained, compareRights)
	slices.SortFunc(d.Lost, compareRights)
	slices.SortFunc(d.Closing, func(a, b Closing) int {
		return cmp.Or(a.Lease.Opened.Compare(b.Lease.Opened), cmp.Compare(a.Lease.ID, b.Lease.ID))
	})
	return d
}

// WhatIf tells what publishing other facts would do now. change gets the facts of now, and says whom it touches.
func (e *Engine) WhatIf(change func(Facts) (Facts, Touched)) Difference {
	before := e.Facts()
	after, touched := change(*before)
	return WhatIf(before, &after, touched, e.Leases, e.now())
}

func compareRights(a, b Right) int {
	return cmp.Or(cmp.Compare(a.User.Object, b.User.Object), cmp.Compare(a.Project, b.Project), cmp.Compare(a.Role, b.Role))
}

// bound is a role that a group gives, with the weaker ones that it includes.
type bound struct {
	project identity.ProjectID
	role    policy.Role
}

func bindings(f *Facts) map[identity.GroupID][]bound {
	groups := map[identity.GroupID][]bound{}
	for _, p := range f.Projects.All() {
		for role, list := range p.Roles {
			for _, g := range list {
				groups[g] = append(groups[g], bound{p.ID, role})
			}
		}
	}
	for _, role := range []policy.Role{policy.Admin, policy.Auditor} {
		for _, g := range f.Projects.GlobalGroups(role) {
			groups[g] = append(groups[g], bound{"", role})
		}
	}
	return groups
}

// candidates are the users whose roles may differ.
func candidates(before, after *Facts, touched Touched, was, is map[identity.GroupID][]bound) map[identity.UserID]struct{} {
	users := map[identity.UserID]struct{}{}
	for _, u := range touched.Users {
		users[u] = struct{}{}
	}
	if touched.All && before.Directory != after.Directory {
		for _, f := range []*Facts{before, after} {
			for u := range f.Directory.Users() {
				users[u.ID] = struct{}{}
			}
		}
		return users
	}
	groups := maps.Clone(was)
	maps.Copy(groups, is)
	for g := range groups {
		if !sameBounds(was[g], is[g]) {
			for u := range after.Directory.Below(g) {
				users[u] = struct{}{}
			}
		}
	}
	return users
}

func sameBounds(a, b []bound) bool {
	if len(a) != len(b) {
		return false
	}
	for _, one := range a {
		if !slices.Contains(b, one) {
			return false
		}
	}
	return true
}

// rights are all roles that a user holds now.
func (f *Facts) rights(u identity.UserID, groups map[identity.GroupID][]bound, now time.Time) map[Right]bool {
	held := map[Right]bool{}
	if row, ok := f.Directory.User(u); !ok || !row.Active() {
		return held
	}
	add := func(b bound) {
		if b.project == "" {
			held[Right{u, "", b.role}] = true
			return
		}
		for _, role := range policy.ProjectRoles() {
			if b.role.Includes(role) {
				held[Right{u, b.project, role}] = true
			}
		}
	}
	for _, g := range f.Directory.Groups(u) {
		for _, b := range groups[g] {
			add(b)
		}
	}
	for _, g := range f.Grants.Of(u).All() {
		if _, known := f.Projects.Project(g.Project); known && g.Kind == grant.BreakGlass && g.Live(now) {
			add(bound{g.Project, g.Role})
		}
	}
	return held
}
