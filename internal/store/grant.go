package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
)

const (
	requestColumns = `id, tenant, object, action, resource_kind, resource_name, resource_project, owner_tenant, owner_object, group_tenant, group_object,
		why, wanted, asked, expires, decision, by_tenant, by_object, decided, words, given`
	grantColumns = `id, kind, tenant, object, allowed, group_tenant, group_object, agent, session, project, role, why, by_tenant, by_object,
		from_time, until_time, ended, ended_why, context, sign_in, workspace`
)

// What ended stays ended, whatever a writer that does not know it yet writes.
var grants = table{name: "grants", key: []string{"id"},
	columns: []string{"id", "kind", "tenant", "object", "allowed", "group_tenant", "group_object", "agent", "session", "project", "role", "why",
		"by_tenant", "by_object", "from_time", "until_time", "ended", "ended_why", "context", "sign_in", "workspace"},
	merge: map[string]string{
		"ended":     "CASE WHEN grants.ended <> 0 THEN grants.ended ELSE excluded.ended END",
		"ended_why": "CASE WHEN grants.ended <> 0 THEN grants.ended_why ELSE excluded.ended_why END",
	}}

// SaveRequest implements grant.Rows.
func (s *Store) SaveRequest(ctx context.Context, q grant.Request, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "save a request", e, events, func(tx *sql.Tx) error {
		return insertMany(ctx, tx, `INSERT INTO grant_requests (`+requestColumns+`)`, "", [][]any{requestRow(q)})
	})
}

// DecideRequest implements grant.Rows. Of several at once, the first finds the request pending.
func (s *Store) DecideRequest(ctx context.Context, q grant.Request, given []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	rows, err := grantRows(given)
	if err != nil {
		return 0, failed(err, "decide a request")
	}
	return s.change(ctx, "decide a request", e, events, func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE grant_requests SET decision = $1, by_tenant = $2, by_object = $3, decided = $4, words = $5, given = $6
			WHERE id = $7 AND decision = $8`, string(q.Decision), string(q.By.Tenant), q.By.Object, micro(q.Decided), displayable(q.Words),
			q.Given.Microseconds(), string(q.ID), string(grant.Pending))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		if err != nil {
			return err
		}
		if n != 1 {
			return grant.ErrDecided
		}
		return upsertMany(ctx, tx, grants, rows)
	})
}

// SaveGrants implements grant.Rows.
func (s *Store) SaveGrants(ctx context.Context, list []grant.Grant, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	rows, err := grantRows(list)
	if err != nil {
		return 0, failed(err, "save grants")
	}
	return s.change(ctx, "save grants", e, events, func(tx *sql.Tx) error { return upsertMany(ctx, tx, grants, rows) })
}

// ForgetGrants implements grant.Rows.
func (s *Store) ForgetGrants(ctx context.Context, before time.Time) error {
	return s.inTx(ctx, "forget old grants", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `DELETE FROM grant_requests WHERE expires < $1 AND decided < $1`, micro(before)); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM grants WHERE until_time < $1`, micro(before))
		return err
	})
}

