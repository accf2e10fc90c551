package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// endedKept is how long ended sign-ins and sessions are still loaded, so that a late request learns why.
const endedKept = 24 * time.Hour

const (
	signInColumns  = `id, tenant, object, name, at, expires, strength, contexts, tenant_session, refresh, ended, ended_why, token_id, hint, guest, ip, agent, correlation`
	sessionColumns = `id, sign_in, parent, tenant, object, kind, secret, site, workspace, project, created, expires, used, ended, ended_why, client, device, bound_to, agent, delegation`
)

// What ended stays ended, whatever a writer that does not know it yet writes: a refreshed token, a noted use or another
// sign-in above it never revives.
var (
	signIns = table{name: "sign_ins", key: []string{"id"},
		columns: []string{"id", "tenant", "object", "name", "at", "expires", "strength", "contexts", "tenant_session", "refresh", "ended", "ended_why", "token_id", "hint", "guest", "ip", "agent", "correlation"},
		merge: map[string]string{
			"refresh":   "CASE WHEN sign_ins.ended <> 0 THEN sign_ins.refresh ELSE excluded.refresh END", // the ending took it away
			"ended":     "CASE WHEN sign_ins.ended <> 0 THEN sign_ins.ended ELSE excluded.ended END",
			"ended_why": "CASE WHEN sign_ins.ended <> 0 THEN sign_ins.ended_why ELSE excluded.ended_why END",
		}}
	sessions = table{name: "sessions", key: []string{"id"},
		columns: []string{"id", "sign_in", "parent", "tenant", "object", "kind", "secret", "site", "workspace", "project", "created", "expires", "used", "ended", "ended_why", "client", "device", "bound_to", "agent", "delegation"},
		merge: map[string]string{
			"used":      "CASE WHEN sessions.used > excluded.used THEN sessions.used ELSE excluded.used END",
			"ended":     "CASE WHEN sessions.ended <> 0 THEN sessions.ended ELSE excluded.ended END",
			"ended_why": "CASE WHEN sessions.ended <> 0 THEN sessions.ended_why ELSE excluded.ended_why END",
		}}
)

// SaveSignIn stores a sign-in and sessions below it.
func (s *Store) SaveSignIn(ctx context.Context, i session.SignIn, below []session.Session, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.SaveSessions(ctx, []session.SignIn{i}, below, e, events...)
}

// SaveSessions stores sign-ins and sessions, new or changed.
func (s *Store) SaveSessions(ctx context.Context, in []session.SignIn, below []session.Session, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	signInRows := make([][]any, 0, len(in))
	for _, i := range in {
		row, err := signInRow(i)
		if err != nil {
			return 0, failed(err, "save sessions")
		}
		signInRows = append(signInRows, row)
	}
	sessionRows := make([][]any, 0, len(below))
	for _, v := range below {
		sessionRows = append(sessionRows, sessionRow(v))
	}
	return s.change(ctx, "save sessions", e, events, func(tx *sql.Tx) error {
		if err := upsertMany(ctx, tx, signIns, signInRows); err != nil {
			return err
		}
		return upsertMany(ctx, tx, sessions, sessionRows)
	})
}

// LoadSessions returns all sign-ins and sessions but those that ended more than a day ago, and the feed's number at
// which they held.
func (s *Store) LoadSessions(ctx context.Context) (in []session.SignIn, below []session.Session, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "load sessions", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		since := micro(time.Now().Add(-endedKept))
		if in, err = queryAll(ctx, tx, scanSignIn, `SELECT `+signInColumns+` FROM sign_ins WHERE ended = 0 OR ended >= $1`, since); err != nil {
			return err
		}
		below, err = queryAll(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE ended = 0 OR ended >= $1`, since)
		return err
	})
	if err != nil {
		return nil, nil, 0, err
	}
	return in, below, seq, nil
}

// ReadSessions returns the sign-ins and sessions with these IDs, of both kinds mixed; unknown ones are left out.
func (s *Store) ReadSessions(ctx context.Context, ids []string) (in []session.SignIn, below []session.Session, err error) {
	err = s.inSnapshot(ctx, "read sessions", func(tx *sql.Tx) error {
		for chunk := range slices.Chunk(ids, 256) {
			list, args := placeholders(1, len(chunk)), anys(chunk)
			i, err := queryAll(ctx, tx, scanSignIn, `SELECT `+signInColumns+` FROM sign_ins WHERE id IN `+list, args...)
			if err != nil {
				return err
			}
			b, err := queryAll(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE id IN `+list, args...)
			if err != nil {
				return err
			}
			in, below = append(in, i...), append(below, b...)
		}
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return in, below, nil
}

