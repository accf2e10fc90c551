package remote

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/cli/browser"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// DevInfo is what `lanyard dev --json` prints and GET /dev/v1/info on its socket answers.
type DevInfo struct {
	URL    string `json:"url"`
	Tenant struct {
		Issuer       string `json:"issuer"`
		Portal       string `json:"portal"`
		Graph        string `json:"graph"` // up to and including the version
		ClientID     string `json:"client_id"`
		ClientSecret string `json:"client_secret"`
	} `json:"tenant"`
	Socket      string    `json:"socket"`
	Data        string    `json:"data"`
	Runtime     string    `json:"runtime"`
	Users       []DevUser `json:"users"`
	ContextURLs []string  `json:"context_urls"`
	Projects    string    `json:"projects"` // folder of the project files
	GitLog      string    `json:"git_log"`  // path of the upstream Git server's log
}

// DevUser is a sample person.
type DevUser struct {
	Username string   `json:"username"`
	Password string   `json:"password"`
	Roles    []string `json:"roles"`
}

// Dev asks the server behind the socket for its sample world; a server that is not `lanyard dev` has none.
func (r *Remote) Dev(ctx context.Context) (DevInfo, error) {
	var info DevInfo
	err := r.dev(ctx, http.MethodGet, "info", nil, &info)
	if KindOf(err) == problem.NotFound {
		return info, problem.New(problem.Denied, "The server here is not `lanyard dev`, and only that has sample users to sign in as.")
	}
	return info, err
}

// Throttle makes the sample Git server send so many bytes a second; 0 is as fast as it can.
func (r *Remote) Throttle(ctx context.Context, bytesPerSecond int64) error {
	return r.dev(ctx, http.MethodPost, "throttle", map[string]int64{"bytes_per_second": bytesPerSecond}, nil)
}

// TenantOffline switches the sample tenant off, as if it could not be reached, or on again.
func (r *Remote) TenantOffline(ctx context.Context, offline bool) error {
	return r.dev(ctx, http.MethodPost, "tenant", map[string]bool{"offline": offline}, nil)
}

// dev asks what lies beside the API on the socket of `lanyard dev`.
func (r *Remote) dev(ctx context.Context, method, name string, in, out any) error {
	var body bytes.Buffer
	if in != nil {
		if err := json.NewEncoder(&body).Encode(in); err != nil {
			return err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, r.URL+"/dev/v1/"+name, &body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := r.HTTP.Do(req)
	if err != nil {
		return lost(ctx, err)
	}
	defer resp.Body.Close()
	if refused := refusal(resp); refused != nil {
		return refused
	}
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read what the sample world is: %w", err)
	}
	return nil
}

// User finds a sample user by user name, with or without the domain.
func (i DevInfo) User(name string) (DevUser, error) {
	for _, u := range i.Users {
		if strings.EqualFold(u.Username, name) || strings.EqualFold(u.Short(), name) {
			return u, nil
		}
	}
	var names []string
	for _, u := range i.Users {
		names = append(names, u.Short())
	}
	return DevUser{}, problem.New(problem.Invalid, "There is no sample user %q; there are %s.", name, strings.Join(names, ", "))
}

// Short is the user name without its domain.
func (u DevUser) Short() string {
	short, _, _ := strings.Cut(u.Username, "@")
	return short
}

// SignIn signs a sample user in by the real code flow and returns the API as they reach it.
func (i DevInfo) SignIn(ctx context.Context, u DevUser) (*Remote, error) {
	b := browser.New()
	if err := b.SignIn(ctx, i.URL, u.Username, u.Password); err != nil {
		b.Close()
		return nil, err
	}
	return As(b, i.URL), nil
}
