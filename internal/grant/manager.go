package grant

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Config makes a Manager.
type Config struct {
	Rows Rows
	// Publish hands a new set to access, with the users it touches, and returns when their leases were decided again.
	Publish func(*Set, []identity.UserID, feed.Seq)
	// Alarm is told of every break-glass grant once it is stored. It must not wait; nil: the log alone.
	Alarm func(Grant)
	Log   *slog.Logger
	Now   func() time.Time // nil: time.Now
}

// Manager keeps requests and grants. What takes access away is published first and written when it can be; what gives
// access waits for the store.
type Manager struct {
	c       Config
	set     atomic.Pointer[Set]
	writing sync.Mutex // what gives access and what becomes of requests, one at a time; held while the store is waited for
	showing sync.Mutex // replacing the set and publishing it; never waits for the store
	// ended is what was ended here and has time left: what is read of it later may be older. Under showing.
	ended map[identity.GrantID]Grant

	asking   sync.RWMutex
	requests map[identity.GrantID]Request

	unsaved struct {
		sync.Mutex
		grants []Grant
		events []audit.Event
	}
}

// NewManager returns a manager without grants; Load fills it.
func NewManager(c Config) *Manager {
	if c.Now == nil {
		c.Now = time.Now
	}
	m := &Manager{c: c, requests: map[identity.GrantID]Request{}, ended: map[identity.GrantID]Grant{}}
	m.set.Store(NewSet(nil))
	return m
}

// Set is the grants of now.
func (m *Manager) Set() *Set { return m.set.Load() }

// kept is how long decided requests are listed.
const kept = 7 * 24 * time.Hour

// Load reads requests and grants from the store and publishes them. What was ended elsewhere since an earlier Load, and
// not heard of, ends here.
func (m *Manager) Load(ctx context.Context) error {
	m.writing.Lock() // so that what is read is not older than what is given here meanwhile
	defer m.writing.Unlock()
	requests, grants, seq, err := m.c.Rows.LoadGrants(ctx, m.c.Now().Add(-kept))
	if err != nil {
		return fmt.Errorf("load grants: %w", err)
	}
	now := m.c.Now()
	gone, err := m.unheard(ctx, grants, now)
	if err != nil {
		return err
	}
	m.note(requests...)
	grants = append(grants, gone...)
	m.publish(slices.DeleteFunc(grants, func(g Grant) bool { return !now.Before(g.Until) }), seq)
	return nil
}

// unheard reads again the grants that hold here and are not among those that the store says hold.
func (m *Manager) unheard(ctx context.Context, stored []Grant, now time.Time) ([]Grant, error) {
	var ids []string
	var list []Grant
	for _, g := range m.Set().Every() {
		if g.Live(now) && !slices.ContainsFunc(stored, func(s Grant) bool { return s.ID == g.ID }) {
			ids, list = append(ids, string(g.ID)), append(list, *g)
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	_, read, err := m.c.Rows.ReadGrants(ctx, ids)
	if err != nil {
		return nil, fmt.Errorf("read ended grants: %w", err)
	}
	for i := range list {
		list[i].Ended, list[i].EndedWhy = now, "it is not in the database"
		for _, g := range read {
			if g.ID == list[i].ID && !g.Ended.IsZero() {
				list[i] = g
			}
		}
	}
	return list, nil
}

// Follow applies what another replica changed.
func (m *Manager) Follow(ctx context.Context, e feed.Entry) error {
	m.writing.Lock() // so that what is read is not older than what is given here meanwhile
	defer m.writing.Unlock()
	return m.reread(ctx, e.Keys, e.Seq)
}

func (m *Manager) reread(ctx context.Context, ids []string, seq feed.Seq) error {
	requests, grants, err := m.c.Rows.ReadGrants(ctx, ids)
	if err != nil {
		return fmt.Errorf("read changed grants: %w", err)
	}
	m.note(requests...)
	m.publish(grants, seq)
	return nil
}

// Request finds a request, decided ones of the last days too.
func (m *Manager) Request(id identity.GrantID) (Request, bool) {
	m.asking.RLock()
	defer m.asking.RUnlock()
	q, ok := m.requests[id]
	return q, ok
}

// Requests lists the requests of the last days, the newest first.
func (m *Manager) Requests() []Request {
	m.asking.RLock()
	defer m.asking.RUnlock()
	list := make([]Request, 0, len(m.requests))
	for _, q := range m.requests {
		list = append(list, q)
	}
	slices.SortFunc(list, func(a, b Request) int { return b.Asked.Compare(a.Asked) })
	return list
}

func (m *Manager) note(requests ...Request) {
	m.asking.Lock()
	defer m.asking.Unlock()
	for _, q := range requests {
		m.requests[q.ID] = q
	}
}

// give stores first and publishes then: nobody has access that a restart would forget.
func (m *Manager) give(ctx context.Context, g Grant, e audit.Event) error {
	seq, err := m.c.Rows.SaveGrants(ctx, []Grant{g}, entry(g.ID), e)
	if err != nil {
		return unwritten(err)
	}
	m.publish([]Grant{g}, seq)
	return nil
}

func unwritten(err error) error {
	return problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nothing was given and nothing changed. Try again in a moment.")
}

// publish shows grants that the store holds. What was ended here meanwhile stays ended.
func (m *Manager) publish(grants []Grant, seq feed.Seq) {
	m.showing.Lock()
	defer m.showing.Unlock()
	grants = slices.Clone(grants)
	for i := range grants {
		if ended, ok := m.ended[grants[i].ID]; ok && grants[i].Ended.IsZero() {
			grants[i].Ended, grants[i].EndedWhy = ended.Ended, ended.EndedWhy
		}
	}
	m.show(grants, seq)
}

// show replaces the set by one with these grants, which become its own.
func (m *Manager) show(grants []Grant, seq feed.Seq) {
	users := make([]identity.UserID, 0, len(grants))
	for i := range grants {
		if !slices.Contains(users, grants[i].User) {
			users = append(users, grants[i].User)
		}
	}
	set := m.Set().With(grants)
	m.set.Store(set)
	m.c.Publish(set, users, seq)
}

func entry(ids ...identity.GrantID) feed.Entry {
	e := feed.Entry{Topic: feed.Grants}
	for _, id := range ids {
		e.Keys = append(e.Keys, string(id))
	}
	return e
}
