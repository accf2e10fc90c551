package signin

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session/review"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Memory keeps how people signed in, for longer than their sessions.
type Memory interface {
	Remember(context.Context, review.Remembered) (review.Remembered, error)
}

// correlationParam is how Entra is told the ID under which an attempt is to stand in its log and its errors. Others take
// no notice (RFC 6749, section 3.1).
const correlationParam = "client-request-id"

// newCorrelation makes the ID of an attempt to sign in: a random GUID, since Entra takes nothing else.
func newCorrelation() string {
	var b [16]byte
	rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	x := hex.EncodeToString(b[:])
	return x[:8] + "-" + x[8:12] + "-" + x[12:16] + "-" + x[16:20] + "-" + x[20:]
}

// remember keeps how somebody has just signed in or stepped up. It comes before what that gives: a session that nobody
// was seen to begin is reported.
func (s *Service) remember(r *http.Request, kind review.Kind, user identity.UserID, c claims, token *oidc.IDToken) (review.Remembered, error) {
	now := s.c.Now()
	row := review.Remembered{
		ID: c.correlation, Kind: kind, User: user, Name: c.Name, At: now, Proved: c.at(token, now), Strength: c.Strength, Contexts: c.Contexts,
		Guest: c.guest(), IP: web.ClientIP(r), Device: review.Device(r.UserAgent()), TenantSession: c.Session, TokenID: c.TokenID,
	}
	if s.c.Memory == nil || row.ID == "" {
		return row, nil
	}
	row, err := s.c.Memory.Remember(r.Context(), row)
	if err != nil {
		return row, problem.Wrap(err, problem.Unavailable, "The database cannot be written, so nobody can sign in now. Try again in a moment.")
	}
	return row, nil
}

// told is what the audit log's entry of a sign-in says of how it was.
func told(row review.Remembered) map[string]any {
	detail := map[string]any{"correlation": row.ID, "device": row.Device}
	if row.Strength != "" {
		detail["strength"] = row.Strength
	}
	if len(row.Contexts) > 0 {
		detail["contexts"] = row.Contexts
	}
	for name, is := range map[string]bool{"guest": row.Guest, "new_place": row.NewPlace, "new_device": row.NewDevice} {
		if is {
			detail[name] = true
		}
	}
	return detail
}
