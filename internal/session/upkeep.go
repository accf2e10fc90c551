package session

import (
	"context"
	"time"

	"sync/atomic"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	upkeepEvery = time.Second
	forgetAfter = 24 * time.Hour
)

// Touch notes that a session was used now. It is cheap enough for every request.
func (m *Manager) Touch(id identity.SessionID) {
	m.noteUse(id, m.c.Now())
}

// noteUse notes a use that is not older than the last one known.
func (m *Manager) noteUse(id identity.SessionID, when time.Time) {
	now := when.Unix()
	m.using.RLock()
	at := m.used[id]
	m.using.RUnlock()
	if at == nil {
		m.using.Lock()
		if at = m.used[id]; at == nil {
			at = new(atomic.Int64)
			m.used[id] = at
		}
		m.using.Unlock()
	}
	if at.Load() < now {
		at.Store(now)
	}
}

// Run ends idle browser sessions, records what could not be recorded before, and forgets what ended long ago, until
// ctx ends.
func (m *Manager) Run(ctx context.Context) {
	tick := time.NewTicker(upkeepEvery)
	defer tick.Stop()
	lastSweep := m.c.Now()
	for {
		select {
		case <-ctx.Done():
			m.record(context.WithoutCancel(ctx))
			m.noted = time.Time{}
			m.storeUses(context.WithoutCancel(ctx))
			return
		case <-tick.C:
			m.record(ctx)
			if m.c.Shared {
				m.storeUses(ctx)
			}
			m.endIdle(ctx)
			if now := m.c.Now(); now.Sub(lastSweep) > time.Hour {
				lastSweep = now
				m.forget(now.Add(-forgetAfter))
			}
		}
	}
}

// endIdle ends the browser sessions that were not used for the idle time. A use of a site session counts for the
// browser session it came from, and so does one at another replica.
func (m *Manager) endIdle(ctx context.Context) {
	now := m.c.Now()
	set := m.Set()
	for signIn := range set.All {
		if !signIn.Ended.IsZero() {
			continue
		}
		idle := m.idle(set.Below(signIn.ID), now, m.c.Idle)
		if len(idle) == 0 {
			continue
		}
		if m.c.Shared && !m.idleElsewhere(ctx, set.Below(signIn.ID), now) {
			continue
		}
		for _, s := range idle {
			m.EndSession(ctx, s.ID, "the browser session was idle for "+m.c.Idle.String(), audit.Event{
				Time: now, Action: "session:idle", Outcome: audit.Done, Session: s.ID,
				User: audit.PersonOf(s.User, signIn.Name),
			})
		}
	}
}

// idle are the browser sessions among those of a sign-in that were not used for so long.
func (m *Manager) idle(below []*Session, now time.Time, bound time.Duration) (idle []*Session) {
	last := map[identity.SessionID]time.Time{}
	for _, s := range below {
		used := m.lastUse(s)
		if s.Parent != "" && last[s.Parent].Before(used) {
			last[s.Parent] = used
		}
		if last[s.ID].Before(used) {
			last[s.ID] = used
		}
	}
	for _, s := range below {
		if s.Kind == Browser && s.Ended.IsZero() && now.Sub(last[s.ID]) > bound {
			idle = append(idle, s)
		}
	}
	return idle
}

// idleElsewhere asks the store, where every replica notes its uses, and notes here what it learns. A use that is not
// noted there yet is younger than noteEvery allows.
func (m *Manager) idleElsewhere(ctx context.Context, below []*Session, now time.Time) bool {
	ids := make([]string, len(below))
	for i, s := range below {
		ids[i] = string(s.ID)
	}
	_, rows, err := m.c.Rows.ReadSessions(ctx, ids)
	if err != nil {
		return false // nobody is signed out for want of a database
	}
	for i := range rows {
		m.noteUse(rows[i].ID, rows[i].Used)
	}
	return len(m.idle(below, now, m.c.Idle+2*m.noteEvery())) > 0
}

// noteEvery is how often uses are stored.
func (m *Manager) noteEvery() time.Duration { return min(time.Minute, max(m.c.Idle/8, upkeepEvery)) }

// storeUses stores the uses since it last did. Where that fails, the next time does it.
func (m *Manager) storeUses(ctx context.Context) {
	now := m.c.Now()
	if now.Sub(m.noted) < m.noteEvery() {
		return
	}
	since := m.noted.Add(-2 * time.Second) // uses are kept in whole seconds
	used := map[identity.SessionID]time.Time{}
	m.using.RLock()
	for id, at := range m.used {
		if at := time.Unix(at.Load(), 0); at.After(since) {
			used[id] = at
		}
	}
	m.using.RUnlock()
	if len(used) > 0 {
		limited, cancel := context.WithTimeout(ctx, saveWithin)
		defer cancel()
		if err := m.c.Rows.NoteUse(limited, used); err != nil {
			return
		}
	}
	m.noted = now
}

func (m *Manager) lastUse(s *Session) time.Time {
	m.using.RLock()
	at := m.used[s.ID]
	m.using.RUnlock()
	if at != nil {
		if used := time.Unix(at.Load(), 0); used.After(s.Used) {
			return used
		}
	}
	return s.Used
}

// remember keeps an ending that could not be stored.
func (m *Manager) remember(signIns []SignIn, sessions []Session, events []audit.Event) {
	u := &m.unsaved
	u.Lock()
	defer u.Unlock()
	for _, row := range signIns {
		u.signIns[row.ID] = row
	}
	for _, row := range sessions {
		u.sessions[row.ID] = row
	}
	u.events = append(u.events, events...)
}

// record stores the endings that could not be stored when they happened.
func (m *Manager) record(ctx context.Context) {
	u := &m.unsaved
	u.Lock()
	defer u.Unlock()
	if len(u.signIns)+len(u.sessions) == 0 {
		return
	}
	var signIns []SignIn
	for _, row := range u.signIns {
		signIns = append(signIns, row)
	}
	var sessions []Session
	for _, row := range u.sessions {
		sessions = append(sessions, row)
	}
	ctx, cancel := context.WithTimeout(ctx, saveWithin)
	defer cancel()
	if _, err := m.c.Rows.SaveSessions(ctx, signIns, sessions, entry(signIns, sessions), u.events...); err != nil {
		return // said when it first failed
	}
	clear(u.signIns)
	clear(u.sessions)
	u.events = nil
	m.c.Log.Info("the endings that could not be recorded are recorded now")
}

// forget drops what ended before a moment from memory.
func (m *Manager) forget(before time.Time) {
	m.showing.Lock()
	defer m.showing.Unlock()
	set := m.Set().Without(before)
	m.set.Store(set)
	m.c.Publish(set, nil, 0)
	m.using.Lock()
	defer m.using.Unlock()
	for id := range m.used {
		if _, _, ok := set.Session(id); !ok {
			delete(m.used, id)
		}
	}
}
