package access

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// The index is spread over so many locks. Those of a user are a few, of which each lease takes one by chance: requests
// rarely meet on one, those of one user neither.
const (
	shardsEach = 4
	shardCount = 64 * shardsEach
)

// index finds the open leases by the users whom their requests name: who asks, and who owns the workspace. Leases that
// name no user stand under the zero user.
type index struct {
	seed   maphash.Seed
	shards [shardCount]shard
}

// shard is a list of the leases of some users. Adding and removing is short and allocates nothing.
type shard struct {
	mu    sync.Mutex
	first *link
	_     [48]byte // requests on neighbouring shards do not share a cache line
}

// link is a lease's place in a list.
type link struct {
	lease      *Lease
	user       identity.UserID
	in         *shard // nil: nowhere
	next, prev *link
}

// indexed lists the users under whom a lease is found.
func indexed(r *Request) (a, b identity.UserID, two bool) {
	a = r.Principal.User
	b = r.Resource.Owner
	return a, b, !b.IsZero() && b != a
}

// add puts a lease where it can be found. It may be found, and cut, before add returns: both links are complete before
// the first is in, and what was cut in between is taken out again.
func (x *index) add(l *Lease) {
	a, b, two := indexed(&l.Request)
	l.links[0] = link{lease: l, user: a, in: x.shard(a)}
	if two {
		l.links[1] = link{lease: l, user: b, in: x.shard(b)}
	}
	for i := range l.links {
		if l.links[i].in != nil {
			l.links[i].add()
		}
	}
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if closed {
		x.remove(l)
	}
}

func (*index) remove(l *Lease) {
	for i := range l.links {
		if l.links[i].in != nil {
			l.links[i].remove()
		}
	}
}

// shard is one of a user's, by chance.
func (x *index) shard(u identity.UserID) *shard {
	return &x.theirs(u)[rand.Uint32()%shardsEach]
}

// theirs are all shards in which a user's leases may be.
func (x *index) theirs(u identity.UserID) []shard {
	first := maphash.String(x.seed, u.Object) % (shardCount / shardsEach) * shardsEach
	return x.shards[first : first+shardsEach]
}

func (k *link) add() {
	k.in.mu.Lock()
	defer k.in.mu.Unlock()
	k.next = k.in.first
	if k.next != nil {
		k.next.prev = k
	}
	k.in.first = k
}

func (k *link) remove() {
	k.in.mu.Lock()
	defer k.in.mu.Unlock()
	if k.prev == nil && k.in.first != k { // it was removed already
		return
	}
	if k.prev != nil {
		k.prev.next = k.next
	} else {
		k.in.first = k.next
	}
	if k.next != nil {
		k.next.prev = k.prev
	}
	k.next, k.prev = nil, nil
}

// of lists the leases that name a user.
func (x *index) of(u identity.UserID) (list []*Lease) {
	shards := x.theirs(u)
	for i := range shards {
		list = shards[i].of(u, list)
	}
	return list
}

func (s *shard) of(u identity.UserID, list []*Lease) []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	for k := s.first; k != nil; k = k.next {
		if k.user == u {
			list = append(list, k.lease)
		}
	}
	return list
}

// all lists the leases of a shard, each once: where its asker stands.
func (s *shard) all() []*Lease {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*Lease
	for k := s.first; k != nil; k = k.next {
		if k == &k.lease.links[0] {
			list = append(list, k.lease)
		}
	}
	return list
}
