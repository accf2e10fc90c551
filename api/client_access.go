package api

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
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

// AuditQuery says which entries of the audit log are wanted. Zero fields do not restrict.
type AuditQuery struct {
	// After asks for the entries after this position, oldest first; nil for the newest, newest first.
	After     *int64
	Limit     int
	Action    string
	User      string
	Workspace string
}

// Audit reads one page of the audit log.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (page Page[Event], err error) {
	query := values("action", q.Action, "user", q.User, "workspace", q.Workspace)
	if q.After != nil {
		query.Set("after", strconv.FormatInt(*q.After, 10))
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	return page, c.Do(ctx, http.MethodGet, "/audit", query, nil, &page)
}

// VerifyAudit checks that no entry of the audit log was changed or removed.
func (c *Client) VerifyAudit(ctx context.Context) (v Verification, err error) {
	return v, c.Do(ctx, http.MethodGet, "/audit/verify", nil, nil, &v)
}

// ExportAudit writes every entry of the audit log to w, the exact bytes of each on a line.
func (c *Client) ExportAudit(ctx context.Context, w io.Writer) error {
	answer, err := c.send(ctx, http.MethodGet, "/audit/export", nil, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	return nil
}
