package issuer

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// byRefresh gives the next tokens of a session. A refresh token is good once; one that comes a second time was copied, by
// whoever of the two, so the session ends (RFC 9700 section 4.14.2). It is bound to the key of the session's tokens.
func (s *Issuer) byRefresh(r *http.Request, c *Client, key string) (any, error) {
	hash, now := hashOf(r.PostForm.Get("refresh_token")), s.c.Now()
	id, had, err := s.c.Rows.RefreshTokenOf(r.Context(), hash)
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The database cannot be read. Try again in a moment.")
	}
	none := refuse(invalidGrant, "The refresh token is not known, was used, or its session has ended. Sign in again.")
	row, signIn, dead := s.c.Sessions.Set().Live(id, now)
	if id == "" || dead != "" || row.Kind != session.Client || row.Client != c.ID {
		return nil, none
	}
	if row.Key != key { // before it is spent: whoever lacks the key cannot spend it
		return nil, refuse(invalidProof, "The refresh token is bound to another key.")
	}
	granted := strings.Fields(had)
	if asked := scope(r.PostForm.Get("scope")); len(asked) > 0 {
		granted = slices.DeleteFunc(granted, func(one string) bool { return !slices.Contains(asked, one) })
	}
	answer, err := s.answer(r, c, row, signIn, granted, now) // before it is spent: whoever is refused comes again with it
	if err != nil {
		return nil, err
	}
	next := random()
	switch spent, used, err := s.c.Rows.UseRefreshToken(r.Context(), hash, hashOf(next), now); {
	case err != nil:
		return nil, problem.Wrap(err, problem.Unavailable, "The database cannot be written. Try again in a moment.")
	case used:
		s.c.Sessions.EndSession(r.Context(), row.ID, "its refresh token was used twice", audit.Event{
			Time: now, Action: "oauth:refresh", Outcome: audit.Denied, User: audit.PersonOf(row.User, signIn.Name), Session: row.ID, IP: peer(r),
			Reasons: []string{"a refresh token came a second time: one of the two was a copy"}, Detail: map[string]any{"client": c.ID, "device": row.Device},
		})
		return nil, none
	case spent != row.ID:
		return nil, none
	}
	answer.Refresh = next
	return answer, nil
}
