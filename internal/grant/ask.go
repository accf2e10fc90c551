package grant

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Ask stores a request. Whether it is needed and who may approve it the caller has had decided; ID, times and state are
// set here. The event is what the caller knows of who asked.
func (m *Manager) Ask(ctx context.Context, q Request, e audit.Event) (Request, error) {
	var err error
	if q.Why, err = reason(q.Why); err != nil {
		return q, err
	}
	if q.For, err = span(q.For, MaxApproval); err != nil {
		return q, err
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	now := m.c.Now()
	pending, lately := 0, 0
	for _, old := range m.Requests() {
		if old.User != q.User {
			continue
		}
		if now.Sub(old.Asked) < 24*time.Hour {
			lately++
		}
		if old.State(now) != Pending {
			continue
		}
		if old.key() == q.key() {
			return q, problem.New(problem.Conflict, "You have asked for this already: %s waits for approval. Withdraw it first to ask anew.", old.ID)
		}
		pending++
	}
	if pending >= maxPending {
		return q, problem.New(problem.Conflict, "%d requests of yours wait for approval already; withdraw one first.", pending)
	}
	if lately >= maxDaily {
		return q, problem.New(problem.TooMany, "You have asked %d times within a day; ask again tomorrow.", lately)
	}
	q.ID, q.Decision, q.Asked, q.Expires = identity.NewGrantID(), Pending, now, now.Add(PendingFor)
	q.By, q.Decided, q.Words, q.Given = identity.UserID{}, time.Time{}, "", 0
	e = about(e, string(identity.GrantRequest), q)
	if _, err := m.c.Rows.SaveRequest(ctx, q, entry(q.ID), e); err != nil {
		return q, unwritten(err)
	}
	m.note(q)
	return q, nil
}

// Answer is what somebody says to a request.
type Answer struct {
	By    identity.UserID
	Words string
	For   time.Duration // Approve: shorter than asked for; 0: as asked for
	// Check is asked before anything is stored, and once more when an approval is in force: an error refuses. It must not
	// wait.
	Check func(Request) error
	Event audit.Event // what the caller knows of who answers
}

// Approve turns a request into a grant, from now.
func (m *Manager) Approve(ctx context.Context, id identity.GrantID, a Answer) (Request, error) {
	return m.decide(ctx, id, Approved, a)
}

// Refuse ends a request without a grant.
func (m *Manager) Refuse(ctx context.Context, id identity.GrantID, a Answer) (Request, error) {
	return m.decide(ctx, id, Refused, a)
}

// Withdraw takes a request back.
func (m *Manager) Withdraw(ctx context.Context, id identity.GrantID, a Answer) (Request, error) {
	return m.decide(ctx, id, Withdrawn, a)
}

func (m *Manager) decide(ctx context.Context, id identity.GrantID, to State, a Answer) (Request, error) {
	said, err := words(a.Words, "What you say to it")
	if err == nil && to == Refused {
		said, err = reason(a.Words)
	}
	if err != nil {
		return Request{}, err
	}
	m.writing.Lock()
	defer m.writing.Unlock()
	now := m.c.Now()
	q, ok := m.Request(id)
	if !ok {
		return q, problem.New(problem.NotFound, "There is no request %s.", id)
	}
	if err := a.Check(q); err != nil {
		return q, err
	}
	if q.State(now) != Pending {
		return q, over(q, now)
	}
	// Nobody approves for themselves, whatever a policy says.
	if to != Withdrawn && (a.By.IsZero() || a.By == q.User) {
		return q, problem.New(problem.Denied, "Nobody approves for themselves: another member of the group has to decide.")
	}
	q.Decision, q.By, q.Decided, q.Words = to, a.By, now, said
	action, grants := identity.GrantRevoke, []Grant(nil)
	switch to {
	case Approved:
		if q.Given = q.For; a.For != 0 {
			if a.For > q.For {
				return q, problem.New(problem.Invalid, "%s was asked for; an approval may be shorter, not longer.", problem.Length(q.For))
			}
			if q.Given, err = span(a.For, MaxApproval); err != nil {
				return q, err
			}
		}
		grants = []Grant{q.grant()}
		action = identity.GrantApprove
	case Refused:
		action = "grant:refuse"
	case Withdrawn:
		action = "grant:withdraw"
	}
	e := about(a.Event, string(action), q)
	seq, err := m.c.Rows.DecideRequest(ctx, q, grants, entry(id), e)
	if errors.Is(err, ErrDecided) {
		if err := m.reread(ctx, []string{string(id)}, 0); err != nil {
			return q, unwritten(err)
		}
		q, _ := m.Request(id)
		return q, over(q, now)
	}
	if err != nil {
		return q, unwritten(err)
	}
	m.note(q)
	if len(grants) == 0 {
		return q, nil
	}
	m.publish(grants, seq)
	// What the check looks at may have changed while the store was waited for. Whoever changed it has published that
	// before we look again, or will end the grant that it finds.
	if err := a.Check(q); err != nil {
		m.Revoke(ctx, id, "who approved it could no longer do so when it came into force", a.Event)
		return q, err
	}
	return q, nil
}

// over says that a request can no longer be decided.
func over(q Request, now time.Time) error {
	s := q.State(now)
	if s == Expired {
		return problem.New(problem.Conflict, "The request %s was not decided in time: it expired at %s. Ask again.", q.ID, q.Expires.UTC().Format(time.RFC3339))
	}
	return problem.New(problem.Conflict, "The request %s was %s at %s already.", q.ID, s, q.Decided.UTC().Format(time.RFC3339))
}

// about completes the event of what happens to a request. Who asked is the person of the event of the asking, and
// nowhere else in the clear: the grant's ID leads there.
func about(e audit.Event, action string, q Request) audit.Event {
	e.Action, e.Outcome, e.Resource = action, audit.Done, q.Resource.String()
	e.Detail = map[string]any{"grant": q.ID, "action": q.Action, "asked": problem.Length(q.For)}
	e.Reasons = []string{q.Why}
	if q.Words != "" {
		e.Reasons = []string{q.Words}
	}
	if q.Decision == Refused {
		e.Outcome = audit.Refused
	}
	if q.Decision == Approved {
		e.Detail["until"] = q.Decided.Add(q.Given).UTC().Format(time.RFC3339)
	}
	return e
}

// Lines are what a grant covers, as text.
func (g *Grant) Lines() []string {
	lines := make([]string, 0, len(g.Allowed))
	for _, one := range g.Allowed {
		name := one.Name
		if name == "" {
			name = "every " + string(one.Kind)
		}
		lines = append(lines, fmt.Sprintf("%s %s", one.Action, name))
	}
	return lines
}
