package workspace

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// HandBack ends the processes of a sibling and brings what it did, committed or not, into the workspace's checkout as a
// branch agent/NAME/…. Nothing is checked out, and nothing of the sibling's runs there. When it changed nothing no branch
// is made. A second call returns the same.
func (m *Manager) HandBack(ctx context.Context, id identity.WorkspaceID) (Handed, error) {
	s, err := m.holdSibling(ctx, id)
	if err != nil {
		return Handed{}, err
	}
	defer s.release()
	handed, err := m.handBack(ctx, s)
	if row := m.siblingRow(s); err != nil && row.Kept != "" { // it runs for this alone
		err = m.rest(ctx, row, err)
	} else {
		s.failed = err
	}
	return handed, err
}

// rest ends the processes of a sibling whose work could not be handed back, and closes its socket.
func (m *Manager) rest(ctx context.Context, row Sibling, why error) error {
	err := m.c.Runtime.Stop(context.WithoutCancel(ctx), row.ID)
	m.c.Doors.Close(row.ID)
	if err != nil {
		return errors.Join(why, err)
	}
	return why
}

// EndSibling ends a sibling: first its session, and with it all that is open because of it; then its work is handed back,
// unless it was; then nothing of it is left. Where its work cannot be handed back its processes end, and its files are
// kept until its workspace starts again or is deleted: the error says why. Ending what is gone is no error.
func (m *Manager) EndSibling(ctx context.Context, id identity.WorkspaceID, why string) error {
	row, ok := m.Sibling(id)
	if !ok {
		return nil
	}
	m.c.Sessions.EndSession(ctx, row.Session, why) // before waiting for anybody
	m.haltSibling(id, why)
	s, err := m.holdSibling(ctx, id)
	if errors.Is(err, ErrGone) {
		return nil
	} else if err != nil {
		return err
	}
	defer s.release()
	return m.endSibling(ctx, s, why)
}

// haltSibling ends the start of a sibling, if it is under way.
func (m *Manager) haltSibling(id identity.WorkspaceID, why string) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	if s := m.siblings.all[id]; s != nil && s.halt != nil {
		s.halt(errors.New(why))
	}
}

// ErrGone says that a sibling is not there any more: it has ended, and nothing of it is kept.
var ErrGone = errors.New("it has ended")

// holdSibling finds a sibling and holds it for work, as soon as nobody else does. An error is ErrGone, or that ctx ended.
func (m *Manager) holdSibling(ctx context.Context, id identity.WorkspaceID) (*sibling, error) {
	m.mu.RLock()
	s := m.siblings.all[id]
	m.mu.RUnlock()
	absent := problem.Wrap(ErrGone, problem.NotFound, "There is no AI agent at %s; it has ended.", id)
	if s == nil {
		return nil, absent
	}
	if err := s.hold(ctx); err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The AI agent at %s is still being started or ended.", id)
	}
	if s.gone {
		s.release()
		return nil, absent
	}
	return s, nil
}

func (m *Manager) endSibling(ctx context.Context, s *sibling, why string) error {
	row := m.siblingRow(s)
	err := s.failed
	s.failed = nil
	var handed Handed
	if err == nil {
		handed, err = m.handBack(ctx, s)
	}
	after := context.WithoutCancel(ctx)
	if err != nil {
		err = m.rest(ctx, row, err)
		m.keep(after, s, problem.Message(err))
		m.again(s, err)
		return problem.Wrap(err, problem.KindOf(err), "%s has ended, but its work could not be handed back: %s Its files are kept, and it is tried again when the workspace starts.",
			row.Agent, sentence(problem.Message(err)))
	}
	if row.Kept != "" && handed.Branch != "" {
		m.say(row.Of, "", fmt.Sprintf("What the AI agent %s did is in the branch %s.", row.Agent, handed.Branch))
	}
	ev := m.siblingEvent(row, "agent:ended", why)
	ev.Detail["branch"] = handed.Branch
	m.discard(after, s, ev)
	return nil
}

// sentence ends a message with a full stop.
func sentence(s string) string { return strings.TrimRight(s, ".\n ") + "." }

