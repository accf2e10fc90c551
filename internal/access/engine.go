package access

import (
	"context"
	"hash/maphash"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	sweepEvery   = 100 * time.Millisecond
	recheckAfter = 30 * time.Second
	pruneEvery   = 50  // sweeps
	walkAlone    = 100 // so many leases are decided again by one processor
)

// Authorizer is what the rest of Lanyard sees of access.
type Authorizer interface {
	// Explain decides without opening anything: for "why", and for which buttons a page shows.
	Explain(context.Context, Request) Explanation
	// Open gives a lease, or the refusal as an error that a person may see. The context it returns ends with the
	// lease; after a cut its cause is the Reason. bye, which may be nil, is called once after a cut and has Goodbye
	// to tell the peer. Whoever gets a lease calls its End.
	Open(ctx context.Context, r Request, bye func(Reason)) (context.Context, *Lease, error)
}

// Recorder is the audit log as access uses it.
type Recorder interface {
	Durable(context.Context, ...audit.Event) error // on disk when it returns
	Later(audit.Event)                             // never waits; on disk within a second
}

// Config makes an Engine.
type Config struct {
	Facts Facts
	Audit Recorder
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
	// Opened, which may be nil, is told at the end of every Open what was decided, and the lease if there is one.
	Opened func(context.Context, Request, Decision, *Lease)
	// StepUp, which may be nil, makes the address at which the person who was refused signs in with an authentication
	// context for this request alone, or afresh where that is empty; empty where it cannot.
	StepUp func(r Request, authContext string) string
	// Class, which may be nil, is the class of a workspace, for requests that do not say it: policies hold on every way in.
	Class func(identity.WorkspaceID) string
}

// Engine holds the facts and the open leases.
type Engine struct {
	facts   atomic.Pointer[Facts]
	writing sync.Mutex // one publication at a time; readers never take it
	index   index
	cache   cache
	ended   endings
	visits  *visits
	denials *denials
	changed bell
	log     *slog.Logger
	now     func() time.Time
	defects atomic.Int64
	figures figures
	opened  func(context.Context, Request, Decision, *Lease)
	stepUp  func(Request, string) string
	class   func(identity.WorkspaceID) string
	// step, where a test set it, is called between the steps of Open so that a change can be forced in.
	step func(string)
}

var _ Authorizer = (*Engine)(nil)

// New returns an engine that holds these facts and no leases.
func New(c Config) *Engine {
	e := &Engine{index: index{seed: maphash.MakeSeed()}, cache: cache{seed: maphash.MakeSeed()}, log: c.Log, now: c.Now, opened: c.Opened, stepUp: c.StepUp, class: c.Class}
	if e.now == nil {
		e.now = time.Now
	}
	c.Facts.version = 1
	e.facts.Store(&c.Facts)
	e.visits = newVisits(c.Audit, e.now, e.describe)
	e.denials = newDenials(c.Audit, e.now)
	return e
}

// Facts returns the facts of now.
func (e *Engine) Facts() *Facts { return e.facts.Load() }

// classed is a request that says the class of the workspace that is asked for, or else of the one that asks.
func (e *Engine) classed(r Request) Request {
	id := r.Principal.Workspace
	if r.Resource.Kind == identity.KindWorkspace {
		id = identity.WorkspaceID(r.Resource.Name)
	}
	if r.Class == "" && id != "" && e.class != nil {
		r.Class = e.class(id)
	}
	return r
}

// Open implements Authorizer.
func (e *Engine) Open(ctx context.Context, r Request, bye func(Reason)) (context.Context, *Lease, error) {
	now := e.now()
	r = e.classed(r)
	l := &Lease{ID: identity.NewLeaseID(), Request: r, Opened: now, engine: e, bye: bye}
	ctx, l.cancel = context.WithCancelCause(ctx)

	// The order is the point: whoever changes facts publishes first and walks the leases after.
	e.index.add(l)
	e.at("inserted")
	f := e.Facts()
	d, known, cached := e.decide(f, r, now, alive{})
	d = r.stands(f, d)
	e.at("decided")
	e.figures.decided(d, cached)
	if d.Effect != Allow {
		l.End()
		e.offer(r, d)
		e.denied(r, *d)
		if e.opened != nil {
			e.opened(ctx, r, *d, nil)
		}
		if was := e.ended.told(r); d.Hidden && !was.IsZero() { // what was cut without a word is told now
			return nil, nil, problem.Wrap(was, problem.Denied, "Access has ended: %s.", was.Text)
		}
		return nil, nil, d.Err(r)
	}
	if !l.settle(d, now) { // cut between our decision and here: a newer fact has denied it
		reason := l.Reason()
		return nil, nil, refusal(reason)
	}
	if e.Facts() != f && e.recheck(l) { // ours may have overwritten the decision of a walk that came between
		return nil, nil, refusal(l.Reason())
	}
	e.at("settled")
	if err := e.visits.open(ctx, l, known); err != nil {
		l.End()
		return nil, nil, err
	}
	e.at("recorded")
	if !l.begin() { // cut while the audit entry was written
		e.visits.cut(l, l.Reason()) // the cut may have come before there was an entry to end
		return nil, nil, refusal(l.Reason())
	}
	e.changed.ring()
	if e.opened != nil {
		e.opened(ctx, r, *d, l)
	}
	return ctx, l, nil
}

