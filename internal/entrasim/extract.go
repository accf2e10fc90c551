package entrasim

import (
	"fmt"
	"slices"
)

// Extract is the tenant as its provisioning service reads it for one enterprise application.
type Extract struct {
	Seq         int64 // of the last change
	Users       map[string]ExtractedUser
	Groups      map[string]ExtractedGroup
	Assignments []Assignment
	Roles       map[string]AppRole // by ID
}

// ExtractedUser is a user, also one that was deleted: Recycled while it can be restored, then Purged.
type ExtractedUser struct {
	User
	Changed          int64 // number of its last change
	Recycled, Purged bool
}

// ExtractedGroup is a group with its direct members, also one that was deleted.
type ExtractedGroup struct {
	Group
	Changed int64
	Deleted bool
}

// Extract reads everything that concerns the app with this client ID or name.
func (t *Tenant) Extract(app string) (Extract, error) {
	a, known := t.App(app)
	if !known {
		return Extract{}, fmt.Errorf("no app has the client ID %s", app)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	e := Extract{
		Seq: t.dir.Seq, Users: make(map[string]ExtractedUser, len(t.dir.Users)), Groups: make(map[string]ExtractedGroup, len(t.dir.Groups)),
		Assignments: slices.Clone(t.dir.Assigned[a.PrincipalID]), Roles: map[string]AppRole{},
	}
	for id, u := range t.dir.Users {
		e.Users[id] = ExtractedUser{User: u.User, Changed: u.Changed, Recycled: u.Recycled != nil, Purged: u.Deleted != 0 && u.Recycled == nil}
	}
	for id, g := range t.dir.Groups {
		e.Groups[id] = ExtractedGroup{Group: g.whole(), Changed: max(g.Changed, g.EntriesSince), Deleted: g.Deleted != 0}
	}
	for _, r := range a.AppRoles {
		e.Roles[r.ID] = r
	}
	return e, nil
}

// ProvisioningAssertion is what the tenant's provisioning service shows at a token endpoint instead of a secret
// (workload identity federation, RFC 7523 §2.2): a token of the tenant's for api://CLIENT-ID, of the service's own
// object ID, [Tenant.ProvisioningSubject].
func (t *Tenant) ProvisioningAssertion(clientID string) (string, error) {
	now := t.now().Unix()
	return t.sign(map[string]any{
		"aud": "api://" + clientID, "iss": t.Issuer(), "iat": now - 300, "nbf": now - 300, "exp": now + 3600,
		"appid": clientID, "appidacr": "2", "idp": t.Issuer(), "oid": t.ProvisioningSubject(), "sub": t.ProvisioningSubject(),
		"tid": t.org.TenantID, "ver": "2.0", "uti": randomID(16),
	})
}

// ProvisioningSubject is the object ID of the tenant's provisioning service.
func (t *Tenant) ProvisioningSubject() string { return "d7c5b6aa-4cf6-49a1-a5ce-0d4c4f2b8e63" }