// handBack is HandBack for a sibling that is held for work.
func (m *Manager) handBack(ctx context.Context, s *sibling) (Handed, error) {
	if s.handed != nil {
		return *s.handed, nil
	}
	row := m.siblingRow(s)
	if row.Shared || row.Base == "" || row.Branch != "" { // it has no checkout of its own, or never got one, or an earlier server took it
		s.handed = &Handed{Branch: row.Branch}
		return *s.handed, nil
	}
	done, err := m.siblings.turn(ctx, row.Of)
	if err != nil {
		return Handed{}, err
	}
	defer done()
	ctx, cancel := context.WithTimeoutCause(ctx, siblingEnd, fmt.Errorf("it took longer than %s", siblingEnd))
	defer cancel()
	handed, err := m.bringBack(ctx, row)
	if err != nil {
		return Handed{}, err
	}
	s.handed = &handed
	m.mu.Lock()
	s.row.Branch = handed.Branch
	row = s.row
	m.mu.Unlock()
	if err := m.c.Rows.SaveSibling(ctx, row); err != nil { // the branch is there; a server that dies now makes it once more
		m.c.Log.Error("the branch of a sibling could not be recorded", "sibling", row.ID, "error", err)
	}
	return handed, nil
}

// bringBack packs the work of a sibling and unpacks it in its workspace.
func (m *Manager) bringBack(ctx context.Context, row Sibling) (Handed, error) {
	of, ok := m.Get(row.Of)
	if !ok {
		return Handed{}, problem.New(problem.NotFound, "The workspace %s is not there any more.", row.Of)
	}
	prepared, err := m.preparedOf(ctx, of.ID)
	if err != nil {
		return Handed{}, err
	}
	if err := m.runSibling(ctx, row, of.Name, prepared); err != nil {
		return Handed{}, err
	}
	if err := m.reach(ctx, of.ID); err != nil {
		return Handed{}, err
	}
	from, to := agentapi.New(m.c.Doors.Client(row.ID)), agentapi.New(m.c.Doors.Client(row.Of))
	p, pack, err := from.Pack(ctx, agentapi.PackOrder{Name: of.Name, Since: row.Base, Last: true, Message: "Not committed by " + row.Agent})
	if err != nil {
		return Handed{}, err
	}
	defer pack.Close()
	if p.Commit == row.Base {
		return Handed{}, nil
	}
	branch := branchOf(row)
	got, err := to.Unpack(ctx, agentapi.Unpack{Name: of.Name, Branch: branch, Base: row.Base}, agentapi.Pack{Commit: p.Commit, Format: p.Format}, pack)
	if err != nil {
		return Handed{}, err
	}
	return Handed{Branch: branch, Stat: got.Stat, Diff: got.Diff, Cut: got.Cut}, nil
}

// branchOf names the branch that a sibling's work comes back as: no two siblings have the same, also with the same agent
// in the same second.
func branchOf(row Sibling) string {
	return fmt.Sprintf("agent/%s/%s-%s", row.Agent, row.Created.UTC().Format("20060102-150405"), row.ID.Label()[:4])
}

// keep notes why a sibling that has ended is kept.
func (m *Manager) keep(ctx context.Context, s *sibling, why string) {
	m.mu.Lock()
	s.row.Kept = why
	row := s.row
	m.mu.Unlock()
	ev := m.siblingEvent(row, "agent:kept", why)
	ev.Outcome = audit.Failed
	if err := m.c.Rows.SaveSibling(ctx, row, ev); err != nil {
		m.c.Log.Error("why a sibling is kept could not be recorded", "sibling", row.ID, "why", why, "error", err)
	}
	m.say(row.Of, "", fmt.Sprintf("What the AI agent %s did could not be handed back: %s It is kept, and tried again when the workspace starts.", row.Agent, sentence(why)))
	m.c.Log.Warn("the work of an AI agent could not be handed back; its files are kept", "agent", row.Agent, "workspace", row.Of, "sibling", row.ID, "why", why)
}

