// Package workspace keeps workspaces as their owners want them: a record of what is wanted, what was last observed,
// and one reconciler that moves the second towards the first. How a workspace runs is its Runtime's affair.
package workspace

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Rows is the storage of workspaces. Row, feed entry and audit events are one transaction.
type Rows interface {
	LoadWorkspaces(context.Context) ([]Workspace, feed.Seq, error)
	// SaveWorkspace writes a new workspace, or all of a known one but what is wanted of it.
	SaveWorkspace(context.Context, Workspace, feed.Entry, ...audit.Event) (feed.Seq, error)
	// WantWorkspace writes Desired, Changed and, where it is empty, Message of a workspace of which was is wanted so far;
	// otherwise it is a problem.Conflict.
	WantWorkspace(ctx context.Context, w Workspace, was Desired, e feed.Entry, events ...audit.Event) (feed.Seq, error)
	ReadWorkspaces(ctx context.Context, ids []string) ([]Workspace, error)
	DeleteWorkspace(context.Context, identity.WorkspaceID, feed.Entry, ...audit.Event) (feed.Seq, error)
	// ReviseWorkspace changes the Details of a workspace as they are stored, and nothing else.
	ReviseWorkspace(ctx context.Context, id identity.WorkspaceID, change func(*Details), e feed.Entry, events ...audit.Event) (feed.Seq, error)
	// What stands beside workspaces is its own node's affair and no fact: it has no feed entry.
	LoadSiblings(context.Context) ([]Sibling, error)
	SaveSibling(context.Context, Sibling, ...audit.Event) error
	DeleteSibling(context.Context, identity.WorkspaceID, ...audit.Event) error
	// So is what was made ahead.
	LoadWarm(context.Context) ([]Warm, error)
	SaveWarm(context.Context, Warm, ...audit.Event) error
	DeleteWarm(context.Context, identity.WorkspaceID, ...audit.Event) error
}

// Doors is the server's end of the workspaces' tunnels (tunnel.Hub).
type Doors interface {
	Listen(ctx context.Context, id identity.WorkspaceID, uid int) (dir string, err error)
	Wait(ctx context.Context, id identity.WorkspaceID) error
	Client(id identity.WorkspaceID) http.RoundTripper
	Close(id identity.WorkspaceID)
	Remove(id identity.WorkspaceID) error
}

// Sessions makes and ends the sessions of workspaces.
type Sessions interface {
	// ForWorkspace makes a session below the sign-in of the session that asks.
	ForWorkspace(ctx context.Context, from identity.SessionID, ws identity.WorkspaceID, p identity.ProjectID) (identity.SessionID, error)
	// Ensure returns a live session of a workspace: the one given if it lives, otherwise a new one below the
	// owner's latest sign-in.
	Ensure(ctx context.Context, id identity.SessionID, owner identity.UserID, ws identity.WorkspaceID, p identity.ProjectID) (identity.SessionID, error)
	// EndSession ends the session of a workspace that is no more.
	EndSession(ctx context.Context, id identity.SessionID, why string, events ...audit.Event) session.Ended
}

// Config makes a Manager.
type Config struct {
	// Node is the data folder whose workspaces this manager runs. Those of other nodes it knows, and records what is
	// wanted of them; their own replica does it. It is empty where there is one node.
	Node string
	// Alone says that there is no other node: every workspace is this one's, also those of a folder that this one replaces.
	Alone    bool
	Rows     Rows
	Runtime  Runtime
	Doors    Doors
	Sessions Sessions
	// Prepare says what a workspace runs and how it is set up inside, and makes ready what that takes (an image, say). It
	// reads the facts of now. Its errors are shown to the owner: they say which step failed.
	Prepare func(context.Context, Workspace, Say) (Prepared, error)
	// Warm lists what is to be made ahead, from the facts of now; nil: nothing. PrepareWarm says what such a workspace runs, and
	// makes ready what that takes: Image, User, Volumes, Env and Labels, as Prepare does, of nobody.
	Warm        func() []WarmOrder
	PrepareWarm func(context.Context, WarmOrder) (Spec, error)
	// Timeout is how long a workspace that nobody is in goes on running.
	Timeout func(Workspace) time.Duration
	// InUse reports whether the workspace was used since it was asked before; see docs/operations.md for what counts.
	InUse func(identity.WorkspaceID) bool
	// Class is the class that a workspace is of, or why it may not be; nil: nothing is bounded.
	Class func(Workspace) (Class, error)
	Rules Rules
	// Warn tells who is in a workspace that it stops soon; nil: nobody.
	Warn func(ctx context.Context, w Workspace, text string)
	// Ballast is room that the server keeps for itself on its own disk; nil: none.
	Ballast Ballast
	Log     *slog.Logger
	Now     func() time.Time // nil: time.Now
}

