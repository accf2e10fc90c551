package issuer

import (
	"net/http"
	"regexp"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// party is whom a token of an exchange is of.
type party struct {
	who    identity.Principal
	act    *Act // who acted already
	mayAct *MayAct
	scope  string
	until  time.Time
}

// person is the party without an AI agent that stands before it: the session in which that was started.
func (p party) person() identity.Principal {
	who := p.who
	who.Kind, who.Agent, who.Delegation = identity.Person, "", ""
	return who
}

// MayAct names who may become the actor (RFC 8693 section 4.4): as `act` would name them.
type MayAct struct {
	Subject string `json:"sub"`
}

// actorName is how `act` and `may_act` name AI agents and clients.
var actorName = regexp.MustCompile(`^(agent|client):[A-Za-z0-9._-]{1,100}$`)

func namesActor(s string) bool { return actorName.MatchString(s) }

// mostActors bounds how many have acted one after the other.
const mostActors = 4

// ClientSubject is a client as tokens name it where it acts for a person.
func ClientSubject(id string) string { return "client:" + id }

// subject reads the subject token: the client's own access token, whose key the request proves where it is bound to one, or
// a token that was minted for an audience that the client is. What it rests on must hold now.
func (s *Issuer) subject(r *http.Request, c *Client, key string) (party, error) {
	raw := r.PostForm.Get("subject_token")
	if err := tokenType(raw, r.PostForm.Get("subject_token_type"), "subject_token"); err != nil {
		return party{}, err
	}
	a, err := s.read(r.Context(), raw, s.audience(c))
	if err != nil {
		return s.shownTo(r, c, raw, "subject_token")
	}
	s.c.Sessions.Await(r.Context(), a.Session)
	row, signIn, ok := s.live(a)
	if !ok || a.Client != c.ID {
		return party{}, refuse(invalidRequest, "The subject_token is of a session that has ended, or of another client.")
	}
	if a.Bound != nil && a.Bound.Thumbprint != key {
		return party{}, refuse(invalidProof, "The subject_token is bound to another key.")
	}
	return party{who: principalOf(row), until: earliest(time.Unix(a.Expires, 0), session.Until(row, signIn))}, nil
}

// actor reads the actor token, if there is one: of an AI agent, minted for an audience that the client is.
func (s *Issuer) actor(r *http.Request, c *Client, subject party) (*party, error) {
	raw, kind := r.PostForm.Get("actor_token"), r.PostForm.Get("actor_token_type")
	if raw == "" && kind == "" {
		return nil, nil
	}
	if err := tokenType(raw, kind, "actor_token"); err != nil {
		return nil, err
	}
	actor, err := s.shownTo(r, c, raw, "actor_token")
	if err != nil {
		return nil, err
	}
	switch {
	case actor.who.Kind != identity.AIAgent:
		return nil, refuse(invalidRequest, "The actor_token is of a person: only an AI agent acts for somebody.")
	case actor.who.User != subject.who.User:
		return nil, refuse(invalidRequest, "The actor_token is of an AI agent that acts for somebody else than the subject_token's person.")
	case actor.mayAct != nil && actor.mayAct.Subject != ClientSubject(c.ID):
		return nil, refuse(invalidRequest, "The actor_token is for %s to exchange, and for nobody else.", actor.mayAct.Subject)
	}
	return &actor, nil
}

// tokenType checks what a request says of a token (RFC 8693 section 2.1).
func tokenType(raw, kind, name string) error {
	switch {
	case raw == "":
		return refuse(invalidRequest, "The request has no %s.", name)
	case kind != typeAccessToken && kind != typeJWT:
		return refuse(invalidRequest, "The %s_type is neither an access token nor a JWT.", name)
	}
	return nil
}

// shownTo reads a token that was minted for an audience that the client is. One for a cloud is not for exchanging.
func (s *Issuer) shownTo(r *http.Request, c *Client, raw, name string) (party, error) {
	none := refuse(invalidRequest, "The %s is not good here: it has ended, was revoked, or is not for this client.", name)
	claims, err := s.Minted(r.Context(), raw)
	if err != nil {
		return party{}, none
	}
	who, d, ok := s.Stands(r.Context(), claims)
	if !ok || d.Audience.Federation || !slices.Contains(c.Audiences, d.Audience.Name) {
		return party{}, none
	}
	return party{who: who, act: claims.Act, mayAct: claims.MayAct, scope: claims.Scope, until: time.Unix(claims.Expires, 0)}, nil
}

// combine says who asks for the new token. The chain of who acted is told in `act`; of it only the outermost decides, with
// the person.
func (s *Issuer) combine(c *Client, subject party, actor *party) (MintRequest, error) {
	ask := MintRequest{Principal: subject.who, Client: c.ID, Actor: subject.act, Until: subject.until}
	if subject.mayAct != nil {
		ask.MayAct = subject.mayAct.Subject
	}
	switch {
	case actor != nil:
		ask.Principal, ask.Until = actor.who, earliest(subject.until, actor.until)
		if subject.act == nil || subject.act.Session != actor.who.Session {
			ask.Actor = &Act{Subject: AgentSubject(actor.who.Agent), Session: actor.who.Session, Act: subject.act}
		}
	case !c.Own:
		ask.Actor = &Act{Subject: ClientSubject(c.ID), Act: subject.act}
	}
	if ask.MayAct != "" && (ask.Actor == nil || ask.Actor.Subject != ask.MayAct) {
		return ask, refuse(invalidRequest, "The subject_token lets only %s act for its person.", ask.MayAct)
	}
	if actor != nil && actor.mayAct != nil { // the narrower one: it leaves the new token to this client
		ask.MayAct = actor.mayAct.Subject
	}
	if ask.Actor.depth() > mostActors {
		return ask, refuse(invalidRequest, "More than %d have acted one for the other.", mostActors)
	}
	return ask, nil
}

// has reports whether a session is among who acted.
func (a *Act) has(id identity.SessionID) bool {
	for ; a != nil; a = a.Act {
		if a.Session == id {
			return true
		}
	}
	return false
}

func (a *Act) depth() (n int) {
	for ; a != nil; a = a.Act {
		n++
	}
	return n
}
