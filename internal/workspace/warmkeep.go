package workspace

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// loadWarm finds what an earlier process of the server made ahead. It goes: whether its agent and its image are today's is not
// known. What became somebody's by then is a workspace, and only its record as a warm one is left.
func (m *Manager) loadWarm(ctx context.Context, rows []Workspace) error {
	left, err := m.c.Rows.LoadWarm(ctx)
	if err != nil {
		return fmt.Errorf("load warm workspaces: %w", err)
	}
	theirs := make(map[identity.WorkspaceID]bool, len(rows))
	for _, row := range rows {
		theirs[row.ID] = true
	}
	for _, row := range left {
		switch {
		case row.Node != m.c.Node && !m.c.Alone:
		case theirs[row.ID]:
			if err := m.c.Rows.DeleteWarm(ctx, row.ID); err != nil {
				return fmt.Errorf("forget a warm workspace: %w", err)
			}
		default:
			m.mu.Lock()
			m.pool.all[row.ID] = &spare{row: row, order: WarmOrder{Project: row.Project, Name: string(row.Project), Class: row.Class}, going: "the server was started again"}
			m.mu.Unlock()
		}
	}
	return nil
}

// isWarm reports whether a workspace that runs was made ahead.
func (m *Manager) isWarm(id identity.WorkspaceID) bool {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return m.pool.all[id] != nil
}

// keepWarm keeps what is made ahead as it is wanted, until ctx ends; then all of it goes.
func (m *Manager) keepWarm(ctx context.Context) {
	tick := time.NewTicker(warmEvery)
	defer tick.Stop()
	for {
		m.tendWarm(ctx)
		select {
		case <-ctx.Done():
			late, cancel := context.WithTimeout(context.WithoutCancel(ctx), warmEnd)
			defer cancel()
			m.endAllWarm(late, "the server was stopped")
			return
		case <-tick.C:
		case <-m.pool.wake:
		}
	}
}

// tendWarm ends what is not wanted any more and makes what is missing, one after the other.
func (m *Manager) tendWarm(ctx context.Context) {
	var orders []WarmOrder
	if m.c.Warm != nil {
		orders = m.c.Warm()
	}
	m.unwant(orders)
	m.endGoing(ctx)
	for _, o := range orders {
		for ctx.Err() == nil && m.lacks(o) {
			if !m.makeWarm(ctx, o) {
				break
			}
		}
	}
}

// unwant marks what no order wants, or not so many of.
func (m *Manager) unwant(orders []WarmOrder) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := make(map[WarmOrder]int, len(orders))
	for _, o := range orders {
		left[o.kind()] = o.Count
		if m.pool.tries[o.kind()] == nil {
			m.pool.tries[o.kind()] = &tried{}
		}
	}
	for o := range m.pool.tries {
		if _, wanted := left[o]; !wanted {
			delete(m.pool.tries, o)
		}
	}
	for _, w := range m.pool.all {
		if w.given || w.going != "" {
			continue
		}
		n, wanted := left[w.order.kind()]
		switch t := m.pool.tries[w.order.kind()]; {
		case !wanted || n == 0:
			m.goes(w, "it is not wanted any more as it is")
		case w.ready && t.needs != (needs{}) && t.needs != w.needs:
			m.goes(w, "its image is another one now")
		default:
			left[w.order.kind()] = n - 1
		}
	}
}

// goes marks one as going. The lock is held.
func (m *Manager) goes(w *spare, why string) {
	w.going = why
	if w.stop != nil {
		w.stop()
	}
}

// endGoing ends what is marked and not being made.
func (m *Manager) endGoing(ctx context.Context) {
	m.mu.Lock()
	var going []*spare
	for _, w := range m.pool.all {
		if w.going != "" && w.stop == nil && !w.ending {
			w.ending = true
			going = append(going, w)
		}
	}
	m.mu.Unlock()
	for _, w := range going {
		m.endWarm(ctx, w)
	}
}

