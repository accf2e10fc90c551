package access

import (
	"context"
	"hash/maphash"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	shardCount   = 64
	sweepEvery   = 100 * time.Millisecond
	recheckAfter = 30 * time.Second
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
}

// Engine holds the facts and the open leases.
type Engine struct {
	facts   atomic.Pointer[Facts]
	writing sync.Mutex // one publication at a time; readers never take it
	shards  [shardCount]shard
	seed    maphash.Seed
	ended   endings
	visits  *visits
	denials *denials
	changed bell
	log     *slog.Logger
	now     func() time.Time
	defects atomic.Int64
	figures figures
	opened  func(context.Context, Request, Decision, *Lease)
	// step, where a test set it, is called between the steps of Open so that a change can be forced in.
	step func(string)
}

type shard struct {
	mu     sync.Mutex
	leases map[identity.UserID]map[*Lease]struct{}
}

var _ Authorizer = (*Engine)(nil)

// New returns an engine that holds these facts and no leases.
func New(c Config) *Engine {
	e := &Engine{seed: maphash.MakeSeed(), log: c.Log, now: c.Now, opened: c.Opened}
	if e.now == nil {
		e.now = time.Now
	}
	e.facts.Store(&c.Facts)
	for i := range e.shards {
		e.shards[i].leases = map[identity.UserID]map[*Lease]struct{}{}
	}
	e.visits = newVisits(c.Audit, e.now, e.describe)
	e.denials = newDenials(c.Audit, e.now)
	return e
}

// Facts returns the facts of now.
func (e *Engine) Facts() *Facts { return e.facts.Load() }

// Open implements Authorizer.
func (e *Engine) Open(ctx context.Context, r Request, bye func(Reason)) (context.Context, *Lease, error) {
	now := e.now()
	l := &Lease{ID: identity.NewLeaseID(), Request: r, Opened: now, engine: e, bye: bye, done: make(chan struct{})}
	ctx, l.cancel = context.WithCancelCause(ctx)
	l.decision.Store(&Decision{})

	// The order is the point: whoever changes facts publishes first and walks the leases after.
	e.remember(l)
	e.at("inserted")
	f := e.Facts()
	d := Decide(f, r, now)
	e.at("decided")
	e.figures.decided(d, false)
	if d.Effect != Allow {
		l.End()
		e.denied(r, d)
		if e.opened != nil {
			e.opened(ctx, r, d, nil)
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
	if err := e.visits.open(ctx, l); err != nil {
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
		e.opened(ctx, r, d, l)
	}
	return ctx, l, nil
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
	next := change(*e.facts.Load())
	e.facts.Store(&next)
	return e.walk(t)
}

// walk decides the touched leases again.
func (e *Engine) walk(t Touched) (cut int) {
	if t.All {
		for i := range e.shards {
			for _, l := range e.shards[i].all() {
				if e.recheck(l) {
					cut++
				}
			}
		}
		return cut
	}
	for _, u := range t.Users {
		for _, l := range e.shard(u).of(u) {
			if e.recheck(l) {
				cut++
			}
		}
	}
	return cut
}

// recheck decides a lease again and reports whether that closed it. What it leaves is a decision on the facts of now,
// also when another recheck of the lease is under way.
func (e *Engine) recheck(l *Lease) bool {
	for {
		now, f := e.now(), e.Facts()
		d := decide(f, l.Request, now, true)
		if d.Effect != Allow {
			return l.cut(d.lost(l, f))
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
	for {
		select {
		case <-ctx.Done():
			e.visits.flush(true)
			e.denials.flush(true)
			return
		case <-tick.C:
			e.sweep()
			e.visits.flush(false)
			e.denials.flush(false)
		}
	}
}

// sweep rechecks the leases whose Until has come, and every lease that was not decided for recheckAfter. A lease
// that only the latter closes was missed by a change: that is a defect of ours, counted and logged.
func (e *Engine) sweep() {
	now := e.now().UnixNano()
	for i := range e.shards {
		for _, l := range e.shards[i].all() {
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
	for i := range e.shards {
		for _, l := range e.shards[i].all() {
			l.cut(r)
		}
	}
}

// indexed lists the users under whom a lease is found: who asks, and who owns the workspace. Leases that name no
// user stand under the zero user.
func indexed(r Request) (a, b identity.UserID, two bool) {
	a = r.Principal.User
	b = r.Resource.Owner
	return a, b, !b.IsZero() && b != a
}

func (e *Engine) remember(l *Lease) {
	a, b, two := indexed(l.Request)
	e.shard(a).add(a, l)
	if two {
		e.shard(b).add(b, l)
	}
}

func (e *Engine) forget(l *Lease) {
	a, b, two := indexed(l.Request)
	e.shard(a).remove(a, l)
	if two {
		e.shard(b).remove(b, l)
	}
}

func (e *Engine) shard(u identity.UserID) *shard {
	return &e.shards[maphash.Comparable(e.seed, u)%shardCount]
}

func (e *Engine) at(step string) {
	if e.step != nil {
		e.step(step)
	}
}

func (s *shard) add(u identity.UserID, l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.leases[u]
	if set == nil {
		set = map[*Lease]struct{}{}
		s.leases[u] = set
	}
	set[l] = struct{}{}
}

func (s *shard) remove(u identity.UserID, l *Lease) {
	s.mu.Lock()
	defer s.mu.Unlock()
	set := s.leases[u]
	delete(set, l)
	if len(set) == 0 {
		delete(s.leases, u)
	}
}

func (s *shard) of(u identity.UserID) []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := make([]*Lease, 0, len(s.leases[u]))
	for l := range s.leases[u] {
		list = append(list, l)
	}
	return list
}

func (s *shard) all() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*Lease
	for u, set := range s.leases {
		for l := range set {
			if a, _, _ := indexed(l.Request); a == u { // each once, where its asker stands
				list = append(list, l)
			}
		}
	}
	return list
}
