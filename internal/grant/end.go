package grant

import (
	"context"
	"maps"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// saveWithin bounds how long an ending waits for the store; it is in force before, and tried again after.
const saveWithin = 10 * time.Second

// Ended says what an ending ended.
type Ended struct {
	Grants int
	// Unrecorded: ended here, but the store could not be written yet; it is tried again.
	Unrecorded bool
}

// Revoke ends a grant. The event is what the caller knows of who ends it.
func (m *Manager) Revoke(ctx context.Context, id identity.GrantID, why string, e audit.Event) Ended {
	return m.take(ctx, why, func(s *Set) []*Grant {
		if g, ok := s.Grant(id); ok {
			return []*Grant{g}
		}
		return nil
	}, e)
}

// RevokeAll ends all that a user holds.
func (m *Manager) RevokeAll(ctx context.Context, u identity.UserID, why string, e audit.Event) Ended {
	return m.take(ctx, why, func(s *Set) []*Grant { return s.Of(u).All() }, e)
}

// take publishes first: access ends whether or not the store can be written, and also while an approval waits for it.
func (m *Manager) take(ctx context.Context, why string, choose func(*Set) []*Grant, e audit.Event) Ended {
	m.showing.Lock()
	now := m.c.Now()
	var grants []Grant
	for _, g := range choose(m.Set()) {
		if !now.Before(g.Until) {
			continue // over already
		}
		ended := *g
		ended.Ended, ended.EndedWhy = now, why
		grants = append(grants, ended)
	}
	if len(grants) == 0 {
		m.showing.Unlock()
		return Ended{}
	}
	var ids []identity.GrantID
	var events []audit.Event
	for _, g := range grants {
		m.ended[g.ID] = g
		ids = append(ids, g.ID)
		one := g.event(e, string(identity.GrantRevoke), audit.Done)
		one.Reasons = []string{why}
		events = append(events, one)
	}
	m.show(append([]Grant(nil), grants...), 0)
	m.showing.Unlock()

	done := Ended{Grants: len(grants)}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), saveWithin)
	defer cancel()
	if _, err := m.c.Rows.SaveGrants(ctx, grants, entry(ids...), events...); err != nil {
		done.Unrecorded = true
		m.c.Log.Error("grants were ended here but could not be recorded; trying again", "error", err)
		m.unsaved.Lock()
		defer m.unsaved.Unlock()
		m.unsaved.grants = append(m.unsaved.grants, grants...)
		m.unsaved.events = append(m.unsaved.events, events...)
	}
	return done
}

const upkeepEvery = time.Second

// Run records what could not be recorded before, and forgets what is long over, until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	swept := m.c.Now()
	for {
		select {
		case <-ctx.Done():
			m.record(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			m.record(ctx)
			if now := m.c.Now(); now.Sub(swept) > time.Hour {
				swept = now
				m.forget(now)
				if err := m.c.Rows.ForgetGrants(ctx, now.Add(-kept-PendingFor)); err != nil && ctx.Err() == nil {
					m.c.Log.Warn("old requests and grants could not be deleted; trying again in an hour", "error", err)
				}
			}
		}
	}
}

// record stores the endings that could not be stored when they happened.
func (m *Manager) record(ctx context.Context) {
	m.unsaved.Lock()
	defer m.unsaved.Unlock()
	if len(m.unsaved.grants) == 0 {
		return
	}
	var ids []identity.GrantID
	for _, g := range m.unsaved.grants {
		ids = append(ids, g.ID)
	}
	ctx, cancel := context.WithTimeout(ctx, saveWithin)
	defer cancel()
	if _, err := m.c.Rows.SaveGrants(ctx, m.unsaved.grants, entry(ids...), m.unsaved.events...); err != nil {
		return // said when it first failed
	}
	m.unsaved.grants, m.unsaved.events = nil, nil
	m.c.Log.Info("the endings of grants that could not be recorded are recorded now")
}

// forget drops what is long over from memory.
func (m *Manager) forget(now time.Time) {
	m.asking.Lock()
	for id, q := range m.requests {
		if now.Sub(q.Asked) > kept+PendingFor {
			delete(m.requests, id)
		}
	}
	m.asking.Unlock()
	m.showing.Lock()
	defer m.showing.Unlock()
	maps.DeleteFunc(m.ended, func(_ identity.GrantID, g Grant) bool { return !now.Before(g.Until) })
	set := m.Set().without(now)
	m.set.Store(set)
	m.c.Publish(set, nil, 0)
}