// LoadGrants implements grant.Rows.
func (s *Store) LoadGrants(ctx context.Context, since time.Time) (requests []grant.Request, list []grant.Grant, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "load grants", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		if requests, err = queryAll(ctx, tx, scanRequest, `SELECT `+requestColumns+` FROM grant_requests WHERE asked >= $1 OR decided >= $1`, micro(since)); err != nil {
			return err
		}
		list, err = queryAll(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM grants WHERE ended = 0 AND until_time >= $1`, micro(since))
		return err
	})
	if err != nil {
		return nil, nil, 0, err
	}
	return requests, list, seq, nil
}

// ReadGrants implements grant.Rows.
func (s *Store) ReadGrants(ctx context.Context, ids []string) (requests []grant.Request, list []grant.Grant, err error) {
	err = s.inSnapshot(ctx, "read grants", func(tx *sql.Tx) error {
		for chunk := range slices.Chunk(ids, 256) {
			in, args := placeholders(1, len(chunk)), anys(chunk)
			q, err := queryAll(ctx, tx, scanRequest, `SELECT `+requestColumns+` FROM grant_requests WHERE id IN `+in, args...)
			if err != nil {
				return err
			}
			g, err := queryAll(ctx, tx, scanGrant, `SELECT `+grantColumns+` FROM grants WHERE id IN `+in, args...)
			if err != nil {
				return err
			}
			requests, list = append(requests, q...), append(list, g...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return requests, list, nil
}

func requestRow(q grant.Request) []any {
	r := q.Resource
	return []any{string(q.ID), string(q.User.Tenant), q.User.Object, string(q.Action), string(r.Kind), r.Name, string(r.Project), string(r.Owner.Tenant),
		r.Owner.Object, string(q.Approvers.Tenant), q.Approvers.Object, displayable(q.Why), q.For.Microseconds(), micro(q.Asked), micro(q.Expires),
		string(q.Decision), string(q.By.Tenant), q.By.Object, micro(q.Decided), displayable(q.Words), q.Given.Microseconds()}
}

func scanRequest(scan func(...any) error) (q grant.Request, err error) {
	var wanted, asked, expires, decided, given int64
	r := &q.Resource
	err = scan(&q.ID, &q.User.Tenant, &q.User.Object, &q.Action, &r.Kind, &r.Name, &r.Project, &r.Owner.Tenant, &r.Owner.Object,
		&q.Approvers.Tenant, &q.Approvers.Object, &q.Why, &wanted, &asked, &expires, &q.Decision, &q.By.Tenant, &q.By.Object, &decided, &q.Words, &given)
	q.For, q.Given = time.Duration(wanted)*time.Microsecond, time.Duration(given)*time.Microsecond
	q.Asked, q.Expires, q.Decided = fromMicro(asked), fromMicro(expires), fromMicro(decided)
	return q, err
}

// allowedLine is one line of what a grant covers, as it is stored.
type allowedLine struct {
	Action  identity.Action       `json:"action"`
	Kind    identity.ResourceKind `json:"kind"`
	Name    string                `json:"name"`
	Project identity.ProjectID    `json:"project"`
}

func grantRows(list []grant.Grant) ([][]any, error) {
	rows := make([][]any, 0, len(list))
	for _, g := range list {
		lines := make([]allowedLine, 0, len(g.Allowed))
		for _, a := range g.Allowed {
			lines = append(lines, allowedLine(a))
		}
		allowed, err := json.Marshal(lines)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{string(g.ID), string(g.Kind), string(g.User.Tenant), g.User.Object, string(allowed), string(g.Group.Tenant),
			g.Group.Object, g.Agent, string(g.Session), string(g.Project), string(g.Role), displayable(g.Why), string(g.By.Tenant), g.By.Object,
			micro(g.From), micro(g.Until), micro(g.Ended), displayable(g.EndedWhy), g.Context, string(g.SignIn), string(g.Workspace)})
	}
	return rows, nil
}

func scanGrant(scan func(...any) error) (g grant.Grant, err error) {
	var allowed string
	var from, until, ended int64
	if err := scan(&g.ID, &g.Kind, &g.User.Tenant, &g.User.Object, &allowed, &g.Group.Tenant, &g.Group.Object, &g.Agent, &g.Session, &g.Project,
		&g.Role, &g.Why, &g.By.Tenant, &g.By.Object, &from, &until, &ended, &g.EndedWhy,
		&g.Context, &g.SignIn, &g.Workspace); err != nil {
		return g, err
	}
	g.From, g.Until, g.Ended = fromMicro(from), fromMicro(until), fromMicro(ended)
	var lines []allowedLine
	if err := json.Unmarshal([]byte(allowed), &lines); err != nil {
		return g, err
	}
	for _, a := range lines {
		g.Allowed = append(g.Allowed, grant.Allowed(a))
	}
	return g, nil
}
