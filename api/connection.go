package api

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// Connection is a Git host that the person is connected to, or can be.
type Connection struct {
	App       string     `json:"app"`  // the name that projects use
	Host      string     `json:"host"` // where its tokens go
	Connected bool       `json:"connected"`
	Login     string     `json:"login,omitempty"` // who the person is there
	Made      *time.Time `json:"made,omitempty"`
	Ends      *time.Time `json:"ends,omitempty"`   // when it ends if it is not used
	Broken    string     `json:"broken,omitempty"` // why it has to be renewed
	Start     string     `json:"start"`            // the address at which it is made or renewed, in a browser
}

// Connections lists one's own.
func (c *Client) Connections(ctx context.Context) ([]Connection, error) {
	var page Page[Connection]
	err := c.Do(ctx, http.MethodGet, "/connections", nil, nil, &page)
	return page.Items, err
}

// Disconnect removes one's own connection; the host is told that its tokens are not wanted any more.
func (c *Client) Disconnect(ctx context.Context, app string) error {
	return c.Do(ctx, http.MethodDelete, "/connections/"+url.PathEscape(app), nil, nil, nil)
}
