package apiserver

import (
	"net/http"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
)

const whomItConcerns = "whose business a request is, its approvers say"

// grantEndpoints are requests, grants, delegations and break-glass.
func (s *server) grantEndpoints() []endpoint {
	get, post, del := http.MethodGet, http.MethodPost, http.MethodDelete
	return []endpoint{
		{method: get, path: "/requests", access: web.Asks(selfOrOperator), serve: s.under(s.whose(identity.GrantList), s.requests),
			says: "The requests of the last days that one may see, newest first", out: api.Page[api.Request]{},
			query: paged(param{"which", "mine: one's own; to-approve: those that wait for one's decision"})},
		{method: post, path: "/requests", access: web.Asks(inBody), serve: s.ask, in: api.Ask{}, out: api.Request{}, status: http.StatusCreated,
			says: "Asks for access that a policy gives only with a person's approval"},
		{method: get, path: "/requests/{id}", access: web.Asks(whomItConcerns), serve: s.under(s.whose(identity.GrantList), s.showRequest),
			says: "One request", out: api.Request{}},
		{method: post, path: "/requests/{id}/approve", access: web.Asks(whomItConcerns), serve: s.deciding(Grants.Approve),
			says: "Turns a request into a grant; nobody does so for themselves", in: api.Answer{}, out: api.Request{}},
		{method: post, path: "/requests/{id}/refuse", access: web.Asks(whomItConcerns), serve: s.deciding(Grants.Refuse),
			says: "Ends a request without a grant", in: api.Answer{}, out: api.Request{}},
		{method: post, path: "/requests/{id}/withdraw", access: web.Asks(whomItConcerns), serve: s.withdraw,
			says: "Takes one's own request back", out: api.Request{}},
		{method: get, path: "/grants", access: web.Asks(ownOrAll), serve: s.under(s.whose(identity.GrantList), s.grants),
			says: "What holds now by somebody's approval, delegation or break-glass, newest first", query: paged(userParam), out: api.Page[api.Grant]{}},
		{method: del, path: "/grants/{id}", access: web.Asks(neverWaits), serve: s.endGrant,
			says: "Ends a grant, and what is open because of it", out: api.Revoked{}},
		{method: post, path: "/delegations", access: web.Asks(inBody), serve: s.delegate, in: api.Delegate{}, out: api.Grant{}, status: http.StatusCreated,
			says: "Gives an AI agent a part of one's own rights, until the session ends at the latest"},
		{method: post, path: "/break-glass", access: web.Asks(inBody), serve: s.breakGlass, in: api.BreakGlass{}, out: api.Grant{}, status: http.StatusCreated,
			says: "Gives a role in a project without approval, for an hour at most, and raises an alarm"},
	}
}
