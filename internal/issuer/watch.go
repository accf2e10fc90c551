package issuer

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
)

// noted are the refusals that stand in the log: who is refused with them tried what is another's, or what was used.
var noted = []string{invalidClient, invalidGrant, invalidProof, invalidTarget, invalidScope, invalidToken, invalidRequest, unauthorizedClient}

// refusalsAMinute bounds how many refusals are written; anybody can cause them. Those beyond are counted in the next one.
const refusalsAMinute = 120

// refusals counts what is written of them.
type refusals struct {
	mu      sync.Mutex
	since   time.Time
	count   int
	missing int
}

// next reports whether one more is written, and how many were not since the last one that was.
func (l *refusals) next(now time.Time) (missing int, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Sub(l.since) >= time.Minute {
		l.since, l.count = now, 0
	}
	if l.count++; l.count > refusalsAMinute {
		l.missing++
		return 0, false
	}
	missing, l.missing = l.missing, 0
	return missing, true
}

// watched notes what an endpoint refuses.
func (s *Issuer) watched(action string, answer func(http.ResponseWriter, *http.Request) (any, error)) func(http.ResponseWriter, *http.Request) (any, error) {
	return func(w http.ResponseWriter, r *http.Request) (any, error) {
		v, err := answer(w, r)
		s.noteRefusal(r, action, err)
		return v, err
	}
}

// noteRefusal writes a refusal to the log, with the client only where there is one of that name: the rest is a stranger's text.
func (s *Issuer) noteRefusal(r *http.Request, action string, err error) {
	var refused *refusal
	if !errors.As(err, &refused) || !slices.Contains(noted, refused.code) {
		return
	}
	now := s.c.Now()
	missing, ok := s.refusals.next(now)
	if !ok {
		return
	}
	detail := map[string]any{"error": refused.code}
	if missing > 0 {
		detail["more_not_recorded"] = missing
	}
	if id, _, _, err := shownClient(r); err == nil && s.clients[id] != nil {
		detail["client"] = id
	}
	if grant := r.PostForm.Get("grant_type"); slices.Contains(grants, grant) {
		detail["grant"] = grant
	}
	s.c.Audit.Later(audit.Event{Time: now, Action: action, Outcome: audit.Denied, IP: peer(r), Reasons: []string{refused.text}, Detail: detail})
}
