package entrasim

import (
	"net/http"
	"slices"
	"strings"
)

// portalRows is how many rows a page of the portal shows; a tenant of 100,000 people is not for clicking.
const portalRows = 100

// ownPages are the pages of the portal besides the first.
func (t *Tenant) ownPages() {
	t.AddPage("assignments", Page{Body: pages.Lookup("assignments.html"), Data: t.assignmentsPage, Forms: map[string]func(*http.Request) error{
		"assign": func(r *http.Request) error {
			return t.Assign(r.PostForm.Get("app"), strings.TrimSpace(r.PostForm.Get("principal")), r.PostForm.Get("role"))
		},
		"unassign": func(r *http.Request) error { return t.removeAssignment(r.PostForm.Get("app"), r.PostForm.Get("id")) },
	}})
	t.AddPage("apps", Page{Body: pages.Lookup("apps.html"), Data: t.appsPage, Forms: t.appForms()})
	t.AddPage("policies", Page{Body: pages.Lookup("policies.html"), Data: t.policiesPage, Forms: t.policyForms()})
	t.AddPage("signins", Page{Body: pages.Lookup("signins.html"), Data: t.signInsPage})
	t.AddPage("bin", Page{Body: pages.Lookup("bin.html"), Data: t.binPage, Forms: map[string]func(*http.Request) error{
		"restore": func(r *http.Request) error { return t.RestoreUser(r.PostForm.Get("id")) },
		"purge":   func(r *http.Request) error { return t.PurgeUser(r.PostForm.Get("id")) },
	}})
	t.AddPage("faults", Page{Body: pages.Lookup("faults.html"), Data: t.faultsPage, Forms: t.faultForms()})
}

type appOnPage struct {
	ClientID, Name string
	Required       bool
	Roles          []AppRole
	Assigned       []assignmentOnPage
	More           int // assignments that are not shown
}

type assignmentOnPage struct{ ID, PrincipalID, Name, Kind, Role string }

// assignmentsPage shows who is assigned to which app, with which role.
func (t *Tenant) assignmentsPage() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	var shown []appOnPage
	for _, app := range t.apps {
		if app.ClientID == GraphAppID {
			continue
		}
		list := t.dir.Assigned[app.PrincipalID]
		one := appOnPage{ClientID: app.ClientID, Name: app.Name, Required: app.AssignmentRequired, Roles: app.AppRoles, More: max(0, len(list)-portalRows)}
		for _, a := range list[:min(len(list), portalRows)] {
			row := assignmentOnPage{ID: a.ID, PrincipalID: a.PrincipalID, Role: "(access)"}
			if u := t.dir.user(a.PrincipalID); u != nil {
				row.Name, row.Kind = u.DisplayName, "user"
			} else if g := t.dir.group(a.PrincipalID); g != nil {
				row.Name, row.Kind = g.DisplayName, "group"
			}
			for _, role := range app.AppRoles {
				if role.ID == a.AppRoleID {
					row.Role = role.Value
				}
			}
			one.Assigned = append(one.Assigned, row)
		}
		shown = append(shown, one)
	}
	slices.SortFunc(shown, func(a, b appOnPage) int { return strings.Compare(a.Name, b.Name) })
	var choices []portalMember
	for _, id := range t.dir.groupIDs[:min(len(t.dir.groupIDs), portalRows)] {
		if g := t.dir.group(id); g != nil {
			choices = append(choices, portalMember{id, g.DisplayName, "group"})
		}
	}
	for _, id := range t.dir.userIDs[:min(len(t.dir.userIDs), portalRows)] {
		if u := t.dir.user(id); u != nil {
			choices = append(choices, portalMember{id, u.DisplayName, "user"})
		}
	}
	return map[string]any{"Apps": shown, "Choices": choices}
}

func (t *Tenant) removeAssignment(clientID, id string) error {
	return t.onAssignments(clientID, func(_ *directory, _ App, list []Assignment) ([]Assignment, error) {
		rest := slices.DeleteFunc(list, func(a Assignment) bool { return a.ID == id })
		if len(rest) == len(list) {
			return nil, notFound(id)
		}
		return rest, nil
	})
}

// binPage shows what can be restored.
func (t *Tenant) binPage() any {
	t.mu.Lock()
	defer t.mu.Unlock()
	var shown []portalMember
	for _, id := range t.dir.userIDs {
		if u := t.dir.deletedUser(id); u != nil && len(shown) < portalRows {
			shown = append(shown, portalMember{id, u.DisplayName, "user"})
		}
	}
	for _, id := range t.dir.groupIDs {
		if g := t.dir.deletedGroup(id); g != nil && len(shown) < 2*portalRows {
			shown = append(shown, portalMember{id, g.DisplayName, "group"})
		}
	}
	return shown
}
