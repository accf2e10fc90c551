package issuer

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
)

// accessType is the `typ` of access tokens (RFC 9068 section 2.1), idType that of ID tokens.
const (
	accessType = "at+jwt"
	idType     = "JWT"
)

// accessClaims are those of an access token (RFC 9068 section 2.2, RFC 9449 section 6.1).
type accessClaims struct {
	Issuer   string             `json:"iss"`
	Subject  string             `json:"sub"`
	Audience string             `json:"aud"`
	Expires  int64              `json:"exp"`
	Issued   int64              `json:"iat"`
	ID       string             `json:"jti"`
	Client   string             `json:"client_id"`
	Session  identity.SessionID `json:"sid"`
	Scope    string             `json:"scope,omitempty"`
	AuthTime int64              `json:"auth_time"`
	Strength string             `json:"acr,omitempty"`
	Bound    *binding           `json:"cnf,omitempty"`
}

type binding struct {
	Thumbprint string `json:"jkt"`
}

func (a accessClaims) thumbprint() string {
	if a.Bound == nil {
		return ""
	}
	return a.Bound.Thumbprint
}

// audience is what a client's access tokens are for: Lanyard itself for its own programs, and for others no more than
// learning who somebody is.
func (s *Issuer) audience(c *Client) string {
	if c.Own {
		return s.c.URL
	}
	return s.url(UserInfoPath)
}

// Subject is a person as tokens name them: at most 127 bytes of ASCII, as every receiver takes, made of immutable IDs alone.
func Subject(u identity.UserID) string {
	if s := u.String(); len(s) <= 100 && strings.IndexFunc(s, func(c rune) bool { return c <= 0x20 || c >= 0x7f }) < 0 {
		return s
	}
	return hashedSubject(u)
}

// sign makes the access token of a session.
func (s *Issuer) sign(c *Client, row *session.Session, signIn *session.SignIn, scope []string, now time.Time) (string, time.Duration, error) {
	life := accessLife
	if left := signIn.Expires.Sub(now); left < life {
		life = left
	}
	a := accessClaims{
		Issuer: s.c.URL, Subject: Subject(row.User), Audience: s.audience(c), Expires: now.Add(life).Unix(), Issued: now.Unix(), ID: random(),
		Client: c.ID, Session: row.ID, Scope: strings.Join(scope, " "), AuthTime: signIn.At.Unix(), Strength: signIn.Strength,
	}
	if row.Key != "" {
		a.Bound = &binding{row.Key}
	}
	raw, err := s.c.Keys.Sign(token.API, accessType, a)
	return raw, life, err
}

// read verifies an access token for an audience. That its session lives is not looked at.
func (s *Issuer) read(ctx context.Context, raw, audience string) (accessClaims, error) {
	var a accessClaims
	err := token.Expect{Type: accessType, Issuer: s.c.URL, Audience: audience, Keys: s.c.Keys.Of(token.API), Now: s.c.Now}.Verify(ctx, raw, &a)
	return a, err
}

// live finds the session that an access token is of, if it is as the token says and lives.
func (s *Issuer) live(a accessClaims) (*session.Session, *session.SignIn, bool) {
	row, signIn, dead := s.c.Sessions.Set().Live(a.Session, s.c.Now())
	if dead != "" || row.Kind != session.Client || row.Client != a.Client || row.Key != a.thumbprint() || Subject(row.User) != a.Subject {
		return nil, nil, false
	}
	return row, signIn, true
}

// random is a secret, or a name that nobody guesses: 256 bits.
func random() string {
	var b [32]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

func hashOf(secret string) [32]byte { return sha256.Sum256([]byte(secret)) }