// siblingEvent is an audit event about a sibling: its person's, done by the AI agent.
func (m *Manager) siblingEvent(row Sibling, action, why string) audit.Event {
	of, _ := m.Get(row.Of)
	return audit.Event{
		Time: m.c.Now(), Action: action, Outcome: audit.Done, User: audit.PersonOf(row.Owner, of.OwnerName), Actor: "agent:" + row.Agent,
		Session: row.Session, Workspace: row.Of, Resource: fmt.Sprintf("workspace %s", row.Of), Reasons: []string{why},
		Detail: map[string]any{"sibling": string(row.ID), "grant": string(row.Grant)},
	}
}

// endSiblings ends all that stands beside a workspace, at once. It waits no longer than ctx lasts.
func (m *Manager) endSiblings(ctx context.Context, of identity.WorkspaceID, why string) {
	var all sync.WaitGroup
	for _, row := range m.Siblings(of) {
		if row.Kept != "" {
			continue
		}
		all.Add(1)
		m.work.Go(func() {
			defer all.Done()
			if err := m.EndSibling(ctx, row.ID, why); err != nil {
				m.c.Log.Warn("a sibling did not end as it should", "sibling", row.ID, "error", err)
			}
		})
	}
	done := make(chan struct{})
	m.work.Go(func() { all.Wait(); close(done) })
	select {
	case <-done:
	case <-ctx.Done():
	}
}

// StopSibling ends the processes of a sibling at once, whoever works on it. It is there still, and what it did too.
func (m *Manager) StopSibling(ctx context.Context, id identity.WorkspaceID) error {
	if _, ok := m.Sibling(id); !ok {
		return nil
	}
	err := m.c.Runtime.Stop(ctx, id)
	m.c.Doors.Close(id)
	return err
}

// stopShared ends the processes of all siblings that write in their workspace's checkout: their delegations end with this
// process of the server.
func (m *Manager) stopShared(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, stopGentle)
	defer cancel()
	m.mu.RLock()
	var shared []Sibling
	for _, s := range m.siblings.all {
		if s.row.Shared {
			shared = append(shared, s.row)
		}
	}
	m.mu.RUnlock()
	for _, row := range shared {
		if err := m.StopSibling(ctx, row.ID); err != nil {
			m.c.Log.Error("an AI agent that shares a checkout could not be stopped", "agent", row.Agent, "workspace", row.Of, "error", err)
		}
	}
}

// DiscardSibling removes a sibling whose work is kept, with its work.
func (m *Manager) DiscardSibling(ctx context.Context, id identity.WorkspaceID, why string) error {
	s, err := m.holdSibling(ctx, id)
	if err != nil {
		return err
	}
	defer s.release()
	row := m.siblingRow(s)
	if row.Kept == "" {
		return problem.New(problem.Conflict, "The AI agent %s has not ended; stop it first.", row.Agent)
	}
	m.discard(context.WithoutCancel(ctx), s, m.siblingEvent(row, "agent:discarded", why))
	if !s.gone {
		return problem.New(problem.Unavailable, "The files of the AI agent %s could not be removed.", row.Agent)
	}
	return nil
}

// dropSiblings removes all that stands beside a workspace that is being deleted, with its work.
func (m *Manager) dropSiblings(ctx context.Context, of identity.WorkspaceID) error {
	const why = "the workspace was deleted"
	for _, row := range m.Siblings(of) {
		m.c.Sessions.EndSession(ctx, row.Session, why)
		m.haltSibling(row.ID, why)
		if err := m.StopSibling(ctx, row.ID); err != nil { // nobody waits for work that is thrown away
			return err
		}
		s, err := m.holdSibling(ctx, row.ID)
		if errors.Is(err, ErrGone) {
			continue
		} else if err != nil {
			return err
		}
		m.discard(ctx, s, m.siblingEvent(row, "agent:ended", why))
		gone := s.gone
		s.release()
		if !gone {
			return problem.New(problem.Unavailable, "The files of the AI agent %s beside the workspace could not be removed.", row.Agent)
		}
	}
	m.siblings.turns.Delete(of)
	return nil
}
