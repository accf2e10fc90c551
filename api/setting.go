package api

import (
	"context"
	"net/http"
	"time"
)

// Variable is an environment variable of workspaces: a person's own, or with Project that project's.
type Variable struct {
	Name       string    `json:"name"`
	Value      string    `json:"value" doc:"Empty for a secret one, which is never shown again"`
	Secret     bool      `json:"secret"`
	Project    string    `json:"project,omitempty" doc:"The project whose it is; empty: it is a person's own"`
	Repository string    `json:"repository,omitempty" doc:"It is for workspaces on this one alone; empty: for all"`
	By         string    `json:"by,omitempty" doc:"Who set it last"`
	Changed    time.Time `json:"changed"`
}

// SetVariable sets one.
type SetVariable struct {
	Name       string `json:"name"`
	Value      string `json:"value"`
	Secret     bool   `json:"secret,omitempty" doc:"Encrypted at rest, never shown again, and given to workspaces only where their project and the policies allow it"`
	Project    string `json:"project,omitempty"`
	Repository string `json:"repository,omitempty"`
}

// Preferences are what a person wants of their workspaces.
type Preferences struct {
	Dotfiles string `json:"dotfiles" doc:"Address of a repository that is cloned to ~/.dotfiles and installed; empty: none"`
}

// Variables lists the variables of oneself, or of a project.
func (c *Client) Variables(ctx context.Context, project string) ([]Variable, error) {
	return list[Variable](ctx, c, "/variables", values("project", project))
}

// SetVariable sets a variable.
func (c *Client) SetVariable(ctx context.Context, v SetVariable) (out Variable, err error) {
	return out, c.Do(ctx, http.MethodPost, "/variables", nil, v, &out)
}

// UnsetVariable removes one of oneself, or of a project, for one repository or for all.
func (c *Client) UnsetVariable(ctx context.Context, name, project, repository string) error {
	return c.Do(ctx, http.MethodDelete, "/variables", values("name", name, "project", project, "repository", repository), nil, nil)
}

// Preferences reads one's own.
func (c *Client) Preferences(ctx context.Context) (p Preferences, err error) {
	return p, c.Do(ctx, http.MethodGet, "/preferences", nil, nil, &p)
}

// SetPreferences replaces one's own.
func (c *Client) SetPreferences(ctx context.Context, p Preferences) (out Preferences, err error) {
	return out, c.Do(ctx, http.MethodPost, "/preferences", nil, p, &out)
}
