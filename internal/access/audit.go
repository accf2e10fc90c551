package access

import (
	"context"
	"maps"
	"sync"
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
	shards   [shardCount]visitShard
}

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
	event  audit.Event // of the opening
	open   int         // leases open now
	leases int64
	bytes  int64
	last   time.Time // when the last one ended
	cut    Reason
	notes  map[string]any
}

func newVisits(r Recorder, now func() time.Time, describe func(Request, Decision) audit.Event) *visits {
	v := &visits{audit: r, now: now, describe: describe}
	for i := range v.shards {
		v.shards[i].visits = map[visitKey]*visit{}
	}
	return v
}

func (v *visits) shard(k visitKey) *visitShard {
	h := uint32(2166136261)
	for i := range len(k.session) {
		h = (h ^ uint32(k.session[i])) * 16777619
	}
	return &v.shards[h%shardCount]
}

func keyOf(r Request) visitKey {
	return visitKey{r.Principal.Session, r.Principal.User, r.Principal.Kind, r.Action, r.Resource}
}

// open records that a lease is about to be used. It fails only where the entry must be durable and cannot be.
func (v *visits) open(ctx context.Context, l *Lease) error {
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
	k := keyOf(l.Request)
	s := v.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.visits[k]
	if seen == nil {
		seen = &visit{event: v.describe(l.Request, l.Decision())}
		seen.event.Outcome = audit.Opened
		s.visits[k] = seen
		v.audit.Later(seen.event)
	}
	seen.open++
	seen.leases++
	l.recorded.Store(true)
	return nil
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
	k := keyOf(l.Request)
	s := v.shard(k)
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.visits[k]
	if seen == nil {
		return
	}
	seen.open--
	seen.bytes += l.bytes.Load()
	seen.last = v.now()
	seen.notes = merged(seen.notes, l.Notes())
	if !r.IsZero() {
		seen.cut = r
		if seen.open == 0 { // what was cut is told at once, not after the gap
			v.audit.Later(seen.ending(seen.last))
			delete(s.visits, k)
		}
	}
}

// flush writes the end of visits that are over; with all, of every visit.
func (v *visits) flush(all bool) {
	now := v.now()
	for i := range v.shards {
		s := &v.shards[i]
		s.mu.Lock()
		for k, seen := range s.visits {
			if all || seen.open == 0 && now.Sub(seen.last) >= visitGap {
				v.audit.Later(seen.ending(now))
				delete(s.visits, k)
			}
		}
		s.mu.Unlock()
	}
}

func (seen *visit) ending(now time.Time) audit.Event {
	e := seen.event
	end := seen.last
	if end.IsZero() {
		end = now
	}
	e.Detail = merged(maps.Clone(e.Detail), seen.notes)
	e.Detail = merged(e.Detail, map[string]any{"leases": seen.leases, "bytes": seen.bytes, "ms": end.Sub(e.Time).Milliseconds()})
	e.Time, e.Outcome = now, audit.Closed
	if !seen.cut.IsZero() {
		e.Outcome, e.Reasons = audit.Cut, []string{seen.cut.Text}
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

// describe makes the audit event of a request and its decision.
func (e *Engine) describe(r Request, d Decision) audit.Event {
	f := e.Facts()
	name := ""
	if u, ok := f.Directory.User(r.Principal.User); ok {
		name = u.Name
	}
	ev := audit.Event{
		Time: e.now(), Action: string(r.Action),
		User: audit.PersonOf(r.Principal.User, name), Session: r.Principal.Session, Workspace: r.Principal.Workspace,
		Resource: r.Resource.String(), Reasons: d.because(f), IP: r.IP, Detail: r.Detail,
	}
	if ev.Workspace == "" && r.Resource.Kind == identity.KindWorkspace {
		ev.Workspace = identity.WorkspaceID(r.Resource.Name)
	}
	if p, ok := f.Projects.Project(r.Resource.Project); ok {
		ev.Project = p.Name
	}
	switch r.Principal.Kind {
	case identity.Operator:
		ev.Actor = "operator"
	case identity.Service:
		ev.Actor = "service:" + r.Principal.Service
	}
	return ev
}

// denialGap limits the audit entries of one denial that repeats: one at once, then a count.
const denialGap = 10 * time.Second

// What a flood of different denials can put into the log within denialGap, and hold in memory: of one user, or of
// everybody whom nobody knows, so many are told apart. Further ones of an action are one entry, with a count.
const (
	maxDenialsEach = 50
	maxDenials     = 10_000
)

type denials struct {
	audit Recorder
	now   func() time.Time
	mu    sync.Mutex // taken by denied requests alone
	seen  map[visitKey]*denial
	each  map[visitKey]int // entries of seen by who was denied
}

type denial struct {
	event   audit.Event
	since   time.Time
	more    int64
	various bool // those of one action, whatever was asked for
}

func newDenials(r Recorder, now func() time.Time) *denials {
	return &denials{audit: r, now: now, seen: map[visitKey]*denial{}, each: map[visitKey]int{}}
}

func (n *denials) add(r Request, event func() audit.Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	k, who := keyOf(r), whose(r)
	if d := n.seen[k]; d != nil {
		d.more++
		return
	}
	various := n.each[who] >= maxDenialsEach
	if various {
		k = who
		k.action = r.Action
	}
	if len(n.seen) >= maxDenials {
		various, k = true, visitKey{kind: r.Principal.Kind}
	}
	if d := n.seen[k]; d != nil {
		d.more++
		return
	}
	e := event()
	n.seen[k] = &denial{event: e, since: n.now(), various: various}
	if !various {
		n.each[who]++
	}
	n.audit.Later(e)
}

// whose is who was denied, whatever they asked for and in which session.
func whose(r Request) visitKey { return visitKey{user: r.Principal.User, kind: r.Principal.Kind} }

func (n *denials) flush(all bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := n.now()
	for k, d := range n.seen {
		if !all && now.Sub(d.since) < denialGap {
			continue
		}
		delete(n.seen, k)
		if who := (visitKey{user: k.user, kind: k.kind}); !d.various {
			if n.each[who]--; n.each[who] <= 0 {
				delete(n.each, who)
			}
		}
		if d.more > 0 {
			e := d.event
			e.Time = now
			e.Detail = merged(e.Detail, map[string]any{"repeated": d.more})
			if d.various {
				e.Resource, e.Project, e.Workspace, e.Detail = "various", "", "", map[string]any{"repeated": d.more}
			}
			n.audit.Later(e)
		}
	}
}

// denied writes a denial to the log.
func (e *Engine) denied(r Request, d Decision) {
	e.denials.add(r, func() audit.Event {
		ev := e.describe(r, d)
		ev.Outcome, ev.Reasons = audit.Denied, d.Reasons
		return ev
	})
}
