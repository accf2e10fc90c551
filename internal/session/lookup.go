package session

import (
	"context"
	"encoding/base64"
	"sync"
	"time"
)

// What strangers can make the database do: a cookie that nobody here knows costs a query, so their number is bounded.
const (
	lookupsAtOnce    = 4
	lookupsPerSecond = 50
	lookupWithin     = 2 * time.Second
	unknownFor       = time.Second // a secret that was not found is not asked for again
	unknownAtMost    = 1024
)

// lookups bounds the queries for sessions that are not known here.
type lookups struct {
	mu      sync.Mutex
	running int
	second  time.Time // the one that is counted
	count   int
	unknown map[[32]byte]time.Time
}

// begin reports whether the store may be asked for a secret now; finish follows.
func (l *lookups) begin(secret [32]byte, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at, ok := l.unknown[secret]; ok && now.Sub(at) < unknownFor {
		return false
	}
	if now.Sub(l.second) >= time.Second || now.Before(l.second) {
		l.second, l.count = now, 0
	}
	if l.running >= lookupsAtOnce || l.count >= lookupsPerSecond {
		return false
	}
	l.running++
	l.count++
	return true
}

func (l *lookups) finish(secret [32]byte, found bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running--
	if found {
		return
	}
	if l.unknown == nil || len(l.unknown) >= unknownAtMost {
		l.unknown = map[[32]byte]time.Time{}
	}
	l.unknown[secret] = now
}

// find is the session of a cookie. One that another replica made a moment ago is read from the store; past the bound,
// or when the store does not answer, it is not known, and the feed brings it when it comes.
func (m *Manager) find(ctx context.Context, cookie string) (*Session, bool) {
	secret := HashSecret(cookie)
	if row, ok := m.Set().BySecret(secret); ok || !m.c.Shared || !plausible(cookie) {
		return row, ok
	}
	if !m.lookups.begin(secret, m.c.Now()) {
		return nil, false
	}
	err := m.lookUp(ctx, secret)
	row, ok := m.Set().BySecret(secret)
	m.lookups.finish(secret, ok || err != nil, m.c.Now())
	return row, ok
}

// plausible reports whether a cookie can be one of ours: the bytes of a secret, as newSecret writes them.
func plausible(cookie string) bool {
	b, err := base64.RawURLEncoding.Strict().DecodeString(cookie)
	return err == nil && len(b) == 32
}

func (m *Manager) lookUp(ctx context.Context, secret [32]byte) error {
	ctx, cancel := context.WithTimeout(ctx, lookupWithin)
	defer cancel()
	m.writing.Lock() // so that what is read is not older than what is given here meanwhile
	defer m.writing.Unlock()
	signIns, sessions, err := m.c.Rows.SessionBySecret(ctx, secret)
	if err != nil {
		m.c.Log.Warn("a session that is not known here could not be looked up", "error", err)
		return err
	}
	if len(sessions) > 0 {
		m.publish(signIns, sessions, 0)
	}
	return nil
}
