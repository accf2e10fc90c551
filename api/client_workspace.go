package api

import (
	"context"
	"net/http"
	"net/url"
)

// Workspaces lists one's own workspaces and those one may list, newest first.
func (c *Client) Workspaces(ctx context.Context) ([]Workspace, error) {
	return list[Workspace](ctx, c, "/workspaces", nil)
}

// Workspace reads one workspace.
func (c *Client) Workspace(ctx context.Context, id string) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodGet, workspacePath(id, ""), nil, nil, &w)
}

// CreateWorkspace starts a new workspace; it returns when that is recorded, not when it runs.
func (c *Client) CreateWorkspace(ctx context.Context, o Order) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodPost, "/workspaces", nil, o, &w)
}

// StartWorkspace starts a stopped workspace again.
func (c *Client) StartWorkspace(ctx context.Context, id string) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodPost, workspacePath(id, "/start"), nil, nil, &w)
}

// StopWorkspace stops a workspace; its files are kept.
func (c *Client) StopWorkspace(ctx context.Context, id string) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodPost, workspacePath(id, "/stop"), nil, nil, &w)
}

// DeleteWorkspace deletes a workspace with its files.
func (c *Client) DeleteWorkspace(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, workspacePath(id, ""), nil, nil, nil)
}

// Logs reads the lines of the present or last start.
func (c *Client) Logs(ctx context.Context, id string) ([]Progress, error) {
	return list[Progress](ctx, c, workspacePath(id, "/logs"), nil)
}

// FollowStart follows the present start or stop from its first line until the state that is wanted is reached, and
// returns the workspace then. It returns an error that is ErrClosed when access ended meanwhile.
func (c *Client) FollowStart(ctx context.Context, id string, line func(Progress)) (w Workspace, err error) {
	err = c.follow(ctx, workspacePath(id, "/events"), nil, func(name string, data []byte) error {
		switch name {
		case "progress":
			var p Progress
			if err := decode(data, &p); err != nil {
				return err
			}
			line(p)
		case "workspace":
			return decode(data, &w)
		}
		return nil
	})
	return w, err
}

func workspacePath(id, rest string) string { return "/workspaces/" + url.PathEscape(id) + rest }
