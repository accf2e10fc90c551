package access

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Leases calls yield for every open lease, in no order, until it returns false.
func (e *Engine) Leases(yield func(*Lease) bool) {
	for i := range e.index.shards {
		for _, l := range e.index.shards[i].all() {
			if !yield(l) {
				return
			}
		}
	}
}

// LeasesOf lists the open leases that name a user: as asker or as the owner of the workspace asked for.
func (e *Engine) LeasesOf(u identity.UserID) []*Lease { return e.index.of(u) }

// Revoke cuts one lease. It reports false when no such lease is open.
func (e *Engine) Revoke(id identity.LeaseID, r Reason) bool {
	for l := range e.Leases {
		if l.ID == id {
			return l.cut(r)
		}
	}
	return false
}

// Ending is a lease that was cut.
type Ending struct {
	ID       identity.LeaseID
	Request  Request
	Decision Decision // what it rested on
	Opened   time.Time
	At       time.Time // when it was cut
	Reason   Reason
}

// keptEndings bounds how many cut leases are remembered for "ended".
const keptEndings = 1000

type endings struct {
	mu   sync.Mutex // taken by cuts, by who lists, and for a denial that hides something; never held for long
	list []Ending
}

func (n *endings) add(l *Lease, r Reason, at time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.list) >= keptEndings {
		n.list = append(n.list[:0], n.list[len(n.list)-keptEndings/2:]...)
	}
	n.list = append(n.list, Ending{l.ID, l.Request, l.Decision(), l.Opened, at, r})
}

// told is why a session's access to a resource was cut lately; zero if none was. Who had it open knows of it.
func (n *endings) told(r Request) Reason {
	if r.Principal.Session == "" {
		return Reason{}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range slices.Backward(n.list) {
		if was := &n.list[i]; was.Request.Principal.Session == r.Principal.Session && was.Request.Resource == r.Resource {
			return was.Reason
		}
	}
	return Reason{}
}

// Ended lists the leases cut lately, newest first.
func (e *Engine) Ended() []Ending {
	e.ended.mu.Lock()
	list := slices.Clone(e.ended.list)
	e.ended.mu.Unlock()
	slices.Reverse(list)
	return list
}

// bell tells any number of listeners that something changed, without counting how often. Ringing it is one atomic
// read while nobody listens.
type bell struct{ next atomic.Pointer[chan struct{}] }

func (b *bell) ring() {
	if c := b.next.Load(); c != nil && b.next.CompareAndSwap(c, nil) {
		close(*c)
	}
}

// Changed returns a channel that is closed when the next lease opens or ends.
func (e *Engine) Changed() <-chan struct{} {
	fresh := make(chan struct{})
	for {
		if c := e.changed.next.Load(); c != nil {
			return *c
		}
		if e.changed.next.CompareAndSwap(nil, &fresh) {
			return fresh
		}
	}
}
