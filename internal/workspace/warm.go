package workspace

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Warm is the record of a workspace that was made ahead: its agent runs and was told nothing. It belongs to nobody, and nobody
// has a route to it; what comes through its tunnel is refused. Whoever makes a workspace that it fits gets it, once.
type Warm struct {
	ID      identity.WorkspaceID
	Project identity.ProjectID
	Class   string
	Created time.Time
	Node    string // the replica's data folder that it lives in
}

// WarmOrder wants workspaces of one project, class and image ahead.
type WarmOrder struct {
	Project identity.ProjectID
	Name    string // the project's
	Class   string
	Image   string // as a repository would name it; empty: that of workspaces whose repositories name none
	Count   int
	// Mark names all that they are made of besides: those with another one are replaced.
	Mark string
}

// kind is what is ordered, however many of it.
func (o WarmOrder) kind() WarmOrder {
	o.Count = 0
	return o
}

// WarmState is how a WarmOrder stands on this machine.
type WarmState struct {
	WarmOrder
	Ready, Making int
	Message       string    // why there are not more; empty: nothing is wrong
	Since         time.Time // when that began
}

const (
	warmEvery    = time.Second      // how often what is there is compared with what is wanted
	warmLook     = 5 * time.Minute  // how often a registry is asked whether the image is still the same
	warmPatience = 30 * time.Second // how long people's starts are waited for
	warmWorst    = 5 * time.Minute  // between two tries where one after the other fails
	warmAnswer   = 3 * time.Second  // how long a start waits for the agent of what it took, which ran already
	warmEnd      = 10 * time.Second // for ending all when the server does
	maxLearned   = 10_000           // repositories of which is known what they need
)

// spare is a Warm and who works on it. All is under Manager.mu.
type spare struct {
	row    Warm
	order  WarmOrder // by which it was made; its Count may be another one by now
	needs  needs     // of its Spec
	memory int64
	given  bool // to a workspace that is being stored: it is in nobody else's way any more, and its room is not free
	ready  bool
	began  time.Time          // when it got ready
	going  string             // why it is ended; empty: it is not
	ending bool               // somebody does
	stop   context.CancelFunc // ends its making; nil: that is over
}

// pool is what was made ahead on this node. It is under Manager.mu.
type pool struct {
	all     map[identity.WorkspaceID]*spare
	learned map[learnt]needs     // of the starts of before
	tries   map[WarmOrder]*tried // of the kinds that are wanted now
	wake    chan struct{}        // has one place
	closed  bool                 // none is made any more
}

type learnt struct {
	project    identity.ProjectID
	repository string
	wanted     string // see Details
	class      string // that was asked for: another class takes other limits of the same file
}

// learning is what a start's needs are remembered by.
func learning(p identity.ProjectID, repository string, d Details) learnt {
	l := learnt{project: p, repository: repository, wanted: d.Wanted}
	if !d.Fitted {
		l.class = d.Class
	}
	return l
}

// tried is what came of an order so far.
type tried struct {
	needs   needs     // of its Spec, when that was last made
	looked  time.Time // when that was
	since   time.Time // one was missing
	next    time.Time // it is not tried before
	delay   time.Duration
	message string
	failed  time.Time // since when there is a message
}

// says notes why there are not more of an order; empty: nothing is wrong.
func (t *tried) says(text string, now time.Time) {
	switch {
	case text == "":
		t.failed = time.Time{}
	case t.message == "":
		t.failed = now
	}
	t.message = text
}

func newPool() pool {
	return pool{all: map[identity.WorkspaceID]*spare{}, learned: map[learnt]needs{}, tries: map[WarmOrder]*tried{}, wake: make(chan struct{}, 1)}
}

