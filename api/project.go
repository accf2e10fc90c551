package api

import (
	"context"
	"time"
)

// Project is a project that the person may see.
type Project struct {
	ID           string       `json:"id"`
	Name         string       `json:"name"`
	Role         string       `json:"role,omitempty"`
	Via          string       `json:"via,omitempty"`
	Path         []string     `json:"path,omitempty"`
	CanStart     bool         `json:"can_start" doc:"The person may start workspaces here"`
	Repositories []Repository `json:"repositories"`
	Apps         []string     `json:"apps"`
	AppSites     []AppSite    `json:"app_sites" doc:"Apps that browsers may open"`
	// FromGroups says that the project is made of groups and not of a file. Closed is why such a project is closed, and
	// ClosedAt since when.
	FromGroups bool      `json:"from_groups,omitempty"`
	Closed     string    `json:"closed,omitempty"`
	ClosedAt   time.Time `json:"closed_at,omitzero"`
	// Roles say which groups and app roles hold which role; only who may read the directory is told.
	Roles []RoleGroup `json:"roles,omitempty"`
	// Warm are the workspaces that are made ahead for it on this server's machine; only who may read the directory is told.
	Warm []WarmPool `json:"warm,omitempty"`
}

// WarmPool are workspaces of a class that are made ahead, and belong to nobody yet.
type WarmPool struct {
	Class   string    `json:"class"`
	Image   string    `json:"image,omitempty" doc:"Empty: the project's"`
	Wanted  int       `json:"wanted"`
	Ready   int       `json:"ready"`
	Making  int       `json:"making"`
	Message string    `json:"message,omitempty" doc:"Why there are not more"`
	Since   time.Time `json:"since,omitzero" doc:"Since when there is such a reason"`
}

// RoleGroup is a group or app role that holds a role.
type RoleGroup struct {
	Role  string `json:"role"`
	Group string `json:"group" doc:"The object ID; of an app role app-role: and its value"`
	Name  string `json:"name"`
}

// ProjectFindings lists what is wrong with roles and groups.
func (c *Client) ProjectFindings(ctx context.Context) ([]Finding, error) {
	return list[Finding](ctx, c, "/projects/findings", nil)
}

// AppSite is where a browser opens an app.
type AppSite struct {
	Name string `json:"name"`
	URL  string `json:"url"`
}

// Repository is a repository of a project.
type Repository struct {
	URL  string `json:"url"`
	Name string `json:"name" doc:"The last segment of its path"`
	// Prebuilds says that its file asks for them; CanPrebuild that who asks may have one made now.
	Prebuilds   bool `json:"prebuilds,omitempty"`
	CanPrebuild bool `json:"can_prebuild,omitempty"`
}
