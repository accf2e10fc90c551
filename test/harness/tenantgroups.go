package harness

import (
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/entrasim"
)

// CreateGroup makes a security group with members (object IDs) and returns its object ID.
func (t *Tenant) CreateGroup(name string, members ...string) string {
	t.w.T.Helper()
	var made object
	t.Do(http.MethodPost, "/groups", map[string]any{"displayName": name, "mailNickname": "g", "mailEnabled": false, "securityEnabled": true}, &made)
	for _, m := range members {
		t.Add(made.ID, m)
	}
	return made.ID
}

// Rename gives a group another display name.
func (t *Tenant) Rename(group, name string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodPatch, "/groups/"+group, map[string]string{"displayName": name}, nil)
}

// DeleteGroup deletes a group.
func (t *Tenant) DeleteGroup(group string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodDelete, "/groups/"+group, nil, nil)
}

// Assign assigns a user or group to Lanyard's enterprise application with an app role, and returns the assignment's ID.
// An empty role is the default access.
func (t *Tenant) Assign(principal, role string) string {
	t.w.T.Helper()
	if role == "" {
		role = entrasim.DefaultAccess
	}
	app := t.Principal()
	var made object
	t.Do(http.MethodPost, "/servicePrincipals/"+app+"/appRoleAssignedTo", map[string]string{"principalId": principal, "resourceId": app, "appRoleId": role}, &made)
	return made.ID
}

// Unassign takes an assignment back.
func (t *Tenant) Unassign(assignment string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodDelete, "/servicePrincipals/"+t.Principal()+"/appRoleAssignedTo/"+assignment, nil, nil)
}

// Principal is the object ID of Lanyard's enterprise application.
func (t *Tenant) Principal() string {
	t.w.T.Helper()
	return t.find("/servicePrincipals", func(o object) bool { return o.DisplayName == "Lanyard" }, "Lanyard")
}

// EndSignIns ends all sign-ins of a user at the tenant.
func (t *Tenant) EndSignIns(user string) time.Time {
	t.w.T.Helper()
	return t.Do(http.MethodPost, "/users/"+user+"/revokeSignInSessions", nil, nil)
}
