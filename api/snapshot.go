package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Snapshot is a kept copy of a checkout: what was committed and what was not.
type Snapshot struct {
	ID          string    `json:"id" doc:"The fingerprint where the one who asks did not take it"`
	Fingerprint string    `json:"fingerprint" doc:"What stands for it in the audit log; enough to delete it, not to open it"`
	Owner       string    `json:"owner"`
	OwnerName   string    `json:"owner_name"`
	Own         bool      `json:"own" doc:"The one who asks took it"`
	Foreign     bool      `json:"foreign" doc:"It may hold what somebody else wrote, so opening it takes confirmed"`
	Workspace   string    `json:"workspace" doc:"That it was taken of; may be gone"`
	Project     string    `json:"project" doc:"The project's name"`
	Repository  string    `json:"repository"`
	Branch      string    `json:"branch,omitempty"`
	Commit      string    `json:"commit,omitempty"`
	Uncommitted bool      `json:"uncommitted" doc:"It holds what was not committed"`
	Note        string    `json:"note,omitempty"`
	Size        int64     `json:"size" doc:"In bytes"`
	Digest      string    `json:"digest"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	URL         string    `json:"url,omitempty" doc:"Opens a workspace from it, for who may read the repository; its owner is told"`
	Can         []string  `json:"can" doc:"What the one who asks may do now: open, delete"`
}

// TakeSnapshot asks for one.
type TakeSnapshot struct {
	Note string `json:"note,omitempty"`
}

// OpenSnapshot starts a workspace from one.
type OpenSnapshot struct {
	Confirmed bool `json:"confirmed,omitempty" doc:"The person has seen whose it is and wants it"`
}

// Snapshots lists one's own snapshots and those one may end, newest first.
func (c *Client) Snapshots(ctx context.Context) ([]Snapshot, error) {
	return list[Snapshot](ctx, c, "/snapshots", nil)
}

// TakeSnapshot takes one of a running workspace's checkout.
func (c *Client) TakeSnapshot(ctx context.Context, workspace string, t TakeSnapshot) (s Snapshot, err error) {
	return s, c.Do(ctx, http.MethodPost, workspacePath(workspace, "/snapshots"), nil, t, &s)
}

// OpenSnapshot starts a workspace from one.
func (c *Client) OpenSnapshot(ctx context.Context, id string, o OpenSnapshot) (w Workspace, err error) {
	return w, c.Do(ctx, http.MethodPost, "/snapshots/"+url.PathEscape(id)+"/open", nil, o, &w)
}

// DeleteSnapshot removes one.
func (c *Client) DeleteSnapshot(ctx context.Context, id string) error {
	return c.Do(ctx, http.MethodDelete, "/snapshots/"+url.PathEscape(id), nil, nil, nil)
}
