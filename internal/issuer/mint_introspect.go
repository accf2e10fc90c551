package issuer

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// standing is what introspection says of a minted token that is good (RFC 7662 section 2.2).
type standing struct {
	Active bool   `json:"active"`
	Type   string `json:"token_type"`
	Claims
}

// mintedFor is a minted token that a client may know of, while what it rests on stands: one for an audience that the client
// is, or one that it got itself by an exchange.
func (s *Issuer) mintedFor(ctx context.Context, client *Client, raw string) (Claims, bool) {
	c, err := s.Minted(ctx, raw)
	if err != nil {
		return Claims{}, false
	}
	_, d, ok := s.Stands(ctx, c)
	return c, ok && mayKnow(client, c, d)
}

func mayKnow(client *Client, c Claims, d project.Declared) bool {
	return slices.Contains(client.Audiences, d.Audience.Name) || c.Client == client.ID && !client.public()
}

// revokeMinted ends one minted token: who takes it may say that it is not to be believed any more, and so may who got it.
// What stands for nothing is answered as if it had been ended (RFC 7009 section 2.2).
func (s *Issuer) revokeMinted(r *http.Request, client *Client, raw string) error {
	c, err := s.Minted(r.Context(), raw)
	if err != nil {
		return nil
	}
	who, d, ok := s.Stands(r.Context(), c)
	if !ok || !mayKnow(client, c, d) {
		return nil
	}
	e := audit.Event{
		Time: s.c.Now(), Action: "oauth:revoke", Outcome: audit.Done, User: audit.PersonOf(who.User, c.Name), Session: c.Session, Workspace: c.Workspace,
		Project: d.Project.Name, Resource: d.Audience.Resource(d.Project.ID).String(), IP: peer(r),
		Detail: map[string]any{"client": client.ID, "jti": c.ID},
	}
	if who.Kind == identity.AIAgent {
		e.Actor = "agent:" + who.Agent
	}
	if s.revokeUntil(r.Context(), tokenID(c.ID), time.Unix(c.Expires, 0), e) != nil {
		return problem.New(problem.Unavailable, "It is ended here, and not recorded yet: the database cannot be written.")
	}
	return nil
}
