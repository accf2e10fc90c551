package issuer

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// introspect says whether a token is good now (RFC 7662): its signature, its times, and the session and the person that
// it rests on, as they are at this moment. Only clients that have a secret may ask, and a token of another client's is
// not active to them.
func (s *Issuer) introspect(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := form(w, r); err != nil {
		return nil, err
	}
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	if client.public() {
		if err := s.serve(r); err != nil {
			return nil, err
		}
		return nil, refuse(unauthorizedClient, "A client without a secret cannot ask about tokens.")
	}
	inactive := map[string]bool{"active": false}
	raw := r.PostForm.Get("token")
	a, err := s.read(r.Context(), raw, s.audience(client))
	if err != nil {
		if c, ok := s.mintedFor(r.Context(), client, raw); ok {
			return standing{true, kindOf(c.Bound), c}, nil
		}
		return inactive, nil
	}
	if a.Client != client.ID {
		return inactive, nil
	}
	s.c.Sessions.Await(r.Context(), a.Session)
	row, _, ok := s.live(a)
	if !ok {
		return inactive, nil
	}
	if user, known := s.c.Directory().User(row.User); !known || !user.Active() {
		return inactive, nil
	}
	return struct {
		Active bool   `json:"active"`
		Type   string `json:"token_type"`
		accessClaims
	}{true, kindOf(a.Bound), a}, nil
}

// kindOf is how a token is shown, by whether it is bound to a key.
func kindOf(b *binding) string {
	if b != nil {
		return "DPoP"
	}
	return "Bearer"
}

// revoke ends the session that a token is of (RFC 7009). Of tokens that stand for nothing, or for another client, the
// answer is the same.
func (s *Issuer) revoke(w http.ResponseWriter, r *http.Request) (any, error) {
	if err := s.serve(r); err != nil {
		return nil, err
	}
	if err := form(w, r); err != nil {
		return nil, err
	}
	client, err := s.client(r)
	if err != nil {
		return nil, err
	}
	raw := r.PostForm.Get("token")
	if raw == "" {
		return nil, refuse(invalidRequest, "The request has no token.")
	}
	id, _, err := s.c.Rows.RefreshTokenOf(r.Context(), hashOf(raw))
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The database cannot be read. Try again in a moment.")
	}
	if id == "" {
		if a, err := s.read(r.Context(), raw, s.audience(client)); err == nil {
			id = a.Session
		}
	}
	if id == "" {
		return nil, s.revokeMinted(r, client, raw)
	}
	s.c.Sessions.Await(r.Context(), id)
	row, signIn, ok := s.c.Sessions.Set().Session(id)
	if !ok || row.Kind != session.Client || row.Client != client.ID {
		return nil, nil
	}
	ended := s.c.Sessions.EndSession(r.Context(), row.ID, "it was signed out", audit.Event{
		Time: s.c.Now(), Action: "oauth:revoke", Outcome: audit.Done, User: audit.PersonOf(row.User, signIn.Name), Session: row.ID, IP: peer(r),
		Detail: map[string]any{"client": client.ID, "device": row.Device},
	})
	if ended.Unrecorded {
		return nil, refuse(temporarily, "It is ended here, and not recorded yet: the database cannot be written.")
	}
	return nil, nil
}