// Order asks for a new workspace.
type Order struct {
	Owner      identity.UserID
	OwnerName  string
	Session    identity.SessionID // the session that asks: the workspace's own hangs below the same sign-in
	Project    identity.ProjectID
	Repository string // canonical URL
	Ref        string
	IP         string
	Details    Details // what is known of it beforehand: class, context, variables, snapshot
}

// Line is one line of what a workspace's start or stop says.
type Line struct {
	At    time.Time
	Phase Phase
	Text  string
}

// Manager holds all workspaces.
type Manager struct {
	c Config

	mu       sync.RWMutex // every request of a workspace reads; changes are rare
	entries  map[identity.WorkspaceID]*entry
	siblings siblings
	guests   map[identity.WorkspaceID]guest // what has room beside the workspaces
	coming   map[identity.WorkspaceID]guest // what waits for that
	pool     pool

	running context.Context // ends with Run: what is under way stops with it
	work    sync.WaitGroup

	orders  sync.Mutex    // one more workspace at a time is wanted to run, so that the limits hold
	queue   chan struct{} // under mu: closed and made anew whenever those that wait for room are to look again
	noticed chan struct{} // the runtime says that something changed
	watched atomic.Bool   // it does say so now
	rooms   []Room        // under mu: the disks, as they were last looked at; replaced whole
}

type entry struct {
	saving sync.Mutex // held, before Manager.mu, from reading the row until what was made of it is stored and here

	row   Workspace
	lines []Line
	subs  map[chan Line]struct{}
	busy  bool               // a reconciliation is under way
	again bool               // something changed meanwhile
	stop  context.CancelFunc // ends the start that is under way
	used  time.Time

	prepared *Prepared // by this process for the run of now; nil: it was another one's

	ahead  *needs    // of its processes, which were started ahead and with which nothing was done yet; nil: there are no such
	placed bool      // it has room on this machine
	place  Place     // where it waits for that
	step   string    // of its start, for who reads why it failed
	notice string    // that it stops soon
	over   time.Time // since when it has more on disk than its class allows
	beyond string    // that it has, as people were told
	disk   measured  // when it was last measured
	before measured  // what of that was known when the disks were last calm, or it was last halted or seen to make room
	freed  time.Time // when it was seen to make room: what was measured from before that on is no longer so
	sizing bool      // it is measured since
	halted bool      // its processes were ended at once, so there is nobody to ask

	weighing bool // it was halted, and does not start until it is known what it has on disk
}

// NewManager returns a manager without workspaces; Load fills it.
func NewManager(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	return &Manager{
		c: c, entries: map[identity.WorkspaceID]*entry{}, siblings: siblings{all: map[identity.WorkspaceID]*sibling{}},
		guests: map[identity.WorkspaceID]guest{}, coming: map[identity.WorkspaceID]guest{}, pool: newPool(),
		queue: make(chan struct{}), noticed: make(chan struct{}, 1),
	}
}

// Create records a new workspace and begins to start it.
func (m *Manager) Create(ctx context.Context, o Order) (Workspace, error) {
	id := identity.NewWorkspaceID()
	m.orders.Lock() // from counting what runs until this one counts
	defer m.orders.Unlock()
	if err := m.mayStart(Workspace{ID: id, Owner: o.Owner, Project: o.Project, Details: o.Details}, true); err != nil {
		return Workspace{}, err
	}
	ahead, cold := m.takeWarm(o)
	o.Details.Cold = cold
	if ahead != nil { // its room becomes the workspace's
		id, o.Details.Taken, o.Details.Holds = ahead.row.ID, ahead.needs.print(), ahead.memory
	}
	row, err := m.record(ctx, id, o)
	if err != nil {
		if ahead != nil {
			m.discardWarm(ahead)
		}
		return Workspace{}, err
	}
	m.mu.Lock()
	m.entries[id] = &entry{row: row, subs: map[chan Line]struct{}{}, used: row.Created, placed: ahead != nil}
	if ahead != nil {
		m.entries[id].ahead = &ahead.needs
		delete(m.pool.all, id)
	}
	m.mu.Unlock()
	if ahead != nil {
		m.took(ctx, id)
	}
	m.wake(id)
	return row, nil
}

