package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session/review"
)

const rememberedColumns = `id, kind, tenant, object, name, at, proved, strength, contexts, guest, ip, device, tenant_session, token_id,
	new_place, new_device, known, logged, logged_by, flagged`

// Remember implements review.Rows.
func (s *Store) Remember(ctx context.Context, r review.Remembered) (review.Remembered, error) {
	contexts, err := json.Marshal(r.Contexts)
	if err != nil {
		return r, failed(err, "remember a sign-in")
	}
	err = s.inTx(ctx, "remember a sign-in", func(tx *sql.Tx) error {
		network := review.Network(r.IP)
		if r.Kind == review.SignIn {
			var all, there, such int64
			err := tx.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(SUM(CASE WHEN network = $1 THEN 1 ELSE 0 END), 0),
				COALESCE(SUM(CASE WHEN device = $2 THEN 1 ELSE 0 END), 0)
				FROM remembered_sign_ins WHERE object = $3 AND tenant = $4 AND kind = $5 AND at >= $6`,
				network, r.Device, r.User.Object, string(r.User.Tenant), string(review.SignIn), micro(r.At.Add(-review.Retention))).Scan(&all, &there, &such)
			if err != nil {
				return err
			}
			r.NewPlace, r.NewDevice = all > 0 && there == 0, all > 0 && such == 0
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO remembered_sign_ins (`+rememberedColumns+`, network)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)
			ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, new_place = excluded.new_place, new_device = excluded.new_device
			WHERE remembered_sign_ins.kind = 'arrival'`,
			r.ID, string(r.Kind), string(r.User.Tenant), r.User.Object, displayable(r.Name), micro(r.At), micro(r.Proved), r.Strength, string(contexts),
			r.Guest, r.IP, displayable(r.Device), r.TenantSession, r.TokenID, r.NewPlace, r.NewDevice, r.Known, r.Logged, string(r.LoggedBy), micro(r.Flagged), network)
		return err
	})
	return r, err
}

// RememberedSince lists what is remembered from a moment on, the newest first.
func (s *Store) RememberedSince(ctx context.Context, since, until time.Time) ([]review.Remembered, error) {
	rows, err := queryAll(ctx, s.read, scanRemembered, `SELECT `+rememberedColumns+` FROM remembered_sign_ins WHERE at >= $1 AND at < $2 ORDER BY at DESC, id`,
		micro(since), micro(until))
	return rows, failed(err, "read how people signed in")
}

// NewSignIns lists a person's sign-ins from a new place or device that the person said nothing about, the newest first.
func (s *Store) NewSignIns(ctx context.Context, u identity.UserID, since time.Time) ([]review.Remembered, error) {
	rows, err := queryAll(ctx, s.read, scanRemembered, `SELECT `+rememberedColumns+` FROM remembered_sign_ins
		WHERE object = $1 AND tenant = $2 AND at >= $3 AND known = FALSE AND (new_place = TRUE OR new_device = TRUE) ORDER BY at DESC, id LIMIT 100`,
		u.Object, string(u.Tenant), micro(since))
	return rows, failed(err, "read new sign-ins")
}

// KnowSignIn notes that a person said that a sign-in of theirs was them. It reports whether there is such a one.
func (s *Store) KnowSignIn(ctx context.Context, u identity.UserID, id string) (found bool, err error) {
	err = s.inTx(ctx, "note a sign-in as known", func(tx *sql.Tx) error {
		done, err := tx.ExecContext(ctx, `UPDATE remembered_sign_ins SET known = TRUE WHERE id = $1 AND object = $2 AND tenant = $3`, id, u.Object, string(u.Tenant))
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		found = n == 1
		return err
	})
	return found && err == nil, err
}

// IsRemembered implements review.Rows.
func (s *Store) IsRemembered(ctx context.Context, ids []string) (map[string]bool, error) {
	known := map[string]bool{}
	err := inChunks(ids, func(in string, args []any) error {
		found, err := queryAll(ctx, s.read, scanText, `SELECT id FROM remembered_sign_ins WHERE id IN `+in, args...)
		for _, id := range found {
			known[id] = true
		}
		return err
	})
	return known, failed(err, "read how people signed in")
}

// Candidates implements review.Rows.
func (s *Store) Candidates(ctx context.Context, e review.Logged, within time.Duration) ([]review.Remembered, error) {
	args := []any{e.Correlation, e.User.Object, micro(e.At.Add(-within)), micro(e.At.Add(within))}
	tokens := review.TokenIDs(e)
	in := ""
	for _, id := range tokens {
		args = append(args, id)
		in += ", $" + strconv.Itoa(len(args))
	}
	rows, err := queryAll(ctx, s.read, scanRemembered, `SELECT `+rememberedColumns+` FROM remembered_sign_ins
		WHERE id = $1 OR token_id IN ($1`+in+`) AND token_id <> '' OR object = $2 AND at BETWEEN $3 AND $4 ORDER BY at LIMIT 1000`, args...)
	return rows, failed(err, "read how somebody signed in")
}