// endWarm ends one whose ending is ours. Where that fails it is tried again.
func (m *Manager) endWarm(ctx context.Context, w *spare) {
	err := m.c.Runtime.Delete(ctx, w.row.ID)
	if err == nil {
		err = m.c.Doors.Remove(w.row.ID)
	}
	if err == nil {
		err = m.c.Rows.DeleteWarm(ctx, w.row.ID, m.warmEvent(w, "workspace:warm-ended", audit.Done, w.going))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	w.ending = false
	if err != nil {
		if ctx.Err() == nil {
			m.c.Log.Error("a warm workspace could not be removed; it is tried again", "workspace", w.row.ID, "error", err)
		}
		return
	}
	delete(m.pool.all, w.row.ID)
	m.moved()
}

// endAllWarm ends everything that was made ahead.
func (m *Manager) endAllWarm(ctx context.Context, why string) {
	m.mu.Lock()
	var all []*spare
	for _, w := range m.pool.all {
		if w.given {
			continue // whoever it is given to says what becomes of it
		}
		if w.going == "" {
			m.goes(w, why)
		}
		if w.stop == nil && !w.ending { // else who makes or ends it does
			w.ending = true
			all = append(all, w)
		}
	}
	m.mu.Unlock()
	var ends sync.WaitGroup
	for _, w := range all {
		ends.Go(func() { m.endWarm(ctx, w) })
	}
	ends.Wait()
}

// lacks reports whether one more is to be made of an order, now. Now and then what is there is compared with what would be
// made today.
func (m *Manager) lacks(o WarmOrder) bool {
	now := m.c.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	t, have := m.pool.tries[o.kind()], m.haveWarm(o)
	if t == nil || m.pool.closed || now.Before(t.next) {
		return false
	}
	if have >= o.Count {
		t.since = time.Time{}
		return now.Sub(t.looked) > warmLook
	}
	if t.since.IsZero() {
		t.since = now
	}
	return now.Sub(t.since) > warmPatience || !m.starting()
}

// starting reports whether somebody's start is under way. The lock is held.
func (m *Manager) starting() bool {
	for _, e := range m.entries {
		if e.stop != nil && e.row.Desired == WantRunning && e.row.Phase != Running {
			return true
		}
	}
	return false
}

// makeWarm makes one of an order, if there are still too few, and reports whether it went well.
func (m *Manager) makeWarm(ctx context.Context, o WarmOrder) bool {
	err := m.tryWarm(ctx, o)
	if ctx.Err() != nil {
		return false
	}
	now := m.c.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.pool.tries[o.kind()]
	switch {
	case t == nil:
	case err == nil:
		t.says("", now)
		t.delay, t.next, t.since = 0, time.Time{}, time.Time{}
	case errors.Is(err, errNoRoom):
		t.says(problem.Message(err), now)
		t.next = now.Add(warmEvery)
	default:
		if text := problem.Message(err); text != t.message {
			t.says(text, now)
			m.c.Log.Warn("a workspace could not be made ahead; it is tried again", "project", o.Name, "class", o.Class, "image", o.Image, "error", err)
		}
		t.delay = min(max(2*t.delay, 2*warmEvery), warmWorst)
		t.next = now.Add(t.delay)
	}
	return err == nil
}

func (m *Manager) tryWarm(ctx context.Context, o WarmOrder) error {
	class, err := m.class(Workspace{Project: o.Project, Details: Details{Class: o.Class}})
	if err != nil {
		return err
	}
	w := &spare{order: o, memory: class.Memory}
	if err := m.mayBeWarm(w); err != nil { // before a registry is asked
		return err
	}
	spec, err := m.c.PrepareWarm(ctx, o)
	if err != nil {
		return err
	}
	spec.Limits = class.Limits
	w.needs = needsOf(spec)
	w.row = Warm{ID: identity.NewWorkspaceID(), Project: o.Project, Class: class.Name, Created: m.c.Now().UTC().Truncate(time.Microsecond), Node: m.c.Node}
	making, cancel := context.WithCancel(ctx)
	defer cancel()
	w.stop = cancel
	if more, err := m.placeWarm(w); err != nil || !more {
		return err
	}
	err = m.startWarm(making, w, spec)
	m.mu.Lock()
	w.stop = nil
	if err == nil && w.going == "" {
		w.ready, w.began = true, m.c.Now()
		m.mu.Unlock()
		return nil
	}
	if w.going == "" {
		w.going = "it could not be made"
	}
	aside := err == nil || making.Err() != nil
	w.ending = true
	m.mu.Unlock()
	late, end := context.WithTimeout(context.WithoutCancel(ctx), warmEnd)
	defer end()
	m.endWarm(late, w)
	if aside {
		return errNoRoom
	}
	return err
}

// mayBeWarm says why there is no room for one that is missing.
func (m *Manager) mayBeWarm(w *spare) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.haveWarm(w.order) < w.order.Count && !m.warmRoom(w) {
		return errNoRoom
	}
	return nil
}