// record stores a new workspace.
func (m *Manager) record(ctx context.Context, id identity.WorkspaceID, o Order) (Workspace, error) {
	sid, err := m.c.Sessions.ForWorkspace(ctx, o.Session, id, o.Project)
	if err != nil {
		return Workspace{}, err
	}
	now := m.c.Now()
	row := Workspace{
		ID: id, Owner: o.Owner, OwnerName: o.OwnerName, Project: o.Project, Repository: o.Repository, Ref: o.Ref,
		Name: CheckoutName(o.Repository), Session: sid, Desired: WantRunning, Phase: Preparing, Created: now, Changed: now,
		Node: m.c.Node, Details: o.Details,
	}
	if err := m.save(ctx, row, m.event(row, "workspace:create", o.IP)); err != nil {
		return Workspace{}, err
	}
	return row, nil
}

// CheckoutName makes a folder's name of a repository's URL.
func CheckoutName(repository string) string {
	name := strings.TrimLeft(strings.TrimSuffix(path.Base(repository), ".git"), "._-")
	if !agentapi.ValidName(name) {
		return "workspace"
	}
	return name
}

// Want records what is wanted of a workspace from now on. by says who wants it.
func (m *Manager) Want(ctx context.Context, id identity.WorkspaceID, want Desired, by audit.Event) error {
	m.mu.Lock()
	e := m.entries[id]
	m.mu.Unlock()
	if e == nil {
		return problem.New(problem.NotFound, "There is no workspace %s.", id)
	}
	if want == WantRunning {
		m.orders.Lock()
		defer m.orders.Unlock()
		if row, ok := m.Get(id); ok && row.Desired != WantRunning {
			if err := m.mayStart(row, false); err != nil {
				return err
			}
		}
	}
	e.saving.Lock()
	defer e.saving.Unlock()
	row, err := m.want(ctx, id, want, by)
	if problem.KindOf(err) == problem.Conflict { // what is wanted was changed elsewhere: on top of that, then
		if rows, failed := m.c.Rows.ReadWorkspaces(ctx, []string{string(id)}); failed == nil && len(rows) == 1 {
			m.apply(rows[0])
			row, err = m.want(ctx, id, want, by)
		}
	}
	if err != nil {
		return err
	}
	m.mu.Lock()
	e.row.Desired, e.row.Changed = row.Desired, row.Changed
	if want == WantRunning {
		e.row.Message = ""
		e.used = m.c.Now()
	} else if e.stop != nil {
		e.stop() // a start under way makes room for the stop
	}
	m.mu.Unlock()
	m.wake(id)
	return nil
}

// want stores what is wanted of a workspace and returns its row as it then is.
func (m *Manager) want(ctx context.Context, id identity.WorkspaceID, want Desired, by audit.Event) (Workspace, error) {
	row, ok := m.Get(id)
	if !ok {
		return row, problem.New(problem.NotFound, "There is no workspace %s.", id)
	}
	if row.Desired == WantDeleted && want != WantDeleted {
		return row, problem.New(problem.Conflict, "Workspace %s is being deleted.", id)
	}
	was := row.Desired
	row.Desired, row.Changed = want, m.c.Now()
	if want == WantRunning {
		row.Message = ""
	}
	_, err := m.c.Rows.WantWorkspace(ctx, row, was, changed(id), by)
	if err != nil && problem.KindOf(err) != problem.Conflict {
		err = unwritten(err)
	}
	return row, err
}

// StopOf stops all running workspaces of a user; nothing is deleted.
func (m *Manager) StopOf(ctx context.Context, u identity.UserID, why string) {
	m.wantAll(ctx, func(row Workspace) bool { return row.Owner == u && row.Desired == WantRunning }, WantStopped, why)
}

// StopIn stops all running workspaces of a project; nothing is deleted.
func (m *Manager) StopIn(ctx context.Context, p identity.ProjectID, why string) {
	m.wantAll(ctx, func(row Workspace) bool { return row.Project == p && row.Desired == WantRunning }, WantStopped, why)
}