// SameSession implements review.Rows.
func (s *Store) SameSession(ctx context.Context, r review.Remembered) (logged string, found bool, err error) {
	if r.TenantSession == "" {
		return "", false, nil
	}
	ids, err := queryAll(ctx, s.read, scanText, `SELECT logged FROM remembered_sign_ins WHERE object = $1 AND tenant = $2 AND tenant_session = $3 AND logged <> '' LIMIT 1`,
		r.User.Object, string(r.User.Tenant), r.TenantSession)
	if err != nil || len(ids) == 0 {
		return "", false, failed(err, "read how somebody signed in")
	}
	return ids[0], true, nil
}

// Unsettled implements review.Rows.
func (s *Store) Unsettled(ctx context.Context, since time.Time, limit int) (entries []review.Logged, rows []review.Remembered, err error) {
	entries, err = queryAll(ctx, s.read, scanLogged, `SELECT `+loggedColumns+` FROM logged_sign_ins
		WHERE joined = '' AND flagged = 0 AND code = 0 AND at >= $1 ORDER BY at LIMIT $2`, micro(since), limit)
	if err != nil {
		return nil, nil, failed(err, "read the tenant's log of sign-ins")
	}
	rows, err = queryAll(ctx, s.read, scanRemembered, `SELECT `+rememberedColumns+` FROM remembered_sign_ins
		WHERE logged_by = '' AND flagged = 0 AND kind <> 'arrival' AND at >= $1 ORDER BY at LIMIT $2`, micro(since), limit)
	return entries, rows, failed(err, "read how people signed in")
}

// Settle implements review.Rows.
func (s *Store) Settle(ctx context.Context, entries []review.Logged, rows []review.Remembered) error {
	return s.inTx(ctx, "compare sign-ins", func(tx *sql.Tx) error {
		var done, owners, found [][]any
		for _, e := range entries {
			done = append(done, []any{e.Joined, string(e.JoinedBy), micro(e.Flagged), e.ID})
			if e.Joined != "" {
				owners = append(owners, []any{e.ID, string(e.JoinedBy), e.Joined})
			}
		}
		for _, r := range rows {
			found = append(found, []any{r.Logged, string(r.LoggedBy), micro(r.Flagged), r.ID})
		}
		if err := executeMany(ctx, tx, `UPDATE logged_sign_ins SET joined = $1, joined_by = $2, flagged = $3 WHERE id = $4`, done); err != nil {
			return err
		}
		if err := executeMany(ctx, tx, `UPDATE remembered_sign_ins SET logged = $1, logged_by = $2 WHERE id = $3 AND logged = ''`, owners); err != nil {
			return err
		}
		return executeMany(ctx, tx, `UPDATE remembered_sign_ins SET logged = $1, logged_by = $2, flagged = $3 WHERE id = $4 AND logged = ''`, found)
	})
}

// ForgetReviewed implements review.Rows.
func (s *Store) ForgetReviewed(ctx context.Context, before time.Time) error {
	return s.inTx(ctx, "forget old sign-ins", func(tx *sql.Tx) error {
		for _, table := range []string{"remembered_sign_ins WHERE at", "logged_sign_ins WHERE at", "rights_used WHERE last_used"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` < $1`, micro(before)); err != nil {
				return err
			}
		}
		return nil
	})
}

// ForgetSignInsOf removes what is remembered of how somebody signed in, whatever it was.
func (s *Store) ForgetSignInsOf(ctx context.Context, object string) error {
	return s.inTx(ctx, "forget somebody's sign-ins", func(tx *sql.Tx) error {
		for _, table := range []string{"remembered_sign_ins", "logged_sign_ins"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE object = $1`, object); err != nil {
				return err
			}
		}
		return nil
	})
}

func scanRemembered(scan func(...any) error) (r review.Remembered, err error) {
	var at, proved, flagged int64
	var contexts string
	if err := scan(&r.ID, &r.Kind, &r.User.Tenant, &r.User.Object, &r.Name, &at, &proved, &r.Strength, &contexts, &r.Guest, &r.IP, &r.Device,
		&r.TenantSession, &r.TokenID, &r.NewPlace, &r.NewDevice, &r.Known, &r.Logged, &r.LoggedBy, &flagged); err != nil {
		return r, err
	}
	r.At, r.Proved, r.Flagged = fromMicro(at), fromMicro(proved), fromMicro(flagged)
	if err := json.Unmarshal([]byte(contexts), &r.Contexts); err != nil {
		return r, fmt.Errorf("contexts of a sign-in: %w", err)
	}
	return r, nil
}
