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

// A table holds so many decisions: it begins small, and grows while a session asks for more. Each may stand in one of
// a few places, so that looking is short.
const (
	smallTable = 8
	largeTable = 64
	places     = 4
)

type table struct {
	slots atomic.Pointer[[]atomic.Pointer[entry]]
}

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
	t.keep(hash, known, func(old *entry) uint64 { return e.cache.hash(Request{Action: old.action, Resource: old.resource}) })
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
	fresh := &table{}
	slots := make([]atomic.Pointer[entry], smallTable)
	fresh.slots.Store(&slots)
	t, _ := c.tables.LoadOrStore(row, fresh)
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
	slots := *t.slots.Load()
	for i := range uint64(places) {
		if n := slots[(hash+i)%uint64(len(slots))].Load(); n != nil && n.asks(&r) {
			return n
		}
	}
	return nil
}

// keep puts an entry in one of its places: that of its predecessor, an empty one, or, when the table has grown as far as
// it may, somebody else's. Two that keep at once may lose one of theirs, which is then decided again.
func (t *table) keep(hash uint64, n *entry, hashOf func(*entry) uint64) {
	r := Request{Principal: n.principal, Action: n.action, Resource: n.resource, IP: n.ip, Class: n.class}
	for {
		old := t.slots.Load()
		slots := *old
		free := -1
		for i := range uint64(places) {
			at := (hash + i) % uint64(len(slots))
			was := slots[at].Load()
			if was != nil && was.asks(&r) {
				n.visit.Store(was.visit.Load())
				slots[at].Store(n)
				return
			}
			if was == nil && free < 0 {
				free = int(at)
			}
		}
		if free >= 0 {
			slots[free].Store(n)
			return
		}
		if len(slots) == largeTable {
			slots[(hash+hash>>32%places)%largeTable].Store(n)
			return
		}
		larger := &table{}
		more := make([]atomic.Pointer[entry], 2*len(slots))
		larger.slots.Store(&more)
		for i := range slots {
			if was := slots[i].Load(); was != nil {
				larger.put(hashOf(was), was)
			}
		}
		t.slots.CompareAndSwap(old, &more)
	}
}

// put puts an entry into a table that nobody else has yet, where there is room.
func (t *table) put(hash uint64, n *entry) {
	slots := *t.slots.Load()
	for i := range uint64(places) {
		if slot := &slots[(hash+i)%uint64(len(slots))]; slot.Load() == nil {
			slot.Store(n)
			return
		}
	}
}
