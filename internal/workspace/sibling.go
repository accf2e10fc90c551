package workspace

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Sibling is a second workspace that the runtime made beside one, for an AI agent: it has a user, processes, a home, a
// socket and a session of its own, and works on a copy of the checkout.
type Sibling struct {
	ID      identity.WorkspaceID // its own: of its socket, its tunnel and its folders
	Of      identity.WorkspaceID // the workspace that it stands beside
	Owner   identity.UserID      // that workspace's
	Session identity.SessionID   // the AI agent's
	Agent   string               // the AI agent's name
	Grant   identity.GrantID     // the delegation that it runs on
	Shared  bool                 // it works on the workspace's own checkout
	Base    string               // the commit that it began at; empty while nothing is copied, and where it shares
	Branch  string               // what came back as; empty while nothing did
	// Kept is why its work could not be handed back when it ended: its files are there still, and it is tried again when
	// the workspace starts. Empty while it lives.
	Kept    string
	Created time.Time
	Node    string // the replica's data folder that it lives in
}

// SiblingOrder asks for a sibling.
type SiblingOrder struct {
	Of      identity.WorkspaceID
	Session identity.SessionID
	Agent   string
	Grant   identity.GrantID
	Shared  bool
}

// Handed is what a sibling's work came back as.
type Handed struct {
	Branch string // in the workspace's checkout; empty: it changed nothing, or shared the checkout
	Stat   string // the difference by file
	Diff   string // as a patch, of at most agentapi.MaxDiff bytes; another's content, without control characters
	Cut    bool   // there is more of the patch
}

// Bounds of siblings.
const (
	maxSiblings  = 128             // beside one workspace
	atOnce       = 4               // of one workspace, that are started or handed back at a time: each has two Gits at work
	siblingStart = 5 * time.Minute // for copying the checkout and beginning
	siblingEnd   = 2 * time.Minute // for handing the work back, once it is its turn
)

var agentName = regexp.MustCompile(`^[a-z][a-z0-9-]{0,40}$`)

// sibling is a Sibling and who works on it.
type sibling struct {
	work   chan struct{} // has one place, taken while it is started, handed back or ended
	row    Sibling       // under Manager.mu
	handed *Handed       // under work: its work is back
	failed error         // under work: why it has just not come back; who ends it then does not try at once again
	gone   bool          // under work
	due    bool          // under Manager.mu: it is ended when its workspace runs
	tries  int           // under Manager.mu: how often its workspace was not reached since it last started

	halt context.CancelCauseFunc // ends its start
}

func newSibling(row Sibling) *sibling { return &sibling{row: row, work: make(chan struct{}, 1)} }

