package apiserver

import (
	"context"
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// TokensPath is where, on the machine site, a workspace asks for tokens.
const TokensPath = "/token"

// Tokens is what a workspace's tokens are made of.
type Tokens struct {
	Mint   func(context.Context, issuer.MintRequest) (issuer.Minted, error)
	Access access.Authorizer
	Facts  func() *access.Facts
}

// Routes are those of the machine site. Who asks is known by the tunnel alone.
func (t Tokens) Routes() []web.Route {
	return []web.Route{
		{Method: http.MethodPost, Path: TokensPath, Access: web.Asks("token:mint on the audience that the body names"), Serve: t.mint},
		{Method: http.MethodGet, Path: TokensPath + "/audiences", Access: web.Asks("token:mint on each: what is denied is not shown"), Serve: t.audiences},
	}
}

// fromWorkspace is who asks, from within a workspace.
func fromWorkspace(r *http.Request) (identity.Principal, error) {
	who := web.PrincipalFrom(r.Context())
	if who.Workspace == "" {
		return who, problem.New(problem.SignInNeeded, "Tokens for audiences are for the processes of a workspace; ask there: lanyard token --audience NAME.")
	}
	return who, nil
}

func (t Tokens) mint(w http.ResponseWriter, r *http.Request) error {
	who, err := fromWorkspace(r)
	if err != nil {
		return err
	}
	var o api.TokenOrder
	if err := read(r, &o); err != nil {
		return err
	}
	got, err := t.Mint(r.Context(), issuer.MintRequest{Principal: who, Audience: o.Audience, Gitpod: o.Gitpod, Scope: o.Scope, MayAct: o.MayAct, IP: web.ClientIP(r)})
	if err != nil {
		return err
	}
	return answer(w, http.StatusOK, api.Token{
		Token: got.Token, Expires: got.Expires, Audience: got.Audience.Name, Value: got.Audience.Value, Project: got.Project,
	})
}

// audiences lists what the project of the workspace declares, as far as who asks may know of it.
func (t Tokens) audiences(w http.ResponseWriter, r *http.Request) error {
	who, err := fromWorkspace(r)
	if err != nil {
		return err
	}
	list := []api.TokenAudience{}
	p, _ := t.Facts().Projects.Project(who.Project)
	for _, a := range p.Audiences {
		x := t.Access.Explain(r.Context(), access.Request{Principal: who, Action: identity.TokenMint, Resource: a.Resource(p.ID), IP: web.ClientIP(r)})
		if x.Effect == access.Deny {
			continue
		}
		list = append(list, tokenAudience(a, x.Effect))
	}
	return answer(w, http.StatusOK, api.Page[api.TokenAudience]{Items: list})
}

func tokenAudience(a project.Audience, e access.Effect) api.TokenAudience {
	kind := "service"
	if a.Federation {
		kind = "federation"
	}
	return api.TokenAudience{
		Name: a.Name, Value: a.Value, Kind: kind, Seconds: int(a.Lifetime.Seconds()), Subject: string(a.Subject), Sensitive: a.Sensitive,
		Decision: e.String(), File: tokenFile(a.File),
	}
}
