package tour

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// graph changes the sample tenant through its Graph API, as the tenant's administrators do.
type graph struct {
	base   string
	token  string
	http   *http.Client
	groups map[string]string // object IDs by display name
	users  map[string]string // object IDs by user name, without the domain
}

// newGraph gets a token by the tenant's own app (client credentials, RFC 6749 section 4.4) and looks up who is who.
func newGraph(ctx context.Context, info remote.DevInfo) (*graph, error) {
	g := &graph{base: strings.TrimSuffix(info.Tenant.Graph, "/"), http: browser.New().HTTP(), groups: map[string]string{}, users: map[string]string{}}
	var discovery struct {
		Token string `json:"token_endpoint"`
	}
	if err := g.ask(ctx, http.MethodGet, info.Tenant.Issuer+"/.well-known/openid-configuration", nil, &discovery); err != nil {
		return nil, err
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "scope": {"https://graph.microsoft.com/.default"},
		"client_id": {info.Tenant.ClientID}, "client_secret": {info.Tenant.ClientSecret},
	}
	var answer struct {
		Token string `json:"access_token"`
	}
	if err := g.ask(ctx, http.MethodPost, discovery.Token, form, &answer); err != nil {
		return nil, err
	}
	g.token = answer.Token
	return g, g.lookUp(ctx)
}

func (g *graph) lookUp(ctx context.Context) error {
	type object struct {
		ID                string `json:"id"`
		DisplayName       string `json:"displayName"`
		UserPrincipalName string `json:"userPrincipalName"`
	}
	for _, kind := range []string{"groups", "users"} {
		for next := g.base + "/" + kind; next != ""; {
			var page struct {
				Value []object `json:"value"`
				Next  string   `json:"@odata.nextLink"`
			}
			if err := g.ask(ctx, http.MethodGet, next, nil, &page); err != nil {
				return err
			}
			for _, o := range page.Value {
				if kind == "groups" {
					g.groups[o.DisplayName] = o.ID
					continue
				}
				short, _, _ := strings.Cut(o.UserPrincipalName, "@")
				g.users[short] = o.ID
			}
			next = page.Next
		}
	}
	return nil
}

// object finds the object ID of a user or a group.
func (g *graph) object(name string) (string, error) {
	if id := g.users[name]; id != "" {
		return id, nil
	}
	if id := g.groups[name]; id != "" {
		return id, nil
	}
	return "", fmt.Errorf("the tenant has no %s", name)
}

// remove takes a user or a group out of a group, and says when the tenant had answered.
func (g *graph) remove(ctx context.Context, group, member string) (time.Time, error) {
	to, err := g.object(group)
	if err != nil {
		return time.Time{}, err
	}
	id, err := g.object(member)
	if err != nil {
		return time.Time{}, err
	}
	err = g.ask(ctx, http.MethodDelete, g.base+"/groups/"+to+"/members/"+id+"/$ref", nil, nil)
	return time.Now(), err
}

// add puts a user or a group into a group, and says when the tenant had answered.
func (g *graph) add(ctx context.Context, group, member string) (time.Time, error) {
	to, err := g.object(group)
	if err != nil {
		return time.Time{}, err
	}
	id, err := g.object(member)
	if err != nil {
		return time.Time{}, err
	}
	err = g.ask(ctx, http.MethodPost, g.base+"/groups/"+to+"/members/$ref", map[string]string{"@odata.id": g.base + "/directoryObjects/" + id}, nil)
	return time.Now(), err
}

// enable sets accountEnabled of a user, and says when the tenant had answered.
func (g *graph) enable(ctx context.Context, user string, enabled bool) (time.Time, error) {
	id, err := g.object(user)
	if err != nil {
		return time.Time{}, err
	}
	err = g.ask(ctx, http.MethodPatch, g.base+"/users/"+id, map[string]bool{"accountEnabled": enabled}, nil)
	return time.Now(), err
}

// ask sends a form or JSON, and reads JSON.
func (g *graph) ask(ctx context.Context, method, address string, in, out any) error {
	var body io.Reader
	media := "application/json"
	switch v := in.(type) {
	case nil:
	case url.Values:
		media, body = "application/x-www-form-urlencoded", strings.NewReader(v.Encode())
	default:
		b, err := json.Marshal(v)
		if err != nil {
			return err
		}
		body = bytes.NewReader(b)
	}
	r, err := http.NewRequestWithContext(ctx, method, address, body)
	if err != nil {
		return err
	}
	if body != nil {
		r.Header.Set("Content-Type", media)
	}
	if g.token != "" {
		r.Header.Set("Authorization", "Bearer "+g.token)
	}
	resp, err := g.http.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return err
	}
	if resp.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s answered %s: %.300s", method, r.URL.Path, resp.Status, text)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(text, out)
}

func (g *graph) close() { g.http.CloseIdleConnections() }
