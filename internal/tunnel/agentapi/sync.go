package agentapi

import (
	"context"
	"net/http"
	"net/url"
)

// SyncDone says that what others wait for under this name is done, for as long as the workspace runs.
func (c Client) SyncDone(ctx context.Context, name string) error {
	return c.post(ctx, "/v1/sync/"+url.PathEscape(name))
}

// SyncAwait waits until SyncDone was called with this name.
func (c Client) SyncAwait(ctx context.Context, name string) error {
	resp, err := c.do(ctx, http.MethodGet, "/v1/sync/"+url.PathEscape(name), nil)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
