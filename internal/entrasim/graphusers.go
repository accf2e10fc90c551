package entrasim

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
)

func (t *Tenant) graphUsers(r graphRequest) (graphAnswer, error) {
	if !r.may("User.Read.All", "Directory.Read.All", DirectoryWrite) {
		return graphAnswer{}, forbidden()
	}
	switch {
	case len(r.path) == 1 && r.Method == http.MethodPost:
		return t.postUser(r)
	case len(r.path) == 1 && r.Method == http.MethodGet:
		t.mu.Lock()
		defer t.mu.Unlock()
		return t.list(r, "users", "user", t.dir.userIDs)
	case len(r.path) == 1:
		return graphAnswer{}, notAllowed(r.Method)
	case r.path[1] == "$count" && r.Method == http.MethodGet:
		return t.countOf(r, len(t.Users()))
	case r.path[1] == "delta" || r.path[1] == "delta()":
		return t.delta(r, "users")
	}
	id := strings.ToLower(r.path[1])
	t.mu.Lock()
	if user := t.dir.findUser(r.path[1]); user != nil && strings.Contains(id, "@") {
		id = user.ID
	}
	found := t.dir.user(id) != nil
	t.mu.Unlock()
	if !found {
		return graphAnswer{}, notFound(r.path[1])
	}
	return t.graphOfUser(r, id, r.path[2:])
}

// graphOfUser answers /users/{id} and what lies below it.
func (t *Tenant) graphOfUser(r graphRequest, id string, rest []string) (graphAnswer, error) {
	if len(rest) == 0 {
		switch r.Method {
		case http.MethodGet:
			return t.getObject(r, id, "user", "users")
		case http.MethodPatch:
			return t.patchUser(r, id)
		case http.MethodDelete:
			return t.changeUser(r, id, (*directory).deleteUser)
		}
		return graphAnswer{}, notAllowed(r.Method)
	}
	switch operation := r.Method + " " + strings.TrimPrefix(strings.Join(rest, "/"), "microsoft.graph."); operation {
	case "POST getMemberObjects", "POST getMemberGroups":
		return t.memberObjects(r, id)
	case "GET transitiveMemberOf", "GET transitiveMemberOf/microsoft.graph.group":
		return t.memberOf(r, id, true)
	case "GET memberOf", "GET memberOf/microsoft.graph.group":
		return t.memberOf(r, id, false)
	case "GET transitiveMemberOf/$count":
		return t.countGroups(r, id)
	case "POST checkMemberGroups", "POST checkMemberObjects":
		return t.checkMember(r, id)
	case "POST revokeSignInSessions", "POST invalidateAllRefreshTokens":
		answer, err := t.changeUser(r, id, func(d *directory, u *userRow) { d.revoke(u, t.now()) })
		if err != nil {
			return answer, err
		}
		answer.Body = entity{"@odata.context": t.context("Edm.Boolean", nil), "value": true}
		return answer, err
	}
	if rest[0] == "appRoleAssignments" && r.UserID == "" {
		return t.assignmentsOf(r, id, rest[1:])
	}
	return graphAnswer{}, &graphError{Status: http.StatusBadRequest, Code: "BadRequest", Message: "Resource not found for the segment '" + rest[0] + "'."}
}

// getObject answers one user or group.
func (t *Tenant) getObject(r graphRequest, id, kind, set string) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	selected, err := t.selected(r.URL.Query(), kind)
	if err != nil {
		return graphAnswer{}, err
	}
	if t.dir.kind(id) != kind {
		return graphAnswer{}, notFound(id)
	}
	e := t.shown(id, selected)
	e["@odata.context"] = t.context(set, selected) + "/$entity"
	return graphAnswer{Body: e}, nil
}

func (t *Tenant) changeUser(r graphRequest, id string, f func(*directory, *userRow)) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.change(func(d *directory) error {
		u := d.user(id)
		if u == nil {
			return notFound(id)
		}
		f(d, u)
		return nil
	})
}

