package entrasim

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"
)

// TenantID is the tenant's GUID (`tid`).
func (t *Tenant) TenantID() string { return t.org.TenantID }

// Issuer is the `iss` of every token, and the base of discovery.
func (t *Tenant) Issuer() string { return t.url + "/" + t.org.TenantID + "/v2.0" }

// GraphURL is the base of the directory's API, without a trailing slash.
func (t *Tenant) GraphURL() string { return t.url + "/v1.0" }

// GraphScope is the scope of a client_credentials request for the directory's API. The name that
// Microsoft Graph has everywhere, https://graph.microsoft.com/.default, is taken too.
func (t *Tenant) GraphScope() string { return t.url + "/.default" }

// PortalURL is the page on which the directory is changed by hand.
func (t *Tenant) PortalURL() string { return t.url + "/portal" }

// App returns the registration with this client ID or name.
func (t *Tenant) App(ref string) (App, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for id, a := range t.apps {
		if strings.EqualFold(id, ref) || a.Name == ref {
			return a, true
		}
	}
	return App{}, false
}

// SetRedirects changes where an app's sign-in may return to, and its front-channel logout URL.
func (t *Tenant) SetRedirects(clientID string, redirectURIs []string, logoutURL string) error {
	return t.changeApp(clientID, func(a *App) { a.RedirectURIs, a.LogoutURL = slices.Clone(redirectURIs), logoutURL })
}

// Users lists the people that are in the directory now, by user principal name.
func (t *Tenant) Users() []User {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []User
	for _, u := range t.dir.Users {
		if u.Deleted == 0 {
			list = append(list, u.User)
		}
	}
	slices.SortFunc(list, func(a, b User) int { return strings.Compare(a.UserPrincipalName, b.UserPrincipalName) })
	return list
}

// Groups lists the groups that are in the directory now with their direct members, by name.
func (t *Tenant) Groups() []Group {
	t.mu.Lock()
	defer t.mu.Unlock()
	var list []Group
	for _, g := range t.dir.Groups {
		if g.Deleted == 0 {
			list = append(list, g.whole())
		}
	}
	slices.SortFunc(list, func(a, b Group) int { return strings.Compare(a.DisplayName, b.DisplayName) })
	return list
}

// whole is the group with its members.
func (g *groupRow) whole() Group {
	out := g.Group
	out.Members = g.memberIDs()
	return out
}

// User finds a person by object ID, user principal name or user name.
func (t *Tenant) User(ref string) (User, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if u := t.dir.findUser(ref); u != nil {
		return u.User, true
	}
	return User{}, false
}

// Group finds a group by object ID or name.
func (t *Tenant) Group(ref string) (Group, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if g := t.dir.findGroup(ref); g != nil {
		return g.whole(), true
	}
	return Group{}, false
}

// CreateUser adds a person and returns it with what was filled in: the object ID, and, when only a
// user name stands in UserPrincipalName, domain, mail, display name and password as in the sample.
func (t *Tenant) CreateUser(u User) (User, error) {
	if u.ID == "" {
		u.ID = newGUID()
	}
	if name := u.UserPrincipalName; name != "" && !strings.Contains(name, "@") {
		u.UserPrincipalName = name + "@" + t.org.Domain
	}
	if u.Mail == "" {
		u.Mail = u.UserPrincipalName
	}
	if u.DisplayName == "" {
		u.DisplayName = u.UserName()
	}
	if u.Password == "" {
		u.Password = "lanyard-" + u.UserName()
	}
	if u.CreatedDateTime.IsZero() {
		u.CreatedDateTime = t.now().UTC()
	}
	return u, t.change(func(d *directory) error {
		_, err := d.createUser(u)
		return err
	})
}

// SetEnabled sets accountEnabled.
func (t *Tenant) SetEnabled(user string, enabled bool) error {
	return t.onUser(user, func(d *directory, u *userRow) { d.setEnabled(u, enabled) })
}

// DeleteUser deletes a person, who leaves every group.
func (t *Tenant) DeleteUser(user string) error {
	return t.onUser(user, (*directory).deleteUser)
}

