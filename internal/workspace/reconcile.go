package workspace

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

const (
	lookEvery  = 5 * time.Second  // how often what runs is compared with what should
	agentWait  = 30 * time.Second // how long a started workspace has to call back
	stopGentle = 5 * time.Second  // how long its processes have to end by themselves

	siblingsGentle = 20 * time.Second // how long the AI agents beside it have to hand their work back
)

// Load reads the records, finds what runs already, and opens the doors of what should be running, so that agents
// that lost the server come back. What runs without a record is stopped; its files are left for a person to judge.
func (m *Manager) Load(ctx context.Context) error {
	rows, _, err := m.c.Rows.LoadWorkspaces(ctx)
	if err != nil {
		return fmt.Errorf("load workspaces: %w", err)
	}
	observed, err := m.c.Runtime.List(ctx)
	if err != nil {
		return fmt.Errorf("look for workspaces that run: %w", err)
	}
	runs := map[identity.WorkspaceID]bool{}
	known := map[identity.WorkspaceID]bool{}
	for _, o := range observed {
		runs[o.ID] = o.Running
	}
	if err := m.adopt(ctx, rows, runs); err != nil {
		return err
	}
	if err := m.loadSiblings(ctx, runs); err != nil {
		return err
	}
	if err := m.loadWarm(ctx, rows); err != nil {
		return err
	}
	now := m.c.Now()
	m.mu.Lock()
	for _, row := range rows {
		known[row.ID] = true
		switch {
		case !m.mine(row):
		case runs[row.ID] && row.Phase == Running:
		case runs[row.ID]:
			row.Phase = Interrupted // begun before the restart; reconciling finishes it
		case row.Desired == WantRunning && row.Phase == Running:
			row.Phase = Interrupted
		default:
			row.Phase = Stopped
		}
		m.entries[row.ID] = &entry{row: row, subs: map[chan Line]struct{}{}, used: now, placed: runs[row.ID] || row.Phase == Interrupted}
	}
	m.mu.Unlock()
	for _, o := range observed {
		if _, sibling := m.Sibling(o.ID); !known[o.ID] && !sibling && !m.isWarm(o.ID) && o.Running {
			m.c.Log.Warn("a workspace runs that no record knows; it is stopped and its files are kept", "workspace", o.ID)
			if err := m.c.Runtime.Stop(ctx, o.ID); err != nil {
				return fmt.Errorf("stop leftover workspace %s: %w", o.ID, err)
			}
		}
	}
	return nil
}

// Run reconciles until ctx ends, and returns when what was under way has stopped.
func (m *Manager) Run(ctx context.Context) {
	m.mu.Lock()
	m.running = ctx
	m.mu.Unlock()
	m.wakeAll()
	m.work.Go(func() { m.endLoaded(ctx) })
	m.work.Go(func() { m.keepWarm(ctx) })
	if w, ok := m.c.Runtime.(Watcher); ok {
		m.work.Go(func() { m.watch(ctx, w) })
	}
	if disk, ok := m.c.Runtime.(Disk); ok {
		m.work.Go(func() { m.keepDisk(ctx, disk) })
		m.work.Go(func() { m.keepSpace(ctx, disk) })
	}
	tick, sweep, age := time.NewTicker(lookEvery), time.NewTicker(sweepEvery), time.NewTicker(ageEvery)
	defer tick.Stop()
	defer sweep.Stop()
	defer age.Stop()
	m.age(ctx)
	for {
		select {
		case <-ctx.Done():
			m.stopShared(context.WithoutCancel(ctx))
			m.work.Wait()
			return
		case <-m.noticed:
			m.look(ctx)
		case <-sweep.C:
			m.look(ctx)
		case <-age.C:
			m.age(ctx)
		case <-tick.C:
			if !m.watched.Load() {
				m.look(ctx)
			}
			m.overTime(ctx)
			m.retry()
			m.endDue(ctx)
		}
	}
}

// look notices workspaces that ended by themselves.
func (m *Manager) look(ctx context.Context) {
	looked := m.c.Now()
	rows := slices.DeleteFunc(m.List(), func(w Workspace) bool { return !m.mine(w) }) // first: what runs by then is there when it is looked for
	observed, err := m.c.Runtime.List(ctx)
	if err != nil {
		m.c.Log.Error("the runtime does not say what runs", "error", err)
		return
	}
	runs := map[identity.WorkspaceID]bool{}
	for _, o := range observed {
		runs[o.ID] = o.Running
	}
	for _, row := range rows {
		if row.Phase == Running && !runs[row.ID] {
			m.interrupted(ctx, row)
		}
	}
	m.lookWarm(runs, looked)
}

