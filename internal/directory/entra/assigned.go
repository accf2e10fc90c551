package entra

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// assignments are who is assigned to our enterprise application: which groups are, whatever the app role, and who holds
// which app role directly.
type assignments struct {
	groups  map[string]bool   // object IDs
	roles   []directory.Group // for each app role that is enabled
	holders map[directory.Membership]bool
}

// sweepAssignments reads who is assigned to our enterprise application and applies what changed in that. Nothing rings
// for it. reading is held.
func (s *Source) sweepAssignments(ctx context.Context) error {
	now, err := s.readAssignments(ctx)
	if err != nil {
		return err
	}
	s.assigned = now.groups
	snapshot := s.directory.Snapshot()
	g := newGathering(s.tenant, snapshot, now.groups, s.hidden)
	g.assign()
	c := g.change()
	now.difference(snapshot, s.tenant, &c)
	if len(c.Groups)+len(c.GoneGroups)+len(c.Members) == 0 {
		return nil
	}
	s.learned(time.Now())
	return s.apply(ctx, c, reasonAssigned, applyWait)
}

// readAssignments reads the app roles of our app registration and who is assigned to its enterprise application. Where
// we may not read that, or there is no such application, all stays as it was: with none assigned, if it never was read,
// so that no group can be meant by its name. reading is held.
func (s *Source) readAssignments(ctx context.Context) (assignments, error) {
	roles, err := s.appRoles(ctx)
	var now assignments
	if err == nil {
		now, err = s.assignedTo(ctx, roles)
	}
	switch status := statusOf(err); {
	case status == http.StatusForbidden || status == http.StatusNotFound || status == http.StatusBadRequest || status == http.StatusNotImplemented:
		if !s.blind {
			s.blind = true
			s.log.Warn("who is assigned to Lanyard's enterprise application cannot be read; it stays as it was", "error", err)
		}
		s.figures.say(func(st *State) { st.Roles = clipped(err) })
		return s.assignedBefore(), nil
	case err != nil:
		return now, fmt.Errorf("read who is assigned to Lanyard: %w", err)
	}
	s.blind = false
	s.figures.say(func(st *State) { st.Roles = "" })
	return now, nil
}

func (s *Source) principal() string {
	return s.graph.url("/servicePrincipals(appId='" + url.PathEscape(s.clientID) + "')")
}

// appRoles are the values of the app roles that are enabled, by ID. A role without a value is in no token either.
func (s *Source) appRoles(ctx context.Context) (map[string]string, error) {
	var app servicePrincipal
	if _, err := s.graph.get(ctx, s.principal()+"?$select=id,appRoles", &app); err != nil {
		return nil, err
	}
	roles := map[string]string{}
	for _, r := range app.AppRoles {
		if id := objectID(r.ID); r.IsEnabled && r.Value != "" && id != "" {
			roles[id] = r.Value
		}
	}
	return roles, nil
}

func (s *Source) assignedTo(ctx context.Context, roles map[string]string) (assignments, error) {
	now := assignments{groups: map[string]bool{}, holders: map[directory.Membership]bool{}}
	for _, value := range slices.Compact(slices.Sorted(maps.Values(roles))) {
		now.roles = append(now.roles, directory.Group{ID: identity.AppRole(s.tenant, value), Name: "app role " + value})
	}
	link := s.principal() + "/appRoleAssignedTo"
	for pages := 0; link != ""; pages++ {
		var page assignmentPage
		if _, err := s.graph.get(ctx, link, &page); err != nil {
			return now, err
		}
		for _, a := range page.Value {
			id := objectID(a.PrincipalID)
			var holder directory.Member
			switch {
			case id == "":
				continue
			case a.PrincipalType == "Group":
				now.groups[id] = true
				holder.Group = identity.GroupID{Tenant: s.tenant, Object: id}
			case a.PrincipalType == "User":
				holder.User = identity.UserID{Tenant: s.tenant, Object: id}
			default:
				continue
			}
			if value, enabled := roles[objectID(a.AppRoleID)]; enabled {
				now.holders[directory.Membership{Group: identity.AppRole(s.tenant, value), Member: holder}] = true
			}
		}
		if link == page.NextLink || pages > pagesAtMost {
			return now, errEndless
		}
		link = page.NextLink
	}
	return now, nil
}

// assignedBefore is what the directory has.
func (s *Source) assignedBefore() assignments {
	was := assignments{groups: map[string]bool{}, holders: map[directory.Membership]bool{}}
	snapshot := s.directory.Snapshot()
	for g := range snapshot.AllGroups() {
		if g.ID.Tenant != s.tenant {
			continue
		}
		if g.Assigned {
			was.groups[g.ID.Object] = true
		}
		if _, role := g.ID.AppRole(); role {
			was.roles = append(was.roles, *g)
			for m := range snapshot.Members(g.ID) {
				was.holders[directory.Membership{Group: g.ID, Member: m}] = true
			}
		}
	}
	return was
}

// addTo makes the app roles part of a change that replaces all groups.
func (a assignments) addTo(c *directory.Change) {
	c.Groups = append(c.Groups, a.roles...)
	c.Members = slices.AppendSeq(c.Members, maps.Keys(a.holders))
}

// difference adds to a change what makes the app roles of old those of a.
func (a assignments) difference(old *directory.Snapshot, tenant identity.TenantID, c *directory.Change) {
	now := map[identity.GroupID]bool{}
	for _, role := range a.roles {
		now[role.ID] = true
		if was, there := old.Group(role.ID); !there || *was != role {
			c.Groups = append(c.Groups, role)
		}
	}
	had := map[directory.Membership]bool{}
	for g := range old.AllGroups() {
		if _, role := g.ID.AppRole(); !role || g.ID.Tenant != tenant {
			continue
		}
		if !now[g.ID] {
			c.GoneGroups = append(c.GoneGroups, g.ID)
			continue
		}
		for m := range old.Members(g.ID) {
			had[directory.Membership{Group: g.ID, Member: m}] = true
		}
	}
	for m := range had {
		if !a.holders[m] {
			m.Removed = true
			c.Members = append(c.Members, m)
		}
	}
	for m := range a.holders {
		if !had[m] {
			c.Members = append(c.Members, m)
		}
	}
}