// hold waits until nobody else works on it.
func (s *sibling) hold(ctx context.Context) error {
	select {
	case s.work <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (s *sibling) release() { <-s.work }

// siblings are all that stand beside workspaces of this node.
type siblings struct {
	all   map[identity.WorkspaceID]*sibling // under Manager.mu
	turns sync.Map                          // by workspace: a chan struct{} with a place for each that may work at a time
}

// turn waits until one more beside a workspace may work. Agents that keep their server waiting hold up their own person only.
func (s *siblings) turn(ctx context.Context, of identity.WorkspaceID) (done func(), err error) {
	v, _ := s.turns.LoadOrStore(of, make(chan struct{}, atOnce))
	turns := v.(chan struct{})
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// Sibling finds a sibling by its own ID, for whoever asks through its tunnel.
func (m *Manager) Sibling(id identity.WorkspaceID) (Sibling, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	s := m.siblings.all[id]
	if s == nil {
		return Sibling{}, false
	}
	return s.row, true
}

// Siblings lists what stands beside a workspace, oldest first, also what has ended and is kept.
func (m *Manager) Siblings(of identity.WorkspaceID) []Sibling {
	m.mu.RLock()
	var rows []Sibling
	for _, s := range m.siblings.all {
		if s.row.Of == of {
			rows = append(rows, s.row)
		}
	}
	m.mu.RUnlock()
	slices.SortFunc(rows, func(a, b Sibling) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(string(a.ID), string(b.ID))
	})
	return rows
}

// StartSibling makes a sibling of a running workspace and returns when it is ready for commands. progress, which may be
// nil, is told steps that take time. On an error nothing of it is left.
func (m *Manager) StartSibling(ctx context.Context, o SiblingOrder, progress func(string)) (Sibling, error) {
	if progress == nil {
		progress = func(string) {}
	}
	if !agentName.MatchString(o.Agent) {
		return Sibling{}, problem.New(problem.Invalid, "%q cannot be an AI agent's name; use a lower-case letter, then letters, digits and dashes, at most 41.", o.Agent)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, siblingStart, fmt.Errorf("it was not ready within %s", siblingStart))
	defer cancel()
	ctx, halt := context.WithCancelCause(ctx)
	defer halt(nil)
	s, of, err := m.noteSibling(o, halt)
	if err != nil {
		return Sibling{}, err
	}
	defer s.release()
	if err := m.c.Rows.SaveSibling(ctx, s.row); err != nil {
		m.forgetSibling(s)
		return Sibling{}, unwritten(err)
	}
	err = m.startSibling(ctx, s, of, progress)
	if err != nil {
		m.discard(context.WithoutCancel(ctx), s)
		if cause := context.Cause(ctx); cause != nil && problem.KindOf(err) == problem.Unavailable {
			err = problem.Wrap(err, problem.Unavailable, "The AI agent %s was not started: %v.", o.Agent, cause)
		}
		return Sibling{}, err
	}
	return m.siblingRow(s), nil
}

// noteSibling makes the record of a sibling, held for work.
func (m *Manager) noteSibling(o SiblingOrder, halt context.CancelCauseFunc) (*sibling, Workspace, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[o.Of]
	if e == nil || !m.mine(e.row) {
		return nil, Workspace{}, problem.New(problem.NotFound, "There is no workspace %s.", o.Of)
	}
	if e.row.Phase != Running || e.row.Desired != WantRunning {
		return nil, Workspace{}, problem.New(problem.Conflict, "The workspace %s does not run, so nothing can be started beside it.", o.Of)
	}
	n := 0
	for _, other := range m.siblings.all {
		if other.row.Of == o.Of {
			n++
		}
	}
	if n >= maxSiblings {
		return nil, Workspace{}, problem.New(problem.Conflict, "%d AI agents stand beside this workspace, which is the most there may be. Wait until one has ended, or stop one.", n)
	}
	s := newSibling(Sibling{
		ID: identity.NewWorkspaceID(), Of: o.Of, Owner: e.row.Owner, Session: o.Session, Agent: o.Agent, Grant: o.Grant, Shared: o.Shared,
		Created: m.c.Now(), Node: m.c.Node,
	})
	s.halt = halt
	s.work <- struct{}{}
	m.siblings.all[s.row.ID] = s
	return s, e.row, nil
}

// startSibling starts the sibling, brings the checkout into it and sets it up.
func (m *Manager) startSibling(ctx context.Context, s *sibling, of Workspace, progress func(string)) error {
	done, err := m.siblings.turn(ctx, of.ID)
	if err != nil {
		return err
	}
	defer done()
	progress("starting a workspace for " + s.row.Agent)
	prepared, err := m.preparedOf(ctx, of.ID)
	if err != nil {
		return err
	}
	if err := m.runSibling(ctx, s.row, of.Name, prepared); err != nil {
		return err
	}
	agent := agentapi.New(m.c.Doors.Client(s.row.ID))
	if !s.row.Shared {
		progress("copying the checkout")
		base, err := m.copyCheckout(ctx, of, agent)
		if err != nil {
			return err
		}
		m.mu.Lock()
		s.row.Base = base
		m.mu.Unlock()
		if err := m.c.Rows.SaveSibling(ctx, s.row); err != nil {
			return unwritten(err)
		}
	}
	return agent.Setup(ctx, siblingSetup(prepared.Setup, s.row), func(p agentapi.Progress) { progress(p.Text) })
}

// runSibling starts a sibling's processes, if they do not run, and waits for its agent.
func (m *Manager) runSibling(ctx context.Context, row Sibling, name string, prepared Prepared) error {
	spec := m.spec(prepared, row.ID, name)
	spec.Beside, spec.SharesFiles, spec.Volumes = row.Of, row.Shared, nil
	if err := m.c.Runtime.Start(ctx, spec, nil); err != nil {
		return err
	}
	return m.reach(ctx, row.ID)
}

// reach waits for the agent of a workspace that runs: after a restart of the server each comes back when it notices.
func (m *Manager) reach(ctx context.Context, id identity.WorkspaceID) error {
	wait, cancel := context.WithTimeout(ctx, agentWait)
	defer cancel()
	return m.c.Doors.Wait(wait, id)
}

// copyCheckout brings the workspace's checkout as it is now into a sibling, and returns the commit that it then is at.
func (m *Manager) copyCheckout(ctx context.Context, of Workspace, to agentapi.Client) (base string, err error) {
	if err := m.reach(ctx, of.ID); err != nil {
		return "", err
	}
	from := agentapi.New(m.c.Doors.Client(of.ID))
	p, pack, err := from.Pack(ctx, agentapi.PackOrder{Name: of.Name, Message: "Not committed yet in the workspace"})
	if err != nil {
		return "", err
	}
	defer pack.Close()
	_, err = to.Unpack(ctx, agentapi.Unpack{Name: of.Name}, p, pack)
	return p.Commit, err
}

// siblingSetup is the workspace's own, in the AI agent's name, without its clones and without what runs by itself.
func siblingSetup(setup agentapi.Setup, row Sibling) agentapi.Setup {
	setup.Repository, setup.More, setup.Dotfiles = nil, nil, nil
	setup.Tasks, setup.Lifecycle, setup.Ports = nil, nil, nil
	person := setup.Author.Name
	setup.Author.Name = row.Agent + " (AI agent)"
	if person != "" {
		setup.Author.Name = row.Agent + " (AI agent of " + person + ")"
	}
	env := make(map[string]string, len(setup.Env)+1)
	for k, v := range setup.Env {
		env[k] = v
	}
	env["LANYARD_AGENT"] = row.Agent
	setup.Env = env
	return setup
}

// discard removes all of a sibling that is held for work.
func (m *Manager) discard(ctx context.Context, s *sibling, events ...audit.Event) {
	id := s.row.ID
	if err := m.c.Runtime.Delete(ctx, id); err != nil {
		m.keep(ctx, s, "its files could not be removed: "+problem.Message(err))
		m.c.Log.Error("a sibling could not be removed", "sibling", id, "error", err)
		return
	}
	if err := m.c.Doors.Remove(id); err != nil {
		m.c.Log.Error("the socket folder of a sibling could not be removed", "sibling", id, "error", err)
	}
	if err := m.c.Rows.DeleteSibling(ctx, id, events...); err != nil {
		m.c.Log.Error("the record of a sibling could not be removed", "sibling", id, "error", err) // nothing is left of it: the next start of the server drops it
	}
	m.forgetSibling(s)
}

func (m *Manager) forgetSibling(s *sibling) {
	s.gone = true
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.siblings.all, s.row.ID)
}

func (m *Manager) siblingRow(s *sibling) Sibling {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return s.row
}
