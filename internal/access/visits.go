package access

import (
	"context"
	"hash/maphash"
	"maps"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// visitGap is how long a session may leave a resource alone before coming back is a new visit.
const visitGap = 60 * time.Second

// visits turns leases into audit events: the leases of one session on one resource with less than visitGap between
// them are one visit, an event at its opening and one with counts at its end. A Durable lease is an event of its
// own, written before it is used, with another at its end.
type visits struct {
	audit    Recorder
	now      func() time.Time
	describe func(Request, Decision) audit.Event
	seed     maphash.Seed
	shards   [visitShards]visitShard
}

const visitShards = 64

// visitShard is looked into when a visit begins and ends; what comes in between finds its visit with its decision.
type visitShard struct {
	mu     sync.Mutex
	visits map[visitKey]*visit
}

type visitKey struct {
	session  identity.SessionID
	user     identity.UserID
	kind     identity.PrincipalKind
	action   identity.Action
	resource identity.Resource
}

type visit struct {
	key    visitKey
	event  audit.Event  // of the opening
	open   atomic.Int64 // leases open now; far below zero once its end is written
	leases atomic.Int64
	bytes  atomic.Int64
	last   atomic.Int64 // when the last one ended, Unix nanoseconds; 0: none has
	mu     sync.Mutex   // of what follows, which few visits have
	cut    Reason
	notes  map[string]any
}

// over is what a visit's count of open leases is once its end is written.
const over = math.MinInt64 / 2

func newVisits(r Recorder, now func() time.Time, describe func(Request, Decision) audit.Event) *visits {
	v := &visits{audit: r, now: now, describe: describe, seed: maphash.MakeSeed()}
	for i := range v.shards {
		v.shards[i].visits = map[visitKey]*visit{}
	}
	return v
}

func (v *visits) shard(k *visitKey) *visitShard {
	return &v.shards[maphash.String(v.seed, string(k.session))%visitShards]
}

func keyOf(r Request) visitKey {
	return visitKey{r.Principal.Session, r.Principal.User, r.Principal.Kind, r.Action, r.Resource}
}

// open records that a lease is about to be used. It fails only where the entry must be durable and cannot be. known,
// which may be nil, remembers the visit for the next lease.
func (v *visits) open(ctx context.Context, l *Lease, known *entry) error {
	if l.Request.Durable {
		e := v.describe(l.Request, l.Decision())
		e.Outcome = audit.Opened
		if err := v.audit.Durable(context.WithoutCancel(ctx), e); err != nil {
			return problem.Wrap(err, problem.Unavailable,
				"The audit log cannot be written, so this is refused until it can be. Nothing was changed.")
		}
		l.recorded.Store(true)
		return nil
	}
	if known != nil {
		l.visit = known.visit.Load()
	}
	if l.visit == nil || !l.visit.join() {
		l.visit = v.begin(l)
		if known != nil {
			known.visit.Store(l.visit)
		}
	}
	l.recorded.Store(true)
	return nil
}

// join counts one more open lease. It reports false when the visit is over.
func (n *visit) join() bool {
	for {
		open := n.open.Load()
		if open < 0 {
			return false
		}
		if n.open.CompareAndSwap(open, open+1) {
			n.leases.Add(1)
			return true
		}
	}
}

// begin finds the visit that a lease belongs to, or begins one.
func (v *visits) begin(l *Lease) *visit {
	k := keyOf(l.Request)
	s := v.shard(&k)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := s.visits[k]; n != nil && n.join() {
		return n
	}
	n := &visit{key: k, event: v.describe(l.Request, l.Decision())}
	n.event.Outcome = audit.Opened
	n.open.Store(1)
	n.leases.Store(1)
	s.visits[k] = n
	v.audit.Later(n.event)
	return n
}

func (v *visits) end(l *Lease)           { v.finish(l, Reason{}) }
func (v *visits) cut(l *Lease, r Reason) { v.finish(l, r) }

func (v *visits) finish(l *Lease, r Reason) {
	if !l.recorded.CompareAndSwap(true, false) {
		return
	}
	if l.Request.Durable {
		e := v.describe(l.Request, l.Decision())
		e.Outcome = audit.Closed
		if !r.IsZero() {
			e.Outcome, e.Reasons = audit.Cut, []string{r.Text}
		}
		e.Detail = merged(e.Detail, l.Notes())
		e.Detail = merged(e.Detail, map[string]any{"bytes": l.bytes.Load(), "lease": l.ID, "ms": v.now().Sub(l.Opened).Milliseconds()})
		v.audit.Later(e)
		return
	}
	n, now := l.visit, v.now()
	n.bytes.Add(l.bytes.Load())
	n.last.Store(now.UnixNano())
	if notes := l.Notes(); len(notes) > 0 || !r.IsZero() {
		n.mu.Lock()
		n.notes = merged(n.notes, notes)
		if !r.IsZero() {
			n.cut = r
		}
		n.mu.Unlock()
	}
	if n.open.Add(-1) == 0 && !r.IsZero() { // what was cut is told at once, not after the gap
		v.close(n, now)
	}
}

// close writes the end of a visit unless a lease of it is open.
func (v *visits) close(n *visit, now time.Time) {
	if !n.open.CompareAndSwap(0, over) {
		return
	}
	v.audit.Later(n.ending(now))
	s := v.shard(&n.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.visits[n.key] == n {
		delete(s.visits, n.key)
	}
}

// flush writes the end of visits that are over; with all, of every visit.
func (v *visits) flush(all bool) {
	now := v.now()
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		for k, n := range s.visits {
			idle := n.open.Load() == 0 && now.UnixNano()-n.last.Load() >= int64(visitGap)
			if all && n.open.Swap(over) >= 0 || idle && n.open.CompareAndSwap(0, over) {
				v.audit.Later(n.ending(now))
				delete(s.visits, k)
			}
		}
		s.mu.Unlock()
	}
}

func (n *visit) ending(now time.Time) audit.Event {
	e := n.event
	end := now
	if last := n.last.Load(); last != 0 {
		end = time.Unix(0, last)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e.Detail = merged(maps.Clone(e.Detail), n.notes)
	e.Detail = merged(e.Detail, map[string]any{"leases": n.leases.Load(), "bytes": n.bytes.Load(), "ms": end.Sub(e.Time).Milliseconds()})
	e.Time, e.Outcome = now, audit.Closed
	if !n.cut.IsZero() {
		e.Outcome, e.Reasons = audit.Cut, []string{n.cut.Text}
	}
	return e
}

func merged(into, from map[string]any) map[string]any {
	if len(from) == 0 {
		return into
	}
	if into == nil {
		return maps.Clone(from)
	}
	into = maps.Clone(into)
	maps.Copy(into, from)
	return into
}