// retry tries again what could not be stopped or deleted.
func (m *Manager) retry() {
	for _, row := range m.List() {
		if m.mine(row) && row.Desired != WantRunning && (row.Phase == Running || row.Phase == Stopping || row.Phase == Stopped && row.Desired == WantDeleted) {
			m.wake(row.ID)
		}
	}
}

// interrupted notes that a workspace ended by itself, and lets it begin again, as it is wanted.
func (m *Manager) interrupted(ctx context.Context, row Workspace) {
	if now, ok := m.Get(row.ID); !ok || now.Phase != Running || now.Desired != WantRunning {
		return // it is being stopped
	}
	const why = "The workspace's processes have ended."
	ev := m.event(row, "workspace:interrupted", "")
	ev.Outcome, ev.Actor, ev.Reasons = audit.Failed, "service:workspaces", []string{why}
	m.settle(ctx, row.ID, settled{phase: Interrupted, says: why}, ev)
	m.wake(row.ID)
}

func (m *Manager) wakeAll() {
	for _, row := range m.List() {
		m.wake(row.ID)
	}
}

// wake lets a workspace be reconciled, once at a time.
func (m *Manager) wake(id identity.WorkspaceID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[id]
	if e == nil || !m.mine(e.row) || m.running == nil || m.running.Err() != nil {
		return
	}
	if e.busy {
		e.again = true
		return
	}
	e.busy = true
	m.work.Go(func() { m.work1(id, e) })
}

func (m *Manager) work1(id identity.WorkspaceID, e *entry) {
	for {
		ctx, cancel := context.WithCancel(m.running)
		m.mu.Lock()
		row := e.row
		e.again = false
		e.stop = cancel
		m.mu.Unlock()
		m.reconcile(ctx, row)
		cancel()
		m.mu.Lock()
		e.stop = nil
		if !e.again || m.running.Err() != nil {
			e.busy = false
			m.mu.Unlock()
			return
		}
		m.mu.Unlock()
	}
}

// reconcile does what is missing between what is wanted and what is.
func (m *Manager) reconcile(ctx context.Context, row Workspace) {
	var err error
	switch row.Desired {
	case WantRunning:
		err = m.start(ctx, row)
	case WantStopped:
		err = m.stop(ctx, row)
	case WantDeleted:
		err = m.delete(ctx, row)
	}
	if err == nil || ctx.Err() != nil && m.superseded(row) {
		return
	}
	if m.running.Err() != nil {
		return // the server is going down: the next one goes on
	}
	m.failed(row, err)
}

// superseded reports whether something else is wanted by now.
func (m *Manager) superseded(row Workspace) bool {
	now, ok := m.Get(row.ID)
	return !ok || now.Desired != row.Desired
}

// failed records why a workspace is not as it is wanted. A start is not tried again by itself: its owner reads why.
func (m *Manager) failed(row Workspace, err error) {
	text := problem.Message(err)
	m.c.Log.Error("a workspace is not as it is wanted", "workspace", row.ID, "wanted", row.Desired, "error", err)
	if row.Desired != WantRunning {
		m.say(row.ID, "", text)
		return
	}
	ctx := context.WithoutCancel(m.running)
	m.mu.Lock()
	if e := m.entries[row.ID]; e != nil {
		e.ahead = nil
	}
	m.mu.Unlock()
	if err := m.c.Runtime.Stop(ctx, row.ID); err != nil {
		m.c.Log.Error("a workspace that failed to start could not be stopped", "workspace", row.ID, "error", err)
	}
	m.c.Doors.Close(row.ID)
	m.noteFailure(row.ID)
	ev := m.event(row, "workspace:start", "")
	ev.Outcome, ev.Reasons = audit.Failed, []string{text}
	m.settle(ctx, row.ID, settled{phase: Stopped, says: text, message: text, want: WantStopped}, ev)
}

