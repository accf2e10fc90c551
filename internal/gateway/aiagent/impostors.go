package aiagent

import (
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// What processes that are no AI agents can put into the log by asking as one: one entry of a session in this time, and so
// many sessions in it altogether. The rest is counted in the next entry.
const (
	impostorGap  = 10 * time.Second
	maxImpostors = 1000
)

// impostors counts what was asked for by who is no AI agent.
type impostors struct {
	mu   sync.Mutex
	seen map[identity.SessionID]impostor
	rest int // not written, of sessions that are not in seen
}

type impostor struct {
	since time.Time
	more  int // not written
}

// next reports whether an entry is written now, and how many before it were not.
func (s *impostors) next(sid identity.SessionID, now time.Time) (missing int, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	one, known := s.seen[sid]
	if known && now.Sub(one.since) < impostorGap {
		one.more++
		s.seen[sid] = one
		return 0, false
	}
	if !known && len(s.seen) >= maxImpostors {
		s.forget(now)
	}
	if !known && len(s.seen) >= maxImpostors {
		s.rest++
		return 0, false
	}
	if s.seen == nil {
		s.seen = map[identity.SessionID]impostor{}
	}
	s.seen[sid] = impostor{since: now}
	missing, s.rest = one.more+s.rest, 0
	return missing, true
}

// forget makes room; what was not written of those that go is counted on.
func (s *impostors) forget(now time.Time) {
	for sid, one := range s.seen {
		if now.Sub(one.since) >= impostorGap {
			s.rest += one.more
			delete(s.seen, sid)
		}
	}
}
