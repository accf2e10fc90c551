package issuer

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/token"
)

var errNotMinted = errors.New("it is no token that was minted here")

// Minted verifies a token that was minted here: its signature, by a key of its kind, and its times. That what it rests on
// still stands is asked of Stands.
func (s *Issuer) Minted(ctx context.Context, raw string) (Claims, error) {
	hash := hashOf(raw)
	if c, known := s.minted.get(hash, s.c.Now()); known {
		return c, nil
	}
	audience, ok := saidAudience(raw)
	if !ok || audience == "" {
		return Claims{}, errNotMinted
	}
	for _, one := range []struct {
		kind, typ string
		algorithm jose.SignatureAlgorithm
	}{{token.Workload, WorkloadType, jose.ES256}, {token.Federation, federationType, jose.RS256}} {
		var c Claims
		expect := token.Expect{Type: one.typ, Issuer: s.c.URL, Audience: audience, Keys: s.c.Keys.Of(one.kind), Algorithm: one.algorithm, Now: s.c.Now}
		if expect.Verify(ctx, raw, &c) == nil {
			s.minted.put(hash, c)
			return c, nil
		}
	}
	return Claims{}, errNotMinted
}

// saidAudience is the audience that a token says it has, before anything of it is believed.
func saidAudience(raw string) (string, bool) {
	parts := strings.Split(raw, ".")
	if len(raw) > 16<<10 || len(parts) != 3 {
		return "", false
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", false
	}
	var c struct {
		Audience string `json:"aud"`
	}
	return c.Audience, json.Unmarshal(payload, &c) == nil
}

// Stands reports whether what a minted token rests on holds now: it was not revoked, its session lives, the audience is
// declared, and its holder could have it now, by the client that it was exchanged by. It gives who that is, and the audience.
func (s *Issuer) Stands(ctx context.Context, c Claims) (who identity.Principal, d project.Declared, ok bool) {
	now := s.c.Now()
	if s.c.Mint.Access == nil {
		return who, d, false
	}
	s.c.Sessions.Await(ctx, c.Session)
	row, _, dead := s.c.Sessions.Set().Live(c.Session, now)
	if dead != "" || row.User != (identity.UserID{Tenant: c.Tenant, Object: c.Object}) {
		return who, d, false
	}
	who = principalOf(row)
	p, known := s.c.Mint.Facts().Projects.Project(c.ProjectID)
	if !known {
		return who, d, false
	}
	for _, a := range p.Audiences {
		if a.Value == c.Audience {
			d, ok = project.Declared{Project: p, Audience: a}, true
		}
	}
	if !ok {
		return who, d, false
	}
	key := rightKey{row.ID, d.Audience.Resource(p.ID)}
	for _, id := range []string{tokenID(c.ID), key.id()} {
		if _, is := s.revoked.until(id, now); is {
			return who, d, false
		}
	}
	return who, d, s.mayExchange(c.Client, d) && s.holds(key, asks(MintRequest{Principal: who}, d))
}

// holds reports whether a right stands now: while its lease is open here, it does; otherwise the facts are asked.
func (s *Issuer) holds(key rightKey, request access.Request) bool {
	if lease := s.rights.leaseOf(key); lease != nil {
		switch reason := lease.Reason(); {
		case reason.IsZero():
			return true
		case reason.Code == access.Revoked: // and s.revoked will know in a moment
			return false
		}
		request.IP = lease.Request.IP
	}
	return s.c.Mint.Access.May(request)
}

// mayExchange reports whether a token's client may still get such a token; one that was not exchanged has none.
func (s *Issuer) mayExchange(id string, d project.Declared) bool {
	c := s.clients[id]
	return id == "" || c != nil && (c.Own || slices.Contains(c.Exchange, d.Audience.Name))
}

// principalOf is who a session is of, as its requests would be identified.
func principalOf(row *session.Session) identity.Principal {
	p := identity.Principal{Kind: identity.Person, User: row.User, Session: row.ID}
	switch row.Kind {
	case session.Workspace:
		p.Workspace, p.Project = row.Workspace, row.Project
	case session.Agent:
		p.Kind, p.Workspace, p.Project, p.Agent, p.Delegation = identity.AIAgent, row.Workspace, row.Project, row.Agent, row.Delegation
	}
	return p
}
