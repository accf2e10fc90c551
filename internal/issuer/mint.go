package issuer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Access decides, and gives leases.
type Access interface {
	access.Authorizer
	May(access.Request) bool
	Revoke(identity.LeaseID, access.Reason) bool
}

// MintConfig is what tokens for audiences need.
type MintConfig struct {
	Access Access
	Facts  func() *access.Facts
	// Workspace is what a workspace is on.
	Workspace func(identity.WorkspaceID) Place
	Rows      RevokedRows
}

// MintRequest asks for a token that an audience takes.
type MintRequest struct {
	Principal identity.Principal // who asks: by the tunnel of a workspace or of an AI agent, or by an exchange
	// Audience is the name of an audience, or the value that stands in its tokens. A workspace finds those of its own project.
	Audience string
	Gitpod   bool // with the claims that Gitpod's tokens had
	Scope    string
	IP       string
	MayAct   string // who alone may exchange it for a token of their own, as `act` would name them; empty: whoever it is for
	// What an exchange brings along.
	Client string    // the OAuth client that exchanges
	Key    string    // thumbprint of the key that the token is bound to; empty for none
	Actor  *Act      // who acts for the person, and who did before; an AI agent that asks is added where it is not among them
	Until  time.Time // the token ends by then; zero: as the audience has it
}

// Minted is a token with what it is for.
type Minted struct {
	Token    string
	ID       string // `jti`
	Expires  time.Time
	Audience project.Audience
	Project  string // its name
}

const (
	longestAudience = 256
	longestScope    = 256
)

// Mint gives a token for an audience. Whether who asks may have it is decided each time; the right to is a lease, held until
// the last token that was got by it ends. The entry is in the log before the answer.
func (s *Issuer) Mint(ctx context.Context, r MintRequest) (Minted, error) {
	if err := readable(r); err != nil {
		return Minted{}, err
	}
	d, err := s.declared(r)
	if err != nil {
		return Minted{}, err
	}
	now := s.c.Now()
	right, expires, err := s.entitled(r, d, now)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			return Minted{}, problem.Wrap(err, problem.NotFound, "%s", absent(r.Audience))
		}
		return Minted{}, err
	}
	decision := right.Decision()
	web.Decided(ctx, right.Request, decision, nil)
	row, signIn, dead := s.c.Sessions.Set().Live(r.Principal.Session, now)
	if dead != "" {
		return Minted{}, problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	claims := s.claims(r, d, string(decision.Role), row, signIn, now, expires)
	kind, typ := kindOfKey(d.Audience)
	raw, err := s.c.Keys.Sign(kind, typ, claims)
	if err != nil {
		return Minted{}, err
	}
	if err := s.c.Audit.Durable(context.WithoutCancel(ctx), s.mintEvent(r, d, claims, right, signIn)); err != nil {
		return Minted{}, problem.Wrap(err, problem.Unavailable, "The audit log cannot be written, so no token is given until it can be.")
	}
	if reason := right.Reason(); !reason.IsZero() { // taken away while the entry was written
		return Minted{}, problem.Wrap(reason, problem.Denied, "Access has just ended: %s.", reason.Text)
	}
	return Minted{Token: raw, ID: claims.ID, Expires: time.Unix(claims.Expires, 0).UTC(), Audience: d.Audience, Project: d.Project.Name}, nil
}

func readable(r MintRequest) error {
	switch {
	case r.Audience == "" || len(r.Audience) > longestAudience:
		return problem.New(problem.Invalid, "Name an audience that the project declares: `lanyard token --list` shows them.")
	case len(r.Scope) > longestScope || printable(r.Scope) != r.Scope:
		return problem.New(problem.Invalid, "A scope is ASCII text without quotes, at most %d characters.", longestScope)
	case r.MayAct != "" && !namesActor(r.MayAct):
		return problem.New(problem.Invalid, "Who may exchange the token is named agent:NAME, or client:ID as the configuration's clients are.")
	case r.Gitpod && r.Principal.Workspace == "":
		return problem.New(problem.Invalid, "Gitpod's claims say which workspace asks, and none does.")
	}
	return nil
}

func absent(asked string) string {
	return access.NotHere(identity.KindAudience, quoted(asked))
}

