package entrasim

import (
	"slices"
	"time"
)

// Assignments lists who is assigned to an app now, and with which of its roles.
func (t *Tenant) Assignments(clientID string) []Assignment {
	app, known := t.App(clientID)
	if !known {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.dir.Assigned[app.PrincipalID])
}

// SignInsValidFrom is the moment before which all sign-ins of a user were ended, as Graph says it: in whole seconds.
func (t *Tenant) SignInsValidFrom(user string) time.Time {
	t.mu.Lock()
	defer t.mu.Unlock()
	u := t.dir.findUser(user)
	if u == nil {
		return time.Time{}
	}
	return u.SignInsValidFrom.UTC().Truncate(time.Second)
}
