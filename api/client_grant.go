package api

import (
	"context"
	"net/http"
	"net/url"
)

// Ask asks for access that a policy gives only with a person's approval.
func (c *Client) Ask(ctx context.Context, a Ask) (q Request, err error) {
	return q, c.Do(ctx, http.MethodPost, "/requests", nil, a, &q)
}

// Requests lists requests; which is "mine", "to-approve", or "" for all that one may see.
func (c *Client) Requests(ctx context.Context, which string) ([]Request, error) {
	return list[Request](ctx, c, "/requests", values("which", which))
}

// Request is one request.
func (c *Client) Request(ctx context.Context, id string) (q Request, err error) {
	return q, c.Do(ctx, http.MethodGet, "/requests/"+url.PathEscape(id), nil, nil, &q)
}

// Approve turns a request into a grant.
func (c *Client) Approve(ctx context.Context, id string, a Answer) (q Request, err error) {
	return q, c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(id)+"/approve", nil, a, &q)
}

// Refuse ends a request without a grant.
func (c *Client) Refuse(ctx context.Context, id string, a Answer) (q Request, err error) {
	return q, c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(id)+"/refuse", nil, a, &q)
}

// Withdraw takes one's own request back.
func (c *Client) Withdraw(ctx context.Context, id string) (q Request, err error) {
	return q, c.Do(ctx, http.MethodPost, "/requests/"+url.PathEscape(id)+"/withdraw", nil, nil, &q)
}

// Grants lists the grants that hold now; user "" means one's own, "*" everybody's.
func (c *Client) Grants(ctx context.Context, user string) ([]Grant, error) {
	return list[Grant](ctx, c, "/grants", values("user", user))
}

// Delegate gives an AI agent a part of one's own rights.
func (c *Client) Delegate(ctx context.Context, d Delegate) (g Grant, err error) {
	return g, c.Do(ctx, http.MethodPost, "/delegations", nil, d, &g)
}

// BreakGlass gives a role in a project without approval, and raises an alarm.
func (c *Client) BreakGlass(ctx context.Context, b BreakGlass) (g Grant, err error) {
	return g, c.Do(ctx, http.MethodPost, "/break-glass", nil, b, &g)
}
