package workspace

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Life is how long a workspace goes on.
type Life struct {
	Timeout time.Duration // without use; zero: as long as it likes
	Used    time.Time     // when it was last in use
	Began   time.Time     // when it last started to run; zero: it does not run
	Stops   time.Time     // when it stops unless it is used; zero: it does not by itself
	Last    time.Time     // when it stops in any case; zero: never
	Notice  string        // that it stops soon, as people were told; empty: nobody was
}

// Life says how long a workspace goes on.
func (m *Manager) Life(id identity.WorkspaceID) (Life, bool) {
	row, ok := m.Get(id)
	if !ok {
		return Life{}, false
	}
	limit := m.timeout(row)
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.entries[id]
	if e == nil {
		return Life{}, false
	}
	return m.life(e, limit), true
}

// timeout is how long a workspace runs without use: what its owner set, within what the configuration allows, else its
// project's. It asks for facts, so the lock is not held.
func (m *Manager) timeout(row Workspace) time.Duration {
	if row.Timeout <= 0 {
		return m.c.Timeout(row)
	}
	if most := m.c.Rules.MaxTimeout; most > 0 {
		return min(row.Timeout, most)
	}
	return row.Timeout
}

// life is Life under the lock.
func (m *Manager) life(e *entry, timeout time.Duration) Life {
	l := Life{Timeout: timeout, Used: e.row.Used, Notice: cmp.Or(e.notice, e.beyond)}
	if e.row.Phase != Running {
		return l
	}
	l.Used, l.Began = e.used, e.row.Began
	if timeout > 0 {
		l.Stops = e.used.Add(timeout)
	}
	if most := m.c.Rules.MaxLife; most > 0 && !l.Began.IsZero() {
		l.Last = l.Began.Add(most)
		if l.Stops.IsZero() || l.Last.Before(l.Stops) {
			l.Stops = l.Last
		}
	}
	return l
}

// Extend lets a running workspace's timeout begin anew, as if somebody had just used it.
func (m *Manager) Extend(id identity.WorkspaceID) (Life, error) {
	m.mu.Lock()
	e := m.entries[id]
	switch {
	case e == nil:
		m.mu.Unlock()
		return Life{}, problem.New(problem.NotFound, "There is no workspace %s.", id)
	case e.row.Phase != Running:
		m.mu.Unlock()
		return Life{}, problem.New(problem.Conflict, "The workspace %s does not run, so it has no timeout that could be extended.", id)
	}
	e.used, e.notice = m.c.Now(), ""
	m.mu.Unlock()
	l, _ := m.Life(id)
	return l, nil
}

// overTime warns and stops what nobody uses, and what ran for as long as it may.
func (m *Manager) overTime(ctx context.Context) {
	for _, row := range m.List() {
		if m.mine(row) && row.Phase == Running && row.Desired == WantRunning {
			m.timeOut(ctx, row)
		}
	}
}

// storeUseEvery is how far the stored time of a workspace's last use is behind, at most.
const storeUseEvery = 15 * time.Minute

func (m *Manager) timeOut(ctx context.Context, row Workspace) {
	now := m.c.Now()
	limit := m.timeout(row)
	inUse := m.inUse(row.ID) // not under the lock: it may ask for the workspace
	m.mu.Lock()
	e := m.entries[row.ID]
	if e == nil {
		m.mu.Unlock()
		return
	}
	if inUse {
		e.used = now
	}
	life := m.life(e, limit)
	store := inUse && now.Sub(e.row.Used) > storeUseEvery
	text, warn := "", false
	switch {
	case life.Stops.IsZero() || now.Before(life.Stops.Add(-m.warnBefore(limit))):
		e.notice = ""
	case now.Before(life.Stops) && e.notice == "":
		text, warn = notice(life, now), true
		e.notice = text
		m.tell(e, "", text)
	}
	m.mu.Unlock()
	switch {
	case store:
		m.storeUse(ctx, row.ID)
	case warn:
		if m.c.Warn != nil {
			m.c.Warn(ctx, row, text)
		}
	case !life.Stops.IsZero() && !now.Before(life.Stops):
		m.end(ctx, row, life)
	}
}

// warnBefore is how long before its end a workspace is told.
func (m *Manager) warnBefore(timeout time.Duration) time.Duration {
	warn := m.c.Rules.WarnBefore
	if warn <= 0 {
		warn = DefaultWarn
	}
	if timeout > 0 {
		warn = min(warn, timeout/3)
	}
	return warn
}

// notice says when a workspace stops, why, and what keeps it.
func notice(l Life, now time.Time) string {
	left := problem.Length(max(time.Second, l.Stops.Sub(now)))
	if l.Stops.Equal(l.Last) {
		return fmt.Sprintf("This workspace stops in %s: it has run for as long as a workspace may. Its files are kept.", left)
	}
	return fmt.Sprintf("This workspace stops in %s unless it is used. Its files are kept; `lanyard timeout extend` keeps it running.", left)
}

// end stops a workspace whose time is up.
func (m *Manager) end(ctx context.Context, row Workspace, l Life) {
	why := "nobody used it for " + problem.Length(l.Timeout)
	if l.Stops.Equal(l.Last) {
		why = "it ran for " + problem.Length(m.c.Rules.MaxLife) + ", which is as long as a workspace may"
	}
	m.endBecause(ctx, row, why)
}

// endBecause stops a workspace on the machine's own account.
func (m *Manager) endBecause(ctx context.Context, row Workspace, why string) {
	m.say(row.ID, "", "Stopping, because "+why+".")
	ev := m.event(row, "workspace:stop", "")
	ev.Actor, ev.Reasons = "service:workspaces", []string{why}
	if err := m.Want(ctx, row.ID, WantStopped, ev); err != nil {
		m.c.Log.Error("a workspace could not be stopped", "workspace", row.ID, "why", why, "error", err)
	}
}

// storeUse stores when a workspace was last used, as far as that is known in memory.
func (m *Manager) storeUse(ctx context.Context, id identity.WorkspaceID) {
	m.mu.RLock()
	e := m.entries[id]
	m.mu.RUnlock()
	if e == nil {
		return
	}
	m.mu.RLock()
	used := e.used
	m.mu.RUnlock()
	if _, err := m.Change(ctx, id, func(d *Details) { d.Used = used }); err != nil {
		m.c.Log.Warn("when a workspace was used could not be stored", "workspace", id, "error", err)
	}
}

// Change changes what is remembered of a workspace and stores it, with an event if it is one. It is applied to the record as
// it is stored and to the one in memory.
func (m *Manager) Change(ctx context.Context, id identity.WorkspaceID, change func(*Details), events ...audit.Event) (Workspace, error) {
	m.mu.RLock()
	e := m.entries[id]
	m.mu.RUnlock()
	if e == nil {
		return Workspace{}, problem.New(problem.NotFound, "There is no workspace %s.", id)
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	if _, err := m.c.Rows.ReviseWorkspace(ctx, id, change, changed(id), events...); err != nil {
		if problem.KindOf(err) == problem.NotFound {
			return Workspace{}, err
		}
		return Workspace{}, unwritten(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&e.row.Details)
	return e.row, nil
}