// settled is how a start or a stop came out.
type settled struct {
	phase   Phase
	says    string  // the last line
	message string  // stays with the workspace: why it failed
	want    Desired // what is wanted from now on, unless something else is by now; empty leaves it
}

// settle records an outcome. Where it cannot be stored, what is in memory stands and the next look repairs it.
func (m *Manager) settle(ctx context.Context, id identity.WorkspaceID, out settled, events ...audit.Event) {
	m.mu.Lock()
	e := m.entries[id]
	m.mu.Unlock()
	if e == nil {
		return
	}
	e.saving.Lock() // what a person wants in this moment is stored before or after, and never written over
	defer e.saving.Unlock()
	m.mu.Lock()
	if m.entries[id] != e { // deleted meanwhile
		m.mu.Unlock()
		return
	}
	e.row.Message = out.message
	gaveUp := out.want != "" && e.row.Desired == WantRunning
	if gaveUp {
		e.row.Desired = out.want
	}
	m.tell(e, out.phase, out.says)
	row := e.row
	m.mu.Unlock()
	err := m.save(ctx, row, events...)
	if err == nil && gaveUp {
		_, err = m.c.Rows.WantWorkspace(ctx, row, WantRunning, changed(id))
	}
	if err != nil && problem.KindOf(err) != problem.Conflict { // something else is wanted by now: the feed will say what
		m.c.Log.Error("a workspace's state could not be stored", "workspace", id, "phase", out.phase, "error", err)
	}
}

func (m *Manager) start(ctx context.Context, row Workspace) error {
	m.mu.Lock()
	if e := m.entries[row.ID]; e != nil && row.Phase != Running {
		if row.Phase != Interrupted {
			e.lines = nil // this start's own story
		} else if n := len(e.lines); n > 0 {
			e.lines = e.lines[n-1:] // which begins with why it starts again
		}
	}
	m.mu.Unlock()
	fresh := row.Phase != Running
	if fresh {
		m.step(row.ID, "waiting for room")
		class, err := m.admit(ctx, row.ID)
		if err != nil {
			return err
		}
		row.Class = class // which may have been changed since
		m.step(row.ID, "preparing")
		m.say(row.ID, Creating, beginning(row))
		if row.Cold != "" && row.Began.IsZero() {
			m.say(row.ID, "", notFromThePool(row.Cold))
		}
		sid, err := m.c.Sessions.Ensure(ctx, row.Session, row.Owner, row.ID, row.Project)
		if err != nil {
			return err
		}
		m.mu.Lock()
		if e := m.entries[row.ID]; e != nil {
			e.row.Session = sid // stored when the start settles
		}
		m.mu.Unlock()
		row.Session = sid
	}
	var prepared Prepared
	warm := false // what was made ahead is used
	if fresh {
		var err error
		if prepared, err = m.gather(ctx, row); err != nil {
			return err
		}
		m.learn(row, prepared.Spec)
		if row.Taken != "" {
			if warm, err = m.useTaken(ctx, row, prepared.Spec); err != nil {
				return err
			}
		}
		if _, err := m.admit(ctx, row.ID); err != nil { // where what it runs takes another class than it was let in with
			return err
		}
		m.step(row.ID, "creating the workspace")
	}
	if err := m.c.Runtime.Start(ctx, m.spec(prepared, row.ID, row.Name), func(text string) { m.say(row.ID, "", text) }); err != nil {
		return err
	}
	if !fresh { // it ran on while the server was away; its agent comes back by itself
		return nil
	}
	m.step(row.ID, "waiting for the agent")
	m.say(row.ID, Initializing, "Waiting for the workspace's agent.")
	wait, cancel := context.WithTimeout(ctx, agentWait)
	defer cancel()
	if err := m.c.Doors.Wait(wait, row.ID); err != nil {
		if errors.Is(wait.Err(), context.DeadlineExceeded) {
			return problem.Wrap(err, problem.Unavailable, "The workspace started, but its agent did not call back within %s.", agentWait)
		}
		return err
	}
	m.step(row.ID, "setting up")
	agent := agentapi.New(m.c.Doors.Client(row.ID))
	if err := prepared.setUp(ctx, agent, func(text string) { m.say(row.ID, "", text) }); err != nil {
		return err
	}
	m.mu.Lock()
	if e := m.entries[row.ID]; e != nil {
		now := m.c.Now()
		e.used, e.notice = now, ""
		d := &e.row.Details
		if !d.Began.IsZero() { // that was said of its first start
			d.Warm, d.Cold = false, ""
		}
		d.Began, d.Used, d.Archived, d.Unsaved, d.Failed = now, now, time.Time{}, nil, nil
	}
	m.mu.Unlock()
	m.dueSiblings(row.ID)
	started := m.event(row, "workspace:start", "")
	if ref := prepared.Spec.Image.Ref; ref != "" {
		started.Detail["image"] = ref
	}
	if len(prepared.Opens) > 0 {
		started.Detail["registries"] = prepared.Opens
	}
	if warm {
		started.Detail["warm"] = true
	}
	m.settle(ctx, row.ID, settled{phase: Running, says: "Ready."}, started)
	return nil
}

