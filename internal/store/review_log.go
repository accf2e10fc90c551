package store

import (
	"context"
	"database/sql"
	"strconv"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

const loggedColumns = `id, at, tenant, object, name, user_name, ip, place, device, strength, correlation, token_id, code, failure, joined, joined_by, flagged`

// SaveLogged implements review.Rows.
func (s *Store) SaveLogged(ctx context.Context, entries []review.Logged) error {
	rows := make([][]any, 0, len(entries))
	for _, e := range entries {
		rows = append(rows, []any{e.ID, micro(e.At), string(e.User.Tenant), e.User.Object, displayable(e.Name), displayable(e.UserName), e.IP,
			displayable(e.Place), displayable(e.Device), displayable(strings.Join(e.Strength, ",")), displayable(e.Correlation), displayable(e.TokenID), e.Code, displayable(e.Failure),
			e.Joined, string(e.JoinedBy), micro(e.Flagged)})
	}
	return s.inTx(ctx, "keep the tenant's log of sign-ins", func(tx *sql.Tx) error {
		return insertMany(ctx, tx, `INSERT INTO logged_sign_ins (`+loggedColumns+`)`, "ON CONFLICT DO NOTHING", rows)
	})
}

// LoggedSince lists the entries of the tenant's log from a moment on, the newest first.
func (s *Store) LoggedSince(ctx context.Context, since, until time.Time) ([]review.Logged, error) {
	rows, err := queryAll(ctx, s.read, scanLogged, `SELECT `+loggedColumns+` FROM logged_sign_ins WHERE at >= $1 AND at < $2 ORDER BY at DESC, id`, micro(since), micro(until))
	return rows, failed(err, "read the tenant's log of sign-ins")
}

func scanLogged(scan func(...any) error) (e review.Logged, err error) {
	var at, flagged int64
	var strength string
	err = scan(&e.ID, &at, &e.User.Tenant, &e.User.Object, &e.Name, &e.UserName, &e.IP, &e.Place, &e.Device, &strength, &e.Correlation, &e.TokenID, &e.Code,
		&e.Failure, &e.Joined, &e.JoinedBy, &flagged)
	if e.At, e.Flagged = fromMicro(at), fromMicro(flagged); strength != "" {
		e.Strength = strings.Split(strength, ",")
	}
	return e, err
}

// The names of what review_state holds: moments in microseconds, a position, a sentence.
const (
	stateLogFrom  = "log.from"
	stateLogRead  = "log.read"
	stateProblem  = "log.problem"
	stateUsesFrom = "uses.from"
	statePosition = "uses.position"
)

// ReviewState implements review.Rows.
func (s *Store) ReviewState(ctx context.Context) (state review.State, err error) {
	state.Position = -1
	type row struct{ name, value string }
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (r row, err error) {
		err = scan(&r.name, &r.value)
		return r, err
	}, `SELECT name, value FROM review_state`)
	if err != nil {
		return state, failed(err, "read how far the review of sign-ins is")
	}
	for _, r := range rows {
		if r.name == stateProblem {
			state.Problem = r.value
			continue
		}
		n, err := strconv.ParseInt(r.value, 10, 64)
		if err != nil {
			return state, failed(err, "read how far the review of sign-ins is")
		}
		switch r.name {
		case stateLogFrom:
			state.LogFrom = fromMicro(n)
		case stateLogRead:
			state.LogRead = fromMicro(n)
		case stateUsesFrom:
			state.UsesFrom = fromMicro(n)
		case statePosition:
			state.Position = n
		}
	}
	return state, nil
}

// NoteLog implements review.Rows.
func (s *Store) NoteLog(ctx context.Context, from, read time.Time, problem string) error {
	return s.inTx(ctx, "note how far the tenant's log was read", func(tx *sql.Tx) error {
		return putState(ctx, tx, map[string]string{stateLogFrom: microText(from), stateLogRead: microText(read), stateProblem: displayable(problem)})
	})
}

// CountUses implements review.Rows.
func (s *Store) CountUses(ctx context.Context, uses []review.Use, since time.Time, position int64) error {
	rows := make([][]any, 0, len(uses))
	for _, u := range uses {
		rows = append(rows, []any{string(u.Kind), u.Project, u.Role, u.ID, micro(u.Last), u.Times})
	}
	return s.inTx(ctx, "count uses of rights", func(tx *sql.Tx) error {
		if err := insertMany(ctx, tx, `INSERT INTO rights_used (kind, project, role, id, last_used, times)`,
			`ON CONFLICT (kind, project, role, id) DO UPDATE SET times = rights_used.times + excluded.times,
			last_used = CASE WHEN rights_used.last_used > excluded.last_used THEN rights_used.last_used ELSE excluded.last_used END`, rows); err != nil {
			return err
		}
		state := map[string]string{statePosition: strconv.FormatInt(position, 10)}
		if !since.IsZero() {
			state[stateUsesFrom] = microText(since)
		}
		return putState(ctx, tx, state)
	})
}

// UsesSince lists what was used from a moment on.
func (s *Store) UsesSince(ctx context.Context, since time.Time) ([]review.Use, error) {
	rows, err := queryAll(ctx, s.read, func(scan func(...any) error) (u review.Use, err error) {
		var last int64
		err = scan(&u.Kind, &u.Project, &u.Role, &u.ID, &last, &u.Times)
		u.Last = fromMicro(last)
		return u, err
	}, `SELECT kind, project, role, id, last_used, times FROM rights_used WHERE last_used >= $1`, micro(since))
	return rows, failed(err, "read what was used of rights")
}

// GrantsSince lists the grants that held at some time since, ended ones too, the newest first.
func (s *Store) GrantsSince(ctx context.Context, since time.Time) ([]grant.Grant, error) {
	rows, err := queryAll(ctx, s.read, scanGrant, `SELECT `+grantColumns+` FROM grants WHERE until_time >= $1 AND (ended = 0 OR ended >= $1) ORDER BY from_time DESC, id`, micro(since))
	return rows, failed(err, "read grants")
}

func putState(ctx context.Context, tx *sql.Tx, values map[string]string) error {
	rows := make([][]any, 0, len(values))
	for name, value := range values {
		rows = append(rows, []any{name, value})
	}
	return insertMany(ctx, tx, `INSERT INTO review_state (name, value)`, `ON CONFLICT (name) DO UPDATE SET value = excluded.value`, rows)
}

func microText(t time.Time) string { return strconv.FormatInt(micro(t), 10) }

// FlaggedSince counts the sign-ins since a moment that were reported and are still in one place only.
func (s *Store) FlaggedSince(ctx context.Context, since time.Time) (n int, err error) {
	err = s.read.QueryRowContext(ctx, `SELECT (SELECT COUNT(*) FROM logged_sign_ins WHERE at >= $1 AND flagged <> 0 AND joined = '')
		+ (SELECT COUNT(*) FROM remembered_sign_ins WHERE at >= $1 AND flagged <> 0 AND logged = '')`, micro(since)).Scan(&n)
	return n, failed(err, "count the sign-ins that were reported")
}