// takeWarm gives a workspace that is being made one that was made ahead for its project and class, and that fits what its
// repository needed last; nil: there is none, and why, which is empty where the project has none made ahead. Whether it fits
// this time is known when the start was prepared.
func (m *Manager) takeWarm(o Order) (w *spare, why string) {
	if m.c.Warm == nil {
		return nil, ""
	}
	orders := slices.DeleteFunc(m.c.Warm(), func(w WarmOrder) bool { return w.Project != o.Project || w.Count == 0 })
	class, err := m.class(Workspace{Project: o.Project, Details: o.Details})
	if err != nil || len(orders) == 0 {
		return nil, ""
	}
	if !slices.ContainsFunc(orders, func(w WarmOrder) bool { return w.Class == class.Name }) {
		return nil, fmt.Sprintf("none of the class %s is made ahead", class.Name)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.entries {
		if m.mine(e.row) && !e.placed && e.row.Desired == WantRunning && !e.row.Queued.IsZero() {
			return nil, "others wait for room on this machine" // it would run and wait
		}
	}
	needed, known := m.pool.learned[learning(o.Project, o.Repository, o.Details)]
	why = "none is ready yet"
	for _, one := range m.pool.all {
		switch {
		case !one.free() || one.row.Project != o.Project || one.row.Class != class.Name || !slices.ContainsFunc(orders, func(w WarmOrder) bool { return w.kind() == one.order.kind() }):
		case known && !one.needs.fits(needed):
			why = "as at the repository's last start, " + one.needs.unlike(needed) // of which another branch may say something else
		case w == nil, one.order.Image < w.order.Image, one.order.Image == w.order.Image && one.row.Created.Before(w.row.Created):
			w = one // what most repositories need is the project's own image; of those the oldest
		}
	}
	if w == nil {
		return nil, why
	}
	w.given = true
	return w, ""
}

// free reports whether somebody may have it.
func (w *spare) free() bool { return w.ready && !w.given && w.going == "" }

// took forgets the record of a warm workspace that is somebody's, and lets another one be made.
func (m *Manager) took(ctx context.Context, id identity.WorkspaceID) {
	if err := m.c.Rows.DeleteWarm(context.WithoutCancel(ctx), id); err != nil {
		m.c.Log.Warn("the record of a warm workspace that was taken is left; it goes when the server begins again", "workspace", id, "error", err)
	}
	m.wakeWarm()
}

// discardWarm ends one that was taken for a workspace that was not made after all: what was taken never goes back.
func (m *Manager) discardWarm(w *spare) {
	m.mu.Lock()
	w.given, w.going = false, "the workspace that it was taken for was not made"
	m.mu.Unlock()
	m.wakeWarm()
}

func (m *Manager) wakeWarm() {
	select {
	case m.pool.wake <- struct{}{}:
	default: // it will look anyhow
	}
}

// useTaken decides whether what was made ahead is what a start needs. What is not goes, with the folders that it has, in which
// nobody was; the start then makes its own. From then on the workspace is as any other.
func (m *Manager) useTaken(ctx context.Context, row Workspace, spec Spec) (fits bool, err error) {
	wanted, why := needsOf(spec), "what was made ahead for it has ended"
	m.mu.Lock()
	if e := m.entries[row.ID]; e != nil && e.ahead != nil {
		fits, why = e.ahead.fits(wanted) && row.Taken == wanted.print(), e.ahead.unlike(wanted)
		if e.ahead.older(wanted) {
			m.lookAgain(row.Project)
		}
		e.ahead = nil
	}
	m.mu.Unlock()
	if fits {
		answers, cancel := context.WithTimeout(ctx, warmAnswer)
		fits = m.c.Doors.Wait(answers, row.ID) == nil
		cancel()
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		why = "the agent of what was made ahead did not answer"
	}
	if !fits {
		m.say(row.ID, "", notFromThePool(why))
		if err := m.c.Runtime.Delete(ctx, row.ID); err != nil {
			return false, err
		}
		m.c.Doors.Close(row.ID)
	}
	_, err = m.Change(ctx, row.ID, func(d *Details) {
		if d.Taken, d.Warm, d.Cold = "", fits, why; fits {
			d.Cold = ""
		}
	})
	if fits && err == nil { // which a start that is made cold is told by its runtime
		_, left := spec.Mounted(checkoutsFolder)
		for _, text := range left {
			m.say(row.ID, "", text)
		}
	}
	return fits, err
}

// lookAgain lets what is made ahead for a project be compared now with what would be made today. The lock is held.
func (m *Manager) lookAgain(p identity.ProjectID) {
	for o, t := range m.pool.tries {
		if o.Project == p {
			t.looked = time.Time{}
		}
	}
	m.wakeWarm()
}

// notFromThePool tells why a start is made anew.
func notFromThePool(why string) string { return "Not from the pool: " + why + "." }

// learn remembers what a workspace of a repository needs.
func (m *Manager) learn(row Workspace, spec Spec) {
	if m.c.Warm == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.pool.learned) >= maxLearned {
		clear(m.pool.learned)
	}
	m.pool.learned[learning(row.Project, row.Repository, row.Details)] = needsOf(spec)
}

// Warm says how what is wanted ahead stands here.
func (m *Manager) Warm() []WarmState {
	if m.c.Warm == nil {
		return nil
	}
	var all []WarmState
	for _, o := range m.c.Warm() {
		s := WarmState{WarmOrder: o}
		m.mu.RLock()
		for _, w := range m.pool.all {
			switch {
			case w.order.kind() != o.kind() || w.given || w.going != "":
			case w.ready:
				s.Ready++
			default:
				s.Making++
			}
		}
		if t := m.pool.tries[o.kind()]; t != nil {
			s.Message, s.Since = t.message, t.failed
		}
		m.mu.RUnlock()
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b WarmState) int {
		return strings.Compare(a.Name+"\x00"+a.Class+"\x00"+a.Image, b.Name+"\x00"+b.Class+"\x00"+b.Image)
	})
	return all
}

// warmEvent tells of one in the log: nobody's but the service's.
func (m *Manager) warmEvent(w *spare, action string, outcome audit.Outcome, why ...string) audit.Event {
	return audit.Event{
		Time: m.c.Now(), Action: action, Outcome: outcome, Actor: "service:" + identity.WarmService(w.order.Name), Workspace: w.row.ID, Project: w.order.Name,
		Resource: "workspace " + string(w.row.ID), Reasons: why, Detail: map[string]any{"class": w.order.Class},
	}
}

var errNoRoom = problem.New(problem.Conflict, "There is no room for more on this machine; workspaces of people come first.")