// memberObjects answers getMemberObjects: the IDs of all groups that contain the user, also through
// other groups, on one page.
func (t *Tenant) memberObjects(r graphRequest, id string) (graphAnswer, error) {
	var body struct {
		SecurityEnabledOnly *bool `json:"securityEnabledOnly"`
	}
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if body.SecurityEnabledOnly == nil {
		return graphAnswer{}, badRequest("The parameter 'securityEnabledOnly' is missing.")
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.dir.groupsOf(id, true)
	if ids == nil {
		ids = []string{}
	}
	return graphAnswer{Body: entity{"@odata.context": t.context("Collection(Edm.String)", nil), "value": ids}}, nil
}

func (t *Tenant) memberOf(r graphRequest, id string, transitive bool) (graphAnswer, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	ids := t.dir.groupsOf(id, transitive)
	if strings.HasSuffix(r.URL.Path, "/microsoft.graph.group") {
		return t.list(r, "groups", "group", ids)
	}
	return t.listObjects(r, ids)
}

func (t *Tenant) postUser(r graphRequest) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	var body map[string]json.RawMessage
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	if body["accountEnabled"] == nil {
		return graphAnswer{}, badRequest("A value is required for property 'accountEnabled' of resource 'User'.")
	}
	user := userRow{User: User{ID: newGUID(), CreatedDateTime: t.now().UTC()}}
	if _, err := setUser(&user.User, body); err != nil {
		return graphAnswer{}, err
	}
	var made entity
	err := t.change(func(d *directory) error {
		row, err := d.createUser(user.User)
		if err == nil {
			made = projected(userEntity(row), userDefaults())
			made["@odata.context"] = t.context("users", nil) + "/$entity"
		}
		return err
	})
	return graphAnswer{Status: http.StatusCreated, Body: made, Location: t.graphURL("users/" + user.ID)}, err
}

func (t *Tenant) patchUser(r graphRequest, id string) (graphAnswer, error) {
	if err := r.mayWrite(); err != nil {
		return graphAnswer{}, err
	}
	var body map[string]json.RawMessage
	if err := r.body(&body); err != nil {
		return graphAnswer{}, err
	}
	return graphAnswer{}, t.change(func(d *directory) error {
		u := d.user(id)
		if u == nil {
			return notFound(id)
		}
		changed := u.User
		props, err := setUser(&changed, body)
		if err != nil {
			return err
		}
		if other := d.findUser(changed.UserPrincipalName); other != nil && other.ID != id && strings.EqualFold(other.UserPrincipalName, changed.UserPrincipalName) {
			return badRequest("Another object with the same value for property userPrincipalName already exists.")
		}
		u.User = changed
		if slices.Contains(props, "passwordProfile") {
			d.revoke(u, t.now()) // a password that an administrator set ends what went before
		}
		d.updatedUser(u, props...)
		return nil
	})
}

// setUser sets the writable properties of a user from Graph's JSON and names those it set.
func setUser(u *User, body map[string]json.RawMessage) ([]string, error) {
	fields := map[string]any{
		"userPrincipalName": &u.UserPrincipalName, "displayName": &u.DisplayName, "givenName": &u.GivenName, "surname": &u.Surname,
		"mail": &u.Mail, "jobTitle": &u.JobTitle, "department": &u.Department, "accountEnabled": &u.AccountEnabled,
	}
	var props []string
	for name, raw := range body {
		switch target, writable := fields[name]; {
		case name == "mailNickname": // it follows from the user principal name here
		case name == "passwordProfile":
			var profile struct{ Password string }
			if json.Unmarshal(raw, &profile) != nil || profile.Password == "" {
				return nil, badRequest("The specified password does not comply with password complexity requirements. Please provide a different password.")
			}
			u.Password = profile.Password
		case !writable:
			return nil, badRequest("Invalid property '" + name + "'.")
		case json.Unmarshal(raw, target) != nil:
			return nil, badRequest("Invalid value specified for property '" + name + "' of resource 'User'.")
		}
		props = append(props, name)
	}
	return props, nil
}