// DeleteIn deletes all workspaces of a project with their files.
func (m *Manager) DeleteIn(ctx context.Context, p identity.ProjectID, why string) {
	m.wantAll(ctx, func(row Workspace) bool { return row.Project == p && row.Desired != WantDeleted }, WantDeleted, why)
}

// wantAll wants the same of all workspaces of this node that fit.
func (m *Manager) wantAll(ctx context.Context, fits func(Workspace) bool, want Desired, why string) {
	action := "workspace:stop"
	if want == WantDeleted {
		action = "workspace:delete"
	}
	for _, row := range m.List() {
		if !fits(row) || !m.mine(row) {
			continue
		}
		ev := m.event(row, action, "")
		ev.Actor, ev.Reasons = "service:workspaces", []string{why}
		if err := m.Want(ctx, row.ID, want, ev); err != nil {
			m.c.Log.Error("a workspace could not be "+string(want), "workspace", row.ID, "why", why, "error", err)
		}
	}
}

// Get finds a workspace.
func (m *Manager) Get(id identity.WorkspaceID) (Workspace, bool) {
	m.mu.RLock()
	defer m.mu.RUnlock()
	e := m.entries[id]
	if e == nil {
		return Workspace{}, false
	}
	return e.row, true
}

// List lists all workspaces, newest first.
func (m *Manager) List() []Workspace {
	m.mu.Lock()
	rows := make([]Workspace, 0, len(m.entries))
	for _, e := range m.entries {
		rows = append(rows, e.row)
	}
	m.mu.Unlock()
	slices.SortFunc(rows, func(a, b Workspace) int {
		return cmp.Or(b.Created.Compare(a.Created), strings.Compare(string(a.ID), string(b.ID)))
	})
	return rows
}

// Follow returns what the latest start or stop has said and a channel of what it says next. A follower that does not
// read loses lines, never holds anybody up. stop ends it.
func (m *Manager) Follow(id identity.WorkspaceID) (lines []Line, more <-chan Line, stop func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := make(chan Line, 256)
	e := m.entries[id]
	if e == nil {
		close(c)
		return nil, c, func() {}
	}
	e.subs[c] = struct{}{}
	return slices.Clone(e.lines), c, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		delete(e.subs, c)
	}
}

// maxLines bounds what is kept of one start.
const maxLines = 500

// say adds a line and, where phase is not empty, moves the observed phase.
func (m *Manager) say(id identity.WorkspaceID, phase Phase, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if e := m.entries[id]; e != nil {
		m.tell(e, phase, text)
	}
}

// tell is say under the lock. A text of several lines is as many.
func (m *Manager) tell(e *entry, phase Phase, text string) {
	if phase != "" {
		e.row.Phase, e.row.Changed = phase, m.c.Now()
	}
	if phase == Stopped { // somebody else has the room now
		e.placed, e.place, e.row.Queued, e.notice, e.over = false, Place{}, time.Time{}, "", time.Time{}
		e.beyond, e.halted = "", false
		m.moved()
	}
	for text := range strings.SplitSeq(text, "\n") {
		m.tellLine(e, Line{At: m.c.Now(), Phase: e.row.Phase, Text: text})
	}
}

func (m *Manager) tellLine(e *entry, line Line) {
	if len(e.lines) >= maxLines {
		e.lines = slices.Delete(e.lines, 0, maxLines/2)
	}
	e.lines = append(e.lines, line)
	for c := range e.subs {
		select {
		case c <- line:
		default:
		}
	}
}

func (m *Manager) save(ctx context.Context, row Workspace, events ...audit.Event) error {
	_, err := m.c.Rows.SaveWorkspace(ctx, row, changed(row.ID), events...)
	if err != nil {
		return unwritten(err)
	}
	return nil
}

func unwritten(err error) error {
	return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nothing was changed. Try again in a moment.")
}

func changed(id identity.WorkspaceID) feed.Entry {
	return feed.Entry{Topic: feed.Workspace, Keys: []string{string(id)}}
}

// event is an audit event about a workspace, in its owner's name.
func (m *Manager) event(row Workspace, action, ip string) audit.Event {
	return audit.Event{
		Time: m.c.Now(), Action: action, Outcome: audit.Done, User: audit.PersonOf(row.Owner, row.OwnerName),
		Workspace: row.ID, Resource: fmt.Sprintf("workspace %s", row.ID), IP: ip,
		Detail: map[string]any{"repository": row.Repository, "ref": row.Ref},
	}
}