func (m *Manager) stop(ctx context.Context, row Workspace) error {
	if row.Phase == Stopped {
		return nil
	}
	m.say(row.ID, Stopping, "Stopping.")
	if !m.wasHalted(row.ID) {
		m.endGently(ctx, row)
	}
	if err := m.c.Runtime.Stop(ctx, row.ID); err != nil {
		return err
	}
	m.c.Doors.Close(row.ID)
	m.settle(ctx, row.ID, settled{phase: Stopped, says: "Stopped; the files are kept.", message: row.Message}, m.event(row, "workspace:stopped", ""))
	return nil
}

// endGently lets those in a workspace hand back their work and end by themselves, and notes what is not saved. The runtime then
// ends what is left.
func (m *Manager) endGently(ctx context.Context, row Workspace) {
	beside, end := context.WithTimeout(ctx, siblingsGentle)
	m.endSiblings(beside, row.ID, "the workspace was stopped")
	end()
	m.noteUnsaved(ctx, row)
	gentle, cancel := context.WithTimeout(ctx, stopGentle)
	defer cancel()
	if err := agentapi.New(m.c.Doors.Client(row.ID)).Stop(gentle); err != nil {
		m.c.Log.Info("the workspace's agent could not be asked to stop", "workspace", row.ID, "error", err)
	}
}

func (m *Manager) delete(ctx context.Context, row Workspace) error {
	if row.Phase != Stopped {
		if err := m.stop(ctx, row); err != nil {
			return err
		}
	}
	if err := m.dropSiblings(ctx, row.ID); err != nil {
		return err
	}
	if err := m.c.Runtime.Delete(ctx, row.ID); err != nil {
		return err
	}
	if err := m.c.Doors.Remove(row.ID); err != nil {
		return fmt.Errorf("remove the workspace's socket folder: %w", err)
	}
	m.mu.Lock()
	e := m.entries[row.ID]
	m.mu.Unlock()
	if e == nil {
		return nil
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	if _, err := m.c.Rows.DeleteWorkspace(ctx, row.ID, changed(row.ID), m.event(row, "workspace:deleted", "")); err != nil {
		return problem.Wrap(err, problem.Unavailable, "The files are gone, but the database cannot be written; it is tried again.")
	}
	m.c.Sessions.EndSession(ctx, row.Session, "the workspace was deleted")
	m.say(row.ID, Stopped, "Deleted.")
	m.mu.Lock()
	defer m.mu.Unlock()
	m.drop(row.ID)
	return nil
}

// StopAll stops what runs without changing what is wanted of it, for a server that takes its workspaces down with
// it; they are started again by their owners.
func (m *Manager) StopAll(ctx context.Context) {
	m.mu.Lock()
	m.pool.closed = true
	m.mu.Unlock()
	defer m.endAllWarm(ctx, "the server was stopped")
	for _, row := range m.List() {
		if row.Desired != WantRunning || !m.mine(row) {
			continue
		}
		ev := m.event(row, "workspace:stop", "")
		ev.Actor, ev.Reasons = "operator", []string{"the server was stopped"}
		if err := m.Want(ctx, row.ID, WantStopped, ev); err != nil {
			m.c.Log.Error("a workspace could not be stopped", "workspace", row.ID, "error", err)
		}
	}
	for ctx.Err() == nil {
		left := 0
		for _, row := range m.List() {
			if m.mine(row) && row.Desired == WantStopped && row.Phase != Stopped {
				left++
			}
		}
		if left == 0 {
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}
