package entra

import (
	"context"
	"net/http"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/credential"
)

// Permission is an application permission at Microsoft Graph that the reading needs.
type Permission struct {
	Name    string
	For     string
	Granted bool
	Problem string // why it is not known to be granted
}

// Examination is what the tenant says when it is asked, just now.
type Examination struct {
	Credentials []credential.State // after each was tried
	Token       error              // why no token can be had; nil when one can
	Permissions []Permission       // empty when there is no token
}

// Examine tries each credential, and makes a request for each permission: what a token for Graph holds is Graph's own
// affair and cannot be read. Where nothing is read from Graph, no permission is needed.
func (s *Source) Examine(ctx context.Context, reads bool) Examination {
	var e Examination
	e.Credentials, e.Token = s.graph.app.examine(ctx, s.graph.http)
	if e.Token != nil || !reads {
		return e
	}
	e.Permissions = []Permission{
		{Name: "User.Read.All", For: "users, and being told of their changes"},
		{Name: "Group.Read.All", For: "groups and who is in them, and being told of their changes"},
		{Name: "Application.Read.All", For: "app roles and who is assigned to Lanyard's enterprise application"},
	}
	if !s.kinds.has(groups) {
		e.Permissions = e.Permissions[:1]
	}
	for i, path := range []string{
		"/users?$top=1&$select=id", "/groups?$top=1&$select=id",
		"/servicePrincipals(appId='" + url.PathEscape(s.clientID) + "')/appRoleAssignedTo?$top=1",
	}[:len(e.Permissions)] {
		p := &e.Permissions[i]
		var answer struct{}
		_, err := s.graph.get(ctx, s.graph.url(path), &answer)
		switch status := statusOf(err); {
		case err == nil:
			p.Granted = true
		case status == http.StatusForbidden:
			p.Problem = "it is not granted"
		case status == http.StatusNotFound:
			p.Problem = "the tenant has no enterprise application of this client_id"
		default:
			p.Problem = err.Error()
		}
	}
	return e
}
