package issuer

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
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
	detail := map[string]any{"error": refused.code}
	if id, _, _, err := shownClient(r); err == nil && s.clients[id] != nil {
		detail["client"] = id
	}
	if grant := r.PostForm.Get("grant_type"); slices.Contains(grants, grant) {
		detail["grant"] = grant
	}
	s.note(audit.Event{Action: action, IP: peer(r), Reasons: []string{refused.text}, Detail: detail})
}

// noteAnswer is noteRefusal for a request that a browser brings, whose person may be known.
func (s *Issuer) noteAnswer(r *http.Request, a asked, err error) {
	why := problem.Message(err)
	if refused := (*refusal)(nil); errors.As(err, &refused) {
		why = refused.text
	}
	e := audit.Event{Action: "oauth:authorize", IP: peer(r), Reasons: []string{why}, Detail: map[string]any{}}
	if a.client != nil {
		e.Detail["client"] = a.client.ID
	}
	if who := web.PrincipalFrom(r.Context()); !who.User.IsZero() {
		e.User, e.Session = audit.PersonOf(who.User, s.name(who.User)), who.Session
	}
	s.note(e)
}

func (s *Issuer) note(e audit.Event) {
	e.Time, e.Outcome = s.c.Now(), audit.Denied
	missing, ok := s.refusals.next(e.Time)
	if !ok {
		return
	}
	if missing > 0 {
		e.Detail["more_not_recorded"] = missing
	}
	s.c.Audit.Later(e)
}