// RevokeSessions ends a person's sign-ins and refresh tokens, as revokeSignInSessions does.
func (t *Tenant) RevokeSessions(user string) error {
	return t.onUser(user, func(d *directory, u *userRow) { d.revoke(u, t.now()) })
}

func (t *Tenant) onUser(ref string, f func(*directory, *userRow)) error {
	return t.change(func(d *directory) error {
		u := d.findUser(ref)
		if u == nil {
			return notFound(ref)
		}
		f(d, u)
		return nil
	})
}

// CreateGroup adds a security group with its members and returns it with its object ID.
func (t *Tenant) CreateGroup(g Group) (Group, error) {
	if g.ID == "" {
		g.ID = newGUID()
	}
	if g.CreatedDateTime.IsZero() {
		g.CreatedDateTime = t.now().UTC()
	}
	return g, t.change(func(d *directory) error {
		row, err := d.createGroup(g)
		for _, m := range g.Members {
			if err == nil {
				err = d.addMember(row, m)
			}
		}
		return err
	})
}

// RenameGroup changes a group's display name; its ID stays.
func (t *Tenant) RenameGroup(group, name string) error {
	return t.onGroup(group, func(d *directory, g *groupRow) error {
		if strings.TrimSpace(name) == "" {
			return badRequest("A value is required for property 'displayName' of resource 'Group'.")
		}
		g.DisplayName = name
		d.updatedGroup(g, "displayName")
		return nil
	})
}

// DeleteGroup deletes a group for good.
func (t *Tenant) DeleteGroup(group string) error {
	return t.onGroup(group, func(d *directory, g *groupRow) error { d.deleteGroup(g); return nil })
}

// AddMember puts a user or a group (by ID or name) into a group.
func (t *Tenant) AddMember(group, member string) error {
	return t.onGroup(group, func(d *directory, g *groupRow) error { return d.addMember(g, d.memberID(member)) })
}

// RemoveMember takes a user or a group out of a group.
func (t *Tenant) RemoveMember(group, member string) error {
	return t.onGroup(group, func(d *directory, g *groupRow) error { return d.removeMember(g, d.memberID(member)) })
}

func (t *Tenant) onGroup(ref string, f func(*directory, *groupRow) error) error {
	return t.change(func(d *directory) error {
		g := d.findGroup(ref)
		if g == nil {
			return notFound(ref)
		}
		return f(d, g)
	})
}

// memberID finds a user or group by ID or name; what is neither is given back as it is.
func (d *directory) memberID(ref string) string {
	if g := d.group(strings.ToLower(ref)); g != nil {
		return g.ID
	}
	if u := d.findUser(ref); u != nil {
		return u.ID
	}
	if g := d.findGroup(ref); g != nil {
		return g.ID
	}
	return ref
}

// ExpireDeltaTokens makes every delta token unknown: clients get 410 Gone and have to read anew.
func (t *Tenant) ExpireDeltaTokens() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.dir.Generation = randomID(9)
	if err := t.writeDirectory(); err != nil {
		t.log.Error("the tenant's directory was not saved", "error", err)
	}
}

// RequireReauthorization sends the lifecycle event reauthorizationRequired to every subscription
// that has a lifecycle URL, and waits for the answers. A subscription that is not authorized anew or renewed within ten
// minutes of the tenant's clock is told of nothing that happens later, until it is.
func (t *Tenant) RequireReauthorization(ctx context.Context) error {
	type letter struct {
		to string
		n  notification
	}
	var letters []letter
	t.mu.Lock()
	for _, s := range t.subs {
		if s.LifecycleURL != "" {
			s.AuthorizedTo = t.now().Add(reauthorizeWithin)
			letters = append(letters, letter{s.LifecycleURL, notification{
				LifecycleEvent: "reauthorizationRequired", SubscriptionID: s.ID, ClientState: s.ClientState,
				Expires: s.Expires.UTC().Format(time.RFC3339Nano), TenantID: t.org.TenantID,
			}})
		}
	}
	t.mu.Unlock()
	var failed []error
	for _, l := range letters {
		failed = append(failed, t.post(ctx, l.to, []notification{l.n}))
	}
	return errors.Join(failed...)
}
