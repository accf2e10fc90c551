package entra

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// MemberObjects asks Graph, as the app itself, for every group that a user is in, directly or through other groups:
// security groups only, or all groups and directory roles. Sorted.
// https://learn.microsoft.com/graph/api/directoryobject-getmemberobjects
func (s *Source) MemberObjects(ctx context.Context, user identity.UserID, securityOnly bool) ([]identity.GroupID, error) {
	if user.Tenant != s.tenant {
		return nil, fmt.Errorf("ask Graph for the groups of %s: the tenant is another", user)
	}
	return s.graph.memberObjects(ctx, s.tenant, "/users/"+url.PathEscape(user.Object), securityOnly)
}

// People asks Graph about persons with their own tokens, which need the delegated permission User.Read.
type People struct {
	tenant identity.TenantID
	graph  string
	http   *http.Client
}

// PeopleConfig is what People need.
type PeopleConfig struct {
	Tenant identity.TenantID
	Graph  string // base address, including /v1.0
	HTTP   *http.Client
}

// NewPeople checks the address of Graph.
func NewPeople(c PeopleConfig) (*People, error) {
	if _, err := graphBase(c.Graph); err != nil {
		return nil, err
	}
	return &People{tenant: c.Tenant, graph: c.Graph, http: c.HTTP}, nil
}

// MemberObjects asks Graph, with a person's own access token for Graph, for every group that this person is in, directly
// or through other groups. The endpoint that a token's _claim_sources names is never asked: the documentation says that
// it may be one of a service that is no more, and a token must not say where the next one is sent. Sorted.
func (p *People) MemberObjects(ctx context.Context, token string, securityOnly bool) ([]identity.GroupID, error) {
	if token == "" {
		return nil, errors.New("ask Graph for a person's groups: there is no token")
	}
	base, err := graphBase(p.graph)
	if err != nil {
		return nil, err
	}
	c := &client{base: base, http: withoutRedirects(p.http), figures: &figures{}, fixed: &oauth2.Token{AccessToken: token}}
	return c.memberObjects(ctx, p.tenant, "/me", securityOnly)
}

func (c *client) memberObjects(ctx context.Context, tenant identity.TenantID, who string, securityOnly bool) ([]identity.GroupID, error) {
	var answer struct {
		Value []string `json:"value"`
	}
	body := map[string]bool{"securityEnabledOnly": securityOnly}
	if _, err := c.do(ctx, http.MethodPost, c.url(who+"/getMemberObjects"), body, &answer); err != nil {
		return nil, fmt.Errorf("ask Graph for somebody's groups: %w", err)
	}
	found := make([]identity.GroupID, 0, len(answer.Value))
	for _, id := range answer.Value {
		if id != "" {
			found = append(found, identity.GroupID{Tenant: tenant, Object: strings.ToLower(id)})
		}
	}
	slices.SortFunc(found, func(a, b identity.GroupID) int { return strings.Compare(a.Object, b.Object) })
	return slices.Compact(found), nil
}
