package signin

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// A tenant that gives no token for a refresh token may say what a new sign-in has to ask for (a claims challenge:
// https://learn.microsoft.com/entra/identity-platform/claims-challenge). The link to that sign-in carries it sealed: nobody
// makes Lanyard ask for claims of their choice, and it is for the one person.
type challenge struct {
	User   identity.UserID `json:"user"`
	Claims string          `json:"claims,omitempty"`
	Until  time.Time       `json:"until"`
}

const (
	challengeAD   = "challenge of the tenant"
	challengeLife = time.Hour
)

// challengeFor is where a person signs in as the tenant asked.
func (s *Service) challengeFor(u identity.UserID, claims string) string {
	body, err := json.Marshal(challenge{u, claims, s.c.Now().Add(challengeLife).UTC().Truncate(time.Second)})
	if err != nil {
		return s.c.URL + loginPath
	}
	sealed := base64.RawURLEncoding.EncodeToString(s.c.Sealer.Seal(challengeAD, body))
	return s.c.URL + loginPath + "?" + url.Values{"challenge": {sealed}}.Encode()
}

// challenged reads such a link.
func (s *Service) challenged(sealed string) (challenge, error) {
	old := problem.New(problem.Invalid, "This link to sign in again is not whole, or older than an hour. Try again what was refused; it gives a new one.")
	raw, err := base64.RawURLEncoding.DecodeString(sealed)
	if err != nil {
		return challenge{}, old
	}
	body, err := s.c.Sealer.Open(challengeAD, raw)
	if err != nil {
		return challenge{}, old
	}
	var c challenge
	if err := json.Unmarshal(body, &c); err != nil || !s.c.Now().Before(c.Until) {
		return challenge{}, old
	}
	return c, nil
}

// hint is what the tenant said to name this person to it by, at their latest sign-in; empty when it did not.
func (s *Service) hint(u identity.UserID) string {
	var latest *session.SignIn
	for _, row := range s.c.Sessions.Set().SignInsOf(u) {
		if latest == nil || row.At.After(latest.At) {
			latest = row
		}
	}
	if latest == nil {
		return ""
	}
	return latest.Hint
}

// former is the hint of whose session this browser had, which has ended: it is most likely they who come back. Signing
// out takes the cookie away.
func (s *Service) former(r *http.Request) string {
	cookies := r.CookiesNamed(session.CookieName)
	if len(cookies) != 1 {
		return ""
	}
	row, ok := s.c.Sessions.Set().BySecret(session.HashSecret(cookies[0].Value))
	if !ok {
		return ""
	}
	return s.hint(row.User)
}
