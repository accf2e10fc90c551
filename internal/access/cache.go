package access

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

// cache remembers what was allowed, a table for each session. An entry stands for its request and for all that its
// decision was read from: it is used only while that is the same and its time is not up. Denials are not remembered.
// Looking takes no lock.
type cache struct {
	tables sync.Map // *session.Session → *table; a row that was replaced takes its table along
	seed   maphash.Seed
}

// A table has room for a few decisions in itself, and for more in an annex that is made when they do not suffice. Each may
// stand in one of a few places, so that looking is short.
const (
	smallTable = 8
	largeTable = 64
	places     = 4
)

type table struct {
	small [smallTable]atomic.Pointer[entry]
	large atomic.Pointer[annex]
}

type annex [largeTable]atomic.Pointer[entry]

// entry is one remembered decision. All but its stamp and its visit stays as it is made.
type entry struct {
	principal identity.Principal
	action    identity.Action
	resource  identity.Resource
	ip, class string // where a policy reads them
	reads     policy.Circumstances
	ground    ground
	projects  *project.Set
	policies  *policy.Set
	allowed   Decision
	stamp     atomic.Pointer[stamp]
	visit     atomic.Pointer[visit] // the visit of the audit log that this access belongs to, lately
}

// stamp says that an entry holds for one version of the facts, without another look at them.
type stamp struct {
	version  uint64
	until    int64 // Unix nanoseconds; 0: for ever
	decision Decision
}

// decide answers as judge does, from the cache where it can. The entry is nil for what is not remembered.
func (e *Engine) decide(f *Facts, r Request, now time.Time, check alive) (d *Decision, known *entry, cached bool) {
	row := f.Sessions.Row(r.Principal.Session)
	if row == nil {
		d := judge(f, r, now, check, nil)
		return &d, nil, false
	}
	t, hash := e.cache.table(row), e.cache.hash(r)
	if t != nil {
		if known = t.find(hash, r); known != nil {
			if d := known.holds(f, now, check); d != nil {
				return d, known, true
			}
		}
	}
	var seen ground
	judged := judge(f, r, now, check, &seen)
	if judged.Effect != Allow || seen.more {
		return &judged, nil, false
	}
	known = newEntry(f, r, judged, seen)
	if t == nil {
		t = e.cache.begin(row)
	}
	t.keep(hash, known, &r)
	return &judged, known, false
}

func newEntry(f *Facts, r Request, d Decision, seen ground) *entry {
	n := &entry{principal: r.Principal, action: r.Action, resource: r.Resource, ip: r.IP, class: r.Class,
		ground: seen, projects: f.Projects, policies: f.Policies, allowed: d}
	if slice := f.Policies.Slice(r.Action, r.Resource, r.Principal.Kind); slice != nil {
		n.reads = slice.Reads(everything)
	}
	n.stamp.Store(n.stamped(f))
	return n
}

// asks reports whether a request is the one that the entry answers.
func (n *entry) asks(r *Request) bool {
	return n.action == r.Action && n.resource == r.Resource && n.principal == r.Principal &&
		(n.ip == r.IP || !n.reads.IP.IsValid()) && (n.class == r.Class || n.reads.Class == "")
}

// holds is the decision, if it is still right.
func (n *entry) holds(f *Facts, now time.Time, check alive) *Decision {
	s := n.stamp.Load()
	if f.version == 0 || s.version != f.version {
		if n.projects != f.Projects || n.policies != f.Policies || !n.ground.holds(f) {
			return nil
		}
		s = n.stamped(f)
		n.stamp.Store(s)
	}
	if s.until != 0 && now.UnixNano() >= s.until || check.fresh(f, now).Code != "" {
		return nil
	}
	return &s.decision
}

// stamped is the decision for facts whose age may be another one.
func (n *entry) stamped(f *Facts) *stamp {
	s := &stamp{version: f.version, decision: n.allowed}
	s.decision.Until = earlier(n.ground.until, f.Directory.AsOf().Add(f.Bounds.Close))
	s.until = s.decision.Until.UnixNano()
	return s
}

func (c *cache) hash(r Request) uint64 {
	return maphash.String(c.seed, r.Resource.Name) ^ maphash.String(c.seed, string(r.Action))
}

func (c *cache) table(row *session.Session) *table {
	t, ok := c.tables.Load(row)
	if !ok {
		return nil
	}
	return t.(*table)
}

func (c *cache) begin(row *session.Session) *table {
	t, _ := c.tables.LoadOrStore(row, &table{})
	return t.(*table)
}

// prune forgets sessions whose rows are not those of now.
func (c *cache) prune(f *Facts) {
	c.tables.Range(func(key, _ any) bool {
		row := key.(*session.Session)
		if f.Sessions.Row(row.ID) != row || !row.Ended.IsZero() {
			c.tables.Delete(key)
		}
		return true
	})
}

func (t *table) find(hash uint64, r Request) *entry {
	if _, n := find(t.small[:], hash, &r); n != nil {
		return n
	}
	if large := t.large.Load(); large != nil {
		_, n := find(large[:], hash, &r)
		return n
	}
	return nil
}

// find looks at the places of a request. Without its entry it gives a free place, or nil when all are taken.
func find(slots []atomic.Pointer[entry], hash uint64, r *Request) (at *atomic.Pointer[entry], n *entry) {
	for i := range uint64(places) {
		slot := &slots[(hash+i)%uint64(len(slots))]
		n := slot.Load()
		switch {
		case n == nil:
			if at == nil {
				at = slot
			}
		case n.asks(r):
			return slot, n
		}
	}
	return at, nil
}

// keep puts an entry in one of its places: that of its predecessor, a free one, or somebody else's. Two that keep at once
// may lose one of theirs, which is then decided again.
func (t *table) keep(hash uint64, n *entry, r *Request) {
	at, was := find(t.small[:], hash, r)
	if large := t.large.Load(); was == nil && (large != nil || at == nil) {
		if large == nil {
			t.large.CompareAndSwap(nil, &annex{})
			large = t.large.Load()
		}
		other, older := find(large[:], hash, r)
		if older != nil || at == nil {
			at, was = other, older
		}
		if at == nil {
			at = &large[(hash+hash>>32%places)%largeTable]
		}
	}
	if was != nil {
		n.visit.Store(was.visit.Load())
	}
	at.Store(n)
}
