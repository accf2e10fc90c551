package issuer

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
)

// person are the claims that say who somebody is. The name is for show; the immutable ones are sub, oid and tid.
type person struct {
	Subject  string `json:"sub"`
	Object   string `json:"oid"`
	Tenant   string `json:"tid"`
	Name     string `json:"name,omitempty"`
	UserName string `json:"preferred_username,omitempty"`
}

func (s *Issuer) person(u identity.UserID) person {
	p := person{Subject: Subject(u), Object: u.Object, Tenant: string(u.Tenant)}
	if user, ok := s.c.Directory().User(u); ok {
		p.Name, p.UserName = user.Name, user.UserName
	}
	return p
}

// idToken says to a client who signed in (OpenID Connect Core section 2).
func (s *Issuer) idToken(c *Client, row *session.Session, signIn *session.SignIn, nonce, accessToken string, now time.Time) (string, error) {
	digest := sha256.Sum256([]byte(accessToken))
	return s.c.Keys.Sign(token.API, idType, struct {
		person
		Issuer   string             `json:"iss"`
		Audience string             `json:"aud"`
		Expires  int64              `json:"exp"`
		Issued   int64              `json:"iat"`
		AuthTime int64              `json:"auth_time"`
		Nonce    string             `json:"nonce,omitempty"`
		Strength string             `json:"acr,omitempty"`
		Session  identity.SessionID `json:"sid"`
		Hash     string             `json:"at_hash"` // of the access token (section 3.1.3.6)
	}{
		s.person(row.User), s.c.URL, c.ID, now.Add(accessLife).Unix(), now.Unix(), signIn.At.Unix(), nonce, signIn.Strength, row.ID,
		base64.RawURLEncoding.EncodeToString(digest[:sha256.Size/2]),
	})
}

// userInfo answers who an access token is of (OpenID Connect Core section 5.3).
func (s *Issuer) userInfo(_ http.ResponseWriter, r *http.Request) (any, error) {
	scheme := "Bearer"
	if Shows(r) {
		scheme = "DPoP"
	}
	a, err := s.shown(r, s.url(UserInfoPath))
	if err == nil {
		s.c.Sessions.Await(r.Context(), a.Session)
		if row, _, ok := s.live(a); ok {
			return s.person(row.User), nil
		}
		err = refuse(invalidToken, "The session has ended.")
	}
	var refused *refusal
	if errors.As(err, &refused) {
		told := *refused
		told.scheme = scheme
		if told.code != useNonce {
			told.status = http.StatusUnauthorized
		}
		return nil, &told
	}
	return nil, err
}