// offer completes a refusal with the way to step up.
func (e *Engine) offer(r Request, d *Decision) {
	if d.Effect == StepUp && e.stepUp != nil && r.Principal.Kind == identity.Person {
		d.Next = e.stepUp(r, d.Context)
	}
}

// Touched names the users whose rights a change may have altered.
type Touched struct {
	All   bool
	Users []identity.UserID
}

// Publish replaces the facts by what change makes of them, then decides again all that may rest on what changed,
// and closes what no longer holds. When it returns, every lease that lost its ground has been cut: its context is
// cancelled and its goodbye is under way. It says how many were cut.
func (e *Engine) Publish(change func(Facts) Facts, t Touched) int {
	e.writing.Lock()
	defer e.writing.Unlock()
	was := e.facts.Load()
	next := change(*was)
	next.version = was.version + 1
	e.facts.Store(&next)
	if next.Projects != was.Projects || next.Policies != was.Policies {
		e.cache.tables.Clear() // nothing of it can hold, and it would keep what was replaced
	}
	return e.walk(t)
}

// walk decides the touched leases again.
func (e *Engine) walk(t Touched) int {
	var list []*Lease
	if t.All {
		for i := range e.index.shards {
			list = append(list, e.index.shards[i].all()...)
		}
	} else {
		for _, u := range t.Users {
			list = append(list, e.index.of(u)...)
		}
	}
	var cut atomic.Int64
	var parts sync.WaitGroup
	size := max(walkAlone, (len(list)+runtime.GOMAXPROCS(0)-1)/runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(list, size) {
		decide := func() {
			for _, l := range part {
				if e.recheck(l) {
					cut.Add(1)
				}
			}
		}
		if len(part) == len(list) {
			decide()
		} else {
			parts.Go(decide)
		}
	}
	parts.Wait()
	return int(cut.Load())
}

// recheck decides a lease again and reports whether that closed it. What it leaves is a decision on the facts of now,
// also when another recheck of the lease is under way.
func (e *Engine) recheck(l *Lease) bool {
	for {
		now, f := e.now(), e.Facts()
		d, _, _ := e.decide(f, l.Request, now, alive{open: true})
		d = l.Request.stands(f, d)
		if d.Effect != Allow {
			return l.cut(d.lost(l, f, now))
		}
		if !l.settle(d, now) || e.Facts() == f {
			return false
		}
	}
}

// Run decides again what time alone may have changed, until ctx ends.
func (e *Engine) Run(ctx context.Context) {
	tick := time.NewTicker(sweepEvery)
	defer tick.Stop()
	for sweeps := 1; ; sweeps++ {
		select {
		case <-ctx.Done():
			e.visits.flush(true)
			e.denials.flush(true)
			return
		case <-tick.C:
			e.sweep()
			e.visits.flush(false)
			e.denials.flush(false)
			if sweeps%pruneEvery == 0 {
				e.cache.prune(e.Facts())
			}
		}
	}
}

// sweep rechecks the leases whose Until has come, and every lease that was not decided for recheckAfter. A lease
// that only the latter closes was missed by a change: that is a defect of ours, counted and logged.
func (e *Engine) sweep() {
	now := e.now().UnixNano()
	for i := range e.index.shards {
		for _, l := range e.index.shards[i].all() {
			until := l.until.Load()
			due := until != 0 && until <= now
			checked := l.checked.Load()
			old := checked != 0 && now-checked > int64(recheckAfter)
			if !due && !old {
				continue
			}
			if e.recheck(l) && !due {
				e.defects.Add(1)
				e.log.Error("a lease outlived a fact it needed and was closed by the recheck",
					"lease", l.ID, "request", l.Request.Resource.String(), "reason", l.Reason().Text)
			}
		}
	}
}

// Defects counts the leases that only the recheck closed.
func (e *Engine) Defects() int64 { return e.defects.Load() }

// CloseAll cuts every lease: the server is going down.
func (e *Engine) CloseAll(r Reason) {
	for i := range e.index.shards {
		for _, l := range e.index.shards[i].all() {
			l.cut(r)
		}
	}
}

func (e *Engine) at(step string) {
	if e.step != nil {
		e.step(step)
	}
}
