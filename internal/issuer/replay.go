package issuer

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// usedKind is the kind of the rows that say which session came of a code, for as long as its first tokens live.
const usedKind = "oauth-code-used"

// used remembers which session a code gave.
func (s *Issuer) used(r *http.Request, code [32]byte, id identity.SessionID) {
	if err := s.c.Rows.PutOnce(r.Context(), usedKind, code, []byte(id), s.c.Now().Add(accessLife)); err != nil {
		s.c.Log.Error("a code that comes again will be refused, and end nothing", "error", err)
	}
}

// replayed ends the session that a code gave, when the code comes a second time from the client that it was for: one of the
// two who had it was not meant to (RFC 6749 section 4.1.2, RFC 9700 section 4.2.4).
func (s *Issuer) replayed(r *http.Request, c *Client, code [32]byte) {
	body, ok, err := s.c.Rows.SeeOnce(r.Context(), usedKind, code)
	if err != nil || !ok {
		return
	}
	id := identity.SessionID(body)
	s.c.Sessions.Await(r.Context(), id)
	row, signIn, known := s.c.Sessions.Set().Session(id)
	if !known || row.Kind != session.Client || row.Client != c.ID {
		return
	}
	s.c.Sessions.EndSession(r.Context(), id, "the code that it was begun with was used twice", audit.Event{
		Time: s.c.Now(), Action: "oauth:token", Outcome: audit.Denied, User: audit.PersonOf(row.User, signIn.Name), Session: id, IP: peer(r),
		Reasons: []string{"a code came a second time: whoever of the two was not meant to have it"},
		Detail:  map[string]any{"client": c.ID, "device": row.Device},
	})
}