// declared finds the audience that is meant.
func (s *Issuer) declared(r MintRequest) (project.Declared, error) {
	if s.c.Mint.Access == nil {
		return project.Declared{}, problem.New(problem.NotFound, "%s", absent(r.Audience))
	}
	set := s.c.Mint.Facts().Projects
	found := project.Declared{}
	if ceiling := r.Principal.Project; ceiling != "" {
		p, _ := set.Project(ceiling)
		a, ok := p.Audience(r.Audience)
		if !ok {
			return found, problem.New(problem.NotFound, "%s", absent(r.Audience))
		}
		found = project.Declared{Project: p, Audience: a}
	} else if p, a, ok := set.Audience(r.Audience); ok {
		found = project.Declared{Project: p, Audience: a}
	} else {
		var mine []project.Declared
		for _, d := range set.AudiencesFor(r.Audience) {
			if s.c.Mint.Access.May(asks(r, d)) {
				mine = append(mine, d)
			}
		}
		if len(mine) > 1 {
			return found, problem.New(problem.Conflict, "Several of your projects have the audience %s. Give the name of one: %s.",
				quoted(r.Audience), names(mine))
		}
		if len(mine) == 0 {
			return found, problem.New(problem.NotFound, "%s", absent(r.Audience))
		}
		found = mine[0]
	}
	if s.reserved(found.Audience.Value) {
		if !s.c.Mint.Access.May(asks(r, found)) { // it is not theirs to know of
			return found, problem.New(problem.NotFound, "%s", absent(r.Audience))
		}
		return found, problem.New(problem.Conflict, "The audience %s stands for Lanyard itself, or for who takes its assertions or sign-ins; the project %s has to declare it with another `aud`.",
			found.Audience.Value, found.Project.Name)
	}
	return found, nil
}

func names(list []project.Declared) string {
	var all []string
	for _, d := range list {
		all = append(all, d.Audience.Name)
	}
	return strings.Join(all, ", ")
}

// reserved reports whether a value is what Lanyard's own tokens, its assertions, or ID tokens are for: who reads those must
// not take a token that somebody asked for instead.
func (s *Issuer) reserved(value string) bool {
	if value == s.c.URL || strings.HasPrefix(value, s.c.URL+"/") || s.c.Mint.Facts().Projects.Asserted(value) {
		return true
	}
	c := s.clients[value]
	return c != nil && (c.Own || c.Device || len(c.RedirectURIs) > 0)
}

// asks is the question whether somebody may have a token for an audience.
func asks(r MintRequest, d project.Declared) access.Request {
	return access.Request{
		Principal: r.Principal, Action: identity.TokenMint, Resource: d.Audience.Resource(d.Project.ID), IP: r.IP,
		Detail: map[string]any{"aud": d.Audience.Value},
		Stands: func(f *access.Facts, _ *access.Decision) string {
			if p, a, ok := f.Projects.Audience(d.Audience.Name); !ok || p.ID != d.Project.ID || a.Value != d.Audience.Value {
				return fmt.Sprintf("project %s no longer declares the audience %s", d.Project.Name, d.Audience.Name)
			}
			return ""
		},
	}
}

// mintEvent is the entry of one token: whose it is, for whom, and by what name it is found again at its receiver. Its subject
// is left out: it may name the person, which an entry does in fields that can be erased.
func (s *Issuer) mintEvent(r MintRequest, d project.Declared, c Claims, right *access.Lease, signIn *session.SignIn) audit.Event {
	e := audit.Event{
		Time: s.c.Now(), Action: string(identity.TokenMint), Outcome: audit.Done, User: audit.PersonOf(r.Principal.User, signIn.Name),
		Session: r.Principal.Session, Workspace: r.Principal.Workspace, Project: d.Project.Name, Resource: d.Audience.Resource(d.Project.ID).String(), IP: r.IP,
		Detail: map[string]any{"aud": c.Audience, "jti": c.ID, "exp": c.Expires, "lease": right.ID},
	}
	if r.Principal.Kind == identity.AIAgent {
		e.Actor = "agent:" + r.Principal.Agent
	}
	if r.Client != "" {
		e.Detail["client"] = r.Client
	}
	return e
}
