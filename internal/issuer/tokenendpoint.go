package issuer

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// Grant types.
const (
	grantCode    = "authorization_code"
	grantRefresh = "refresh_token"
	grantDevice  = "urn:ietf:params:oauth:grant-type:device_code"
)

// grants are all of them.
var grants = []string{grantCode, grantRefresh, grantDevice, grantExchange}

// tokens is a successful answer (RFC 6749 section 5.1).
type tokens struct {
	Access  string `json:"access_token"`
	Type    string `json:"token_type"`
	Expires int    `json:"expires_in"`
	Refresh string `json:"refresh_token,omitempty"`
	Scope   string `json:"scope"`
	ID      string `json:"id_token,omitempty"`
}

// token is the token endpoint.
func (s *Issuer) token(w http.ResponseWriter, r *http.Request) (any, error) {
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
	grant := r.PostForm.Get("grant_type")
	if grant != grantExchange { // before anything is spent
		if _, err := s.resource(r, client); err != nil {
			return nil, err
		}
	}
	key, err := s.proof(r, "", accessClaims{})
	if err != nil {
		return nil, err
	}
	if client.Own && key == "" {
		return nil, refuse(invalidProof, "Tokens of this client are bound to a key: send a DPoP proof.")
	}
	switch grant {
	case grantCode:
		return s.byCode(r, client, key)
	case grantRefresh:
		return s.byRefresh(r, client, key)
	case grantDevice:
		return s.byDevice(r, client, key)
	case grantExchange:
		return s.byExchange(r, client, key)
	case "":
		return nil, refuse(invalidRequest, "The request names no grant_type.")
	default:
		return nil, refuse(unsupportedGrant, "There is no grant type %s here.", quoted(grant))
	}
}

// serve refuses who asks too often.
func (s *Issuer) serve(r *http.Request) error {
	if s.c.Serve != nil && !s.c.Serve(r.RemoteAddr, s.c.Now()) {
		return tooMany("Too many requests come from this address. Try again in a minute.")
	}
	return nil
}

// given is what a person allowed a client: what codes stand for.
type given struct {
	Session  string    `json:"session"` // the browser session that allowed it
	Client   string    `json:"client"`
	Device   string    `json:"device,omitempty"`
	Scope    []string  `json:"scope"`
	Nonce    string    `json:"nonce,omitempty"`
	Key      string    `json:"key,omitempty"` // thumbprint that the tokens must be bound to
	At       time.Time `json:"at"`
	Redirect string    `json:"redirect,omitempty"`
	Verifier string    `json:"verifier,omitempty"` // S256 of it
}

// begin makes the client's session and its first tokens. The entry is in the log before the answer. Where no tokens come of
// it, the session has ended again: nobody has anything of it.
func (s *Issuer) begin(r *http.Request, c *Client, g given, key, flow string) (answer tokens, id identity.SessionID, err error) {
	if g.Key != "" && g.Key != key {
		return tokens{}, "", refuse(invalidProof, "The tokens were asked for to be bound to another key.")
	}
	now := s.c.Now()
	row, err := s.c.Sessions.ForClient(r.Context(), sessionID(g.Session), session.Device{Client: c.ID, Name: g.Device, Key: key}, audit.Event{
		Time: now, Action: "oauth:token", Outcome: audit.Done, IP: peer(r), Detail: map[string]any{"client": c.ID, "grant": flow, "device": g.Device},
	})
	if err != nil {
		return tokens{}, "", refuse(invalidGrant, "The sign-in that allowed it has ended.")
	}
	_, signIn, dead := s.c.Sessions.Set().Live(row.ID, now)
	if dead != "" {
		return tokens{}, "", refuse(invalidGrant, "The sign-in that allowed it has ended.")
	}
	defer func() {
		if err != nil {
			s.c.Sessions.EndSession(context.WithoutCancel(r.Context()), row.ID, "its first tokens could not be made")
		}
	}()
	answer, err = s.answer(r, c, &row, signIn, g.Scope, now)
	if err != nil {
		return tokens{}, "", err
	}
	if contains(g.Scope, "openid") {
		if answer.ID, err = s.idToken(c, &row, signIn, g.Nonce, answer.Access, now); err != nil {
			return tokens{}, "", err
		}
	}
	if contains(g.Scope, "offline_access") || c.Own {
		answer.Refresh = random()
		if err = s.c.Rows.AddRefreshToken(r.Context(), hashOf(answer.Refresh), row.ID, answer.Scope, signIn.Expires); err != nil {
			return tokens{}, "", err
		}
	}
	return answer, row.ID, nil
}

func (s *Issuer) answer(r *http.Request, c *Client, row *session.Session, signIn *session.SignIn, scope []string, now time.Time) (tokens, error) {
	raw, life, err := s.accessToken(r, c, row, signIn, scope, now)
	if err != nil {
		return tokens{}, err
	}
	kind := "Bearer"
	if row.Key != "" {
		kind = "DPoP"
	}
	return tokens{Access: raw, Type: kind, Expires: int(life / time.Second), Scope: strings.Join(scope, " ")}, nil
}
