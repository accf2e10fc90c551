package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// AuditQuery says which entries of the audit log are wanted. Zero fields do not restrict.
type AuditQuery struct {
	// After asks for the entries after this position, in the order of the log; nil for a search.
	After     *int64
	Limit     int
	Cursor    string // Next or Previous of a page of the same search
	Oldest    bool   // the oldest first
	User      string
	Action    string
	Outcome   string
	Resource  string
	Project   string
	Session   string
	Workspace string
	Since     time.Time
	Until     time.Time
}

// Audit reads one page of the audit log.
func (c *Client) Audit(ctx context.Context, q AuditQuery) (page AuditPage, err error) {
	query := values("action", q.Action, "user", q.User, "workspace", q.Workspace, "outcome", q.Outcome, "resource", q.Resource,
		"project", q.Project, "session", q.Session, "cursor", q.Cursor)
	if q.After != nil {
		query.Set("after", strconv.FormatInt(*q.After, 10))
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	if q.Oldest {
		query.Set("order", "oldest")
	}
	for name, at := range map[string]time.Time{"since": q.Since, "until": q.Until} {
		if !at.IsZero() {
			query.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return page, c.Do(ctx, http.MethodGet, "/audit", query, nil, &page)
}

// VerifyAudit checks that no entry of the audit log was changed or removed.
func (c *Client) VerifyAudit(ctx context.Context) (v Verification, err error) {
	return v, c.Do(ctx, http.MethodGet, "/audit/verify", nil, nil, &v)
}

// ExportAudit writes every entry of the audit log to w, one a line.
func (c *Client) ExportAudit(ctx context.Context, w io.Writer) error {
	return c.ExportAuditFrom(ctx, 0, w)
}

// ExportAuditFrom writes the entries from a position on.
func (c *Client) ExportAuditFrom(ctx context.Context, from int64, w io.Writer) error {
	query := url.Values{}
	if from > 0 {
		query.Set("from", strconv.FormatInt(from, 10))
	}
	answer, err := c.send(ctx, http.MethodGet, "/audit/export", query, nil)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err := io.Copy(w, answer.Body); err != nil {
		return fmt.Errorf("read the export: %w", err)
	}
	return nil
}

// ProveAudit proves that an entry is in the log. The answer is as internal/audit.Inclusion describes it.
func (c *Client) ProveAudit(ctx context.Context, seq int64) (proof json.RawMessage, err error) {
	return proof, c.Do(ctx, http.MethodGet, "/audit/proof", url.Values{"seq": {strconv.FormatInt(seq, 10)}}, nil, &proof)
}

// ProveAuditConsistency proves that the log's first new entries begin with the first old ones; new 0: all.
func (c *Client) ProveAuditConsistency(ctx context.Context, old, new int64) (proof json.RawMessage, err error) {
	query := url.Values{"old": {strconv.FormatInt(old, 10)}}
	if new > 0 {
		query.Set("new", strconv.FormatInt(new, 10))
	}
	return proof, c.Do(ctx, http.MethodGet, "/audit/consistency", query, nil, &proof)
}

// AuditPublicKey is the public key of the log's checkpoints.
func (c *Client) AuditPublicKey(ctx context.Context) (k AuditKey, err error) {
	return k, c.Do(ctx, http.MethodGet, "/audit/key", nil, nil, &k)
}

// ForgetInAudit erases a person's data from the audit log.
func (c *Client) ForgetInAudit(ctx context.Context, user string) (done Forgotten, err error) {
	return done, c.Do(ctx, http.MethodPost, "/audit/forget", nil, Forget{User: user}, &done)
}
