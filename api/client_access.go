package api

import (
	"context"
	"net/http"
	"net/url"
)

// Leases lists what is open now and what was ended lately; user "" means one's own, "*" everybody's.
func (c *Client) Leases(ctx context.Context, user string) (l Leases, err error) {
	return l, c.Do(ctx, http.MethodGet, "/leases", values("user", user), nil, &l)
}

// FollowLeases calls each with the leases whenever they change, until ctx ends or the stream does.
func (c *Client) FollowLeases(ctx context.Context, user string, each func(Leases)) error {
	return c.follow(ctx, "/leases/events", values("user", user), func(name string, data []byte) error {
		if name != "leases" {
			return nil
		}
		var l Leases
		if err := decode(data, &l); err != nil {
			return err
		}
		each(l)
		return nil
	})
}

// EndLease ends one open access.
func (c *Client) EndLease(ctx context.Context, id string) (done Revoked, err error) {
	return done, c.Do(ctx, http.MethodDelete, "/leases/"+url.PathEscape(id), nil, nil, &done)
}

// Revoke ends a user's sign-ins, a session, or one open access.
func (c *Client) Revoke(ctx context.Context, what Revoke) (done Revoked, err error) {
	return done, c.Do(ctx, http.MethodPost, "/revoke", nil, what, &done)
}
