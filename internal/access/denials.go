package access

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// denialGap limits the audit entries of one denial that repeats: one at once, then a count.
const denialGap = 10 * time.Second

// What a flood of different denials can put into the log within denialGap, and hold in memory: of one user, or of
// everybody whom nobody knows, so many are told apart. Further ones of an action are one entry, with a count.
const (
	maxDenialsEach = 50
	maxDenials     = 10_000
)

type denials struct {
	audit  Recorder
	now    func() time.Time
	seed   maphash.Seed
	shards [denialShards]denialShard
}

const denialShards = 16

// denialShard is those of some of the people. Its lock is taken by denied requests alone.
type denialShard struct {
	mu   sync.Mutex
	seen map[visitKey]*denial
	each map[visitKey]int // entries of seen by who was denied
}

type denial struct {
	event   audit.Event // of the newest reason
	code    Code
	since   time.Time
	more    int64
	various bool // those of one action, whatever was asked for
}

func newDenials(r Recorder, now func() time.Time) *denials {
	n := &denials{audit: r, now: now, seed: maphash.MakeSeed()}
	for i := range n.shards {
		n.shards[i] = denialShard{seen: map[visitKey]*denial{}, each: map[visitKey]int{}}
	}
	return n
}

// add counts a denial, and writes the first of its kind. event makes the entry.
func (n *denials) add(r Request, code Code, event func() audit.Event) {
	k, who := keyOf(r), whose(r)
	s := &n.shards[maphash.String(n.seed, who.user.Object)%denialShards]
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.again(k, code, event) {
		return
	}
	various := s.each[who] >= maxDenialsEach
	if various {
		k = who
		k.action = r.Action
	}
	if len(s.seen) >= maxDenials/denialShards {
		various, k = true, visitKey{kind: r.Principal.Kind}
	}
	if s.again(k, code, event) {
		return
	}
	e := event()
	s.seen[k] = &denial{event: e, code: code, since: n.now(), various: various}
	if !various {
		s.each[who]++
	}
	n.audit.Later(e)
}

// again counts a denial that was met before; the count is written with the newest reason.
func (s *denialShard) again(k visitKey, code Code, event func() audit.Event) bool {
	d := s.seen[k]
	if d == nil {
		return false
	}
	d.more++
	if d.code != code {
		d.code, d.event = code, event()
	}
	return true
}

// whose is who was denied, whatever they asked for and in which session.
func whose(r Request) visitKey { return visitKey{user: r.Principal.User, kind: r.Principal.Kind} }

func (n *denials) flush(all bool) {
	for i := range n.shards {
		n.flushShard(&n.shards[i], all)
	}
}

func (n *denials) flushShard(s *denialShard, all bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := n.now()
	for k, d := range s.seen {
		if !all && now.Sub(d.since) < denialGap {
			continue
		}
		delete(s.seen, k)
		if who := (visitKey{user: k.user, kind: k.kind}); !d.various {
			if s.each[who]--; s.each[who] <= 0 {
				delete(s.each, who)
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
	e.denials.add(r, d.Code, func() audit.Event {
		ev := e.describe(r, d)
		ev.Outcome, ev.Reasons = audit.Denied, d.Reasons
		return ev
	})
}