// SessionBySecret returns the session with a secret's hash, its sign-in, and all sessions below that; nothing when there
// is none.
func (s *Store) SessionBySecret(ctx context.Context, secret [32]byte) (in []session.SignIn, below []session.Session, err error) {
	err = s.inSnapshot(ctx, "look a session up", func(tx *sql.Tx) error {
		const of = `(SELECT sign_in FROM sessions WHERE secret = $1)`
		if in, err = queryAll(ctx, tx, scanSignIn, `SELECT `+signInColumns+` FROM sign_ins WHERE id IN `+of, secret[:]); err != nil || len(in) == 0 {
			return err
		}
		below, err = queryAll(ctx, tx, scanSession, `SELECT `+sessionColumns+` FROM sessions WHERE sign_in IN `+of, secret[:])
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	return in, below, nil
}

// NoteUse stores when sessions were last used. Uses are no facts: there is no feed entry.
func (s *Store) NoteUse(ctx context.Context, used map[identity.SessionID]time.Time) error {
	ids := slices.Sorted(maps.Keys(used)) // all replicas in one order, so that they never wait for each other in a circle
	return s.inTx(ctx, "note the use of sessions", func(tx *sql.Tx) error {
		rows := make([][]any, len(ids))
		for i, id := range ids {
			rows[i] = []any{micro(used[id]), string(id)}
		}
		return executeMany(ctx, tx, `UPDATE sessions SET used = $1 WHERE id = $2 AND used < $1`, rows)
	})
}

func signInRow(i session.SignIn) ([]any, error) {
	contexts, err := json.Marshal(i.Contexts)
	if err != nil {
		return nil, err
	}
	return []any{string(i.ID), string(i.User.Tenant), i.User.Object, displayable(i.Name), micro(i.At), micro(i.Expires), i.Strength,
		string(contexts), i.TenantSession, nonNil(i.Refresh), micro(i.Ended), displayable(i.EndedWhy), i.TokenID, i.Hint, i.Guest, i.IP, displayable(i.Agent), i.Correlation}, nil
}

func sessionRow(v session.Session) []any {
	return []any{string(v.ID), string(v.SignIn), string(v.Parent), string(v.User.Tenant), v.User.Object, string(v.Kind), v.Secret[:], v.Site,
		string(v.Workspace), string(v.Project), micro(v.Created), micro(v.Expires), micro(v.Used), micro(v.Ended), displayable(v.EndedWhy), v.Client, displayable(v.Device), v.Key, v.Agent, string(v.Delegation)}
}

func scanSignIn(scan func(...any) error) (i session.SignIn, err error) {
	var at, expires, ended int64
	var contexts string
	if err := scan(&i.ID, &i.User.Tenant, &i.User.Object, &i.Name, &at, &expires, &i.Strength, &contexts, &i.TenantSession,
		&i.Refresh, &ended, &i.EndedWhy, &i.TokenID, &i.Hint, &i.Guest, &i.IP, &i.Agent, &i.Correlation); err != nil {
		return i, err
	}
	i.At, i.Expires, i.Ended = fromMicro(at), fromMicro(expires), fromMicro(ended)
	if len(i.Refresh) == 0 {
		i.Refresh = nil
	}
	return i, json.Unmarshal([]byte(contexts), &i.Contexts)
}

func scanSession(scan func(...any) error) (v session.Session, err error) {
	var created, expires, used, ended int64
	var secret []byte
	if err := scan(&v.ID, &v.SignIn, &v.Parent, &v.User.Tenant, &v.User.Object, &v.Kind, &secret, &v.Site, &v.Workspace, &v.Project,
		&created, &expires, &used, &ended, &v.EndedWhy, &v.Client, &v.Device, &v.Key, &v.Agent, &v.Delegation); err != nil {
		return v, err
	}
	if len(secret) != len(v.Secret) {
		return v, fmt.Errorf("session %s: its secret's hash has %d bytes", v.ID, len(secret))
	}
	copy(v.Secret[:], secret)
	v.Created, v.Expires, v.Used, v.Ended = fromMicro(created), fromMicro(expires), fromMicro(used), fromMicro(ended)
	return v, nil
}