// placeWarm gives one room and a place in the pool; more is false where there are enough of it.
func (m *Manager) placeWarm(w *spare) (more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.pool.tries[w.order.kind()]
	if t == nil {
		return false, nil
	}
	t.needs, t.looked = w.needs, m.c.Now()
	switch {
	case m.pool.closed || m.haveWarm(w.order) >= w.order.Count:
		return false, nil
	case !m.warmRoom(w):
		return false, errNoRoom
	}
	m.pool.all[w.row.ID] = w
	return true, nil
}

// haveWarm counts what there is of an order. The lock is held.
func (m *Manager) haveWarm(o WarmOrder) (n int) {
	for _, w := range m.pool.all {
		if w.order.kind() == o.kind() && !w.given && w.going == "" {
			n++
		}
	}
	return n
}

// warmRoom reports whether there is room for one more. The lock is held.
func (m *Manager) warmRoom(w *spare) bool {
	inProject, memory := 1, w.memory
	for _, other := range m.pool.all {
		memory += other.memory
		if other.row.Project == w.order.Project {
			inProject++
		}
	}
	for _, e := range m.entries {
		if e.row.Project == w.order.Project && e.row.Desired == WantRunning {
			inProject++
		}
	}
	most := m.c.Rules.RunningPerProject
	return (most == 0 || inProject <= most) && m.hasDisk(Workspace{}) == nil && m.room(memory, 1+len(m.pool.all))
}

// startWarm lets a warm workspace's agent begin.
func (m *Manager) startWarm(ctx context.Context, w *spare, spec Spec) error {
	if err := m.c.Rows.SaveWarm(ctx, w.row, m.warmEvent(w, "workspace:warm", audit.Done)); err != nil {
		return unwritten(err)
	}
	spec.ID, spec.Name = w.row.ID, w.order.Name
	spec.Endpoint = func(ctx context.Context, uid int) (string, error) { return m.c.Doors.Listen(ctx, w.row.ID, uid) }
	if err := m.c.Runtime.Start(ctx, spec, nil); err != nil {
		return err
	}
	wait, cancel := context.WithTimeout(ctx, agentWait)
	defer cancel()
	return m.c.Doors.Wait(wait, w.row.ID)
}

// aside ends what was made ahead where it takes room that somebody was just given.
func (m *Manager) aside(ctx context.Context) {
	for {
		m.mu.Lock()
		var one *spare
		staying, memory := 0, int64(0)
		for _, w := range m.pool.all {
			if w.going == "" {
				staying, memory = staying+1, memory+w.memory
				if !w.given && (one == nil || one.ready && !w.ready) { // what is not made yet first
					one = w
				}
			}
		}
		if one == nil || m.fitsIn(memory, staying) {
			m.mu.Unlock()
			return
		}
		m.goes(one, "somebody needs its room")
		ours := one.stop == nil
		one.ending = ours
		m.mu.Unlock()
		if ours {
			m.endWarm(context.WithoutCancel(ctx), one)
		}
	}
}

// lookWarm notices those that ended by themselves: another one is made.
func (m *Manager) lookWarm(runs map[identity.WorkspaceID]bool, looked time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for id, w := range m.pool.all {
		if w.free() && !runs[id] && w.began.Before(looked) {
			m.goes(w, "its processes have ended")
		}
	}
	m.wakeWarm()
}
