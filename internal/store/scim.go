package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/feed"
)

const scimColumns = `r.id, r.kind, r.external_id, r.object, r.name, r.name_key, r.display, r.mail, r.active, r.roles, r.body, r.version, r.created, r.changed`

var scimResources = table{name: "scim_resources", key: []string{"id"}, columns: []string{"id", "kind", "external_id", "object", "name", "name_key",
	"display", "mail", "active", "roles", "body", "version", "created", "changed"}}

// WriteSCIM implements provision.Rows. Writers wait for each other at the state's row; the feed's head is locked last, so
// that nobody else waits for a large group.
func (s *Store) WriteSCIM(ctx context.Context, f func(context.Context, provision.Tx) (provision.Written, error)) (seq feed.Seq, err error) {
	err = s.inTx(ctx, "change what is provisioned", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE scim_state SET writes = writes + 1 WHERE id = 1`); err != nil {
			return err
		}
		done, err := f(ctx, scimTx{tx})
		if err != nil {
			return err
		}
		if len(done.Keys) > 0 {
			e := feed.Entry{Topic: feed.Provisioning, Keys: done.Keys}
			if len(e.Keys) > provision.KeysAtMost {
				e.Keys = nil
			}
			if seq, err = s.announce(ctx, tx, e); err != nil {
				return err
			}
		}
		return s.insertEvents(ctx, tx, done.Events)
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// scimTx implements provision.Tx.
type scimTx struct{ tx *sql.Tx }

func (t scimTx) Resource(ctx context.Context, kind provision.Kind, id string) (provision.Row, bool, error) {
	return scimResource(ctx, t.tx, kind, id)
}

func (t scimTx) Find(ctx context.Context, kind provision.Kind, by provision.Match) ([]provision.Row, error) {
	where, args := scimWhere(kind, []provision.Match{by})
	return queryAll(ctx, t.tx, scanSCIM, `SELECT `+scimColumns+` FROM scim_resources r WHERE `+where+` ORDER BY r.id LIMIT 10`, args...)
}

func (t scimTx) Put(ctx context.Context, r provision.Row) error {
	roles, err := json.Marshal(nonNilStrings(r.Roles))
	if err != nil {
		return err
	}
	row := []any{r.ID, string(r.Kind), r.External, r.Object, r.Name, r.NameKey, r.Display, r.Mail, r.Active, string(roles), nonNil(r.Body),
		r.Version, micro(r.Created), micro(r.Changed)}
	if err := insertMany(ctx, t.tx, scimResources.head(), scimResources.tail(), [][]any{row}); err != nil {
		return err
	}
	if r.Kind != provision.UserKind {
		return nil
	}
	if _, err := t.tx.ExecContext(ctx, `DELETE FROM scim_mails WHERE id = $1`, r.ID); err != nil {
		return err
	}
	mails := make([][]any, 0, len(r.Mails))
	for _, mail := range r.Mails {
		mails = append(mails, []any{r.ID, mail})
	}
	if err := insertMany(ctx, t.tx, `INSERT INTO scim_mails (id, mail_key)`, ``, mails); err != nil || r.Object == "" {
		return err
	}
	_, err = t.tx.ExecContext(ctx, `DELETE FROM scim_gone WHERE object = $1`, r.Object)
	return err
}

func (t scimTx) Delete(ctx context.Context, r provision.Row) error {
	for _, query := range []string{
		`DELETE FROM scim_members WHERE group_id = $1`, `DELETE FROM scim_members WHERE member_id = $1`, `DELETE FROM scim_mails WHERE id = $1`,
		`DELETE FROM scim_resources WHERE id = $1`,
	} {
		if _, err := t.tx.ExecContext(ctx, query, r.ID); err != nil {
			return err
		}
	}
	if r.Kind != provision.UserKind || r.Object == "" {
		return nil
	}
	_, err := t.tx.ExecContext(ctx, `INSERT INTO scim_gone (object, at) VALUES ($1, $2) ON CONFLICT (object) DO NOTHING`, r.Object, micro(time.Now()))
	return err
}

func (t scimTx) Known(ctx context.Context, ids []string) (map[string]provision.Row, error) {
	known := make(map[string]provision.Row, len(ids))
	err := inChunks(ids, func(in string, args []any) error {
		some, err := queryAll(ctx, t.tx, func(scan func(...any) error) (r provision.Row, err error) {
			err = scan(&r.ID, &r.Kind, &r.Object, &r.Name)
			return r, err
		}, `SELECT id, kind, object, name FROM scim_resources WHERE id IN `+in, args...)
		for _, r := range some {
			known[r.ID] = r
		}
		return err
	})
	return known, err
}

func (t scimTx) MemberIDs(ctx context.Context, group string) ([]string, error) {
	return queryAll(ctx, t.tx, scanText, `SELECT member_id FROM scim_members WHERE group_id = $1 ORDER BY member_id`, group)
}

func (t scimTx) AddMembers(ctx context.Context, group string, ids []string) (added []string, err error) {
	for _, chunk := range powers(distinct(ids)) {
		rows := make([]any, 0, 2*len(chunk))
		for _, id := range chunk {
			rows = append(rows, group, id)
		}
		some, err := queryAll(ctx, t.tx, scanText, `INSERT INTO scim_members (group_id, member_id) VALUES `+placeholders(len(chunk), 2)+
			` ON CONFLICT DO NOTHING RETURNING member_id`, rows...)
		if err != nil {
			return nil, err
		}
		added = append(added, some...)
	}
	return added, nil
}

func (t scimTx) RemoveMembers(ctx context.Context, group string, ids []string) (removed []string, err error) {
	for _, chunk := range powers(distinct(ids)) {
		some, err := queryAll(ctx, t.tx, scanText, `DELETE FROM scim_members WHERE (group_id, member_id) IN (VALUES `+placeholders(len(chunk), 2)+`) RETURNING member_id`,
			pairs(group, chunk)...)
		if err != nil {
			return nil, err
		}
		removed = append(removed, some...)
	}
	return removed, nil
}

func pairs(group string, ids []string) []any {
	args := make([]any, 0, 2*len(ids))
	for _, id := range ids {
		args = append(args, group, id)
	}
	return args
}

// powers cuts a list into pieces of a power of two, at most 256 each, so that few different texts are prepared.
func powers(ids []string) (pieces [][]string) {
	for size := 256; size > 0; size /= 2 {
		for len(ids) >= size {
			pieces = append(pieces, ids[:size])
			ids = ids[size:]
		}
	}
	return pieces
}

func inChunks(ids []string, do func(in string, args []any) error) error {
	for _, piece := range powers(ids) {
		if err := do(placeholders(1, len(piece)), anys(piece)); err != nil {
			return err
		}
	}
	return nil
}

func distinct(ids []string) []string {
	ids = slices.Clone(ids)
	slices.Sort(ids)
	return slices.Compact(ids)
}

func nonNilStrings(list []string) []string {
	if list == nil {
		return []string{}
	}
	return list
}

func scanText(scan func(...any) error) (s string, err error) {
	err = scan(&s)
	return s, err
}

func scanSCIM(scan func(...any) error) (r provision.Row, err error) {
	var roles string
	var created, changed int64
	if err = scan(&r.ID, &r.Kind, &r.External, &r.Object, &r.Name, &r.NameKey, &r.Display, &r.Mail, &r.Active, &roles, &r.Body,
		&r.Version, &created, &changed); err != nil {
		return r, err
	}
	r.Created, r.Changed = fromMicro(created), fromMicro(changed)
	return r, json.Unmarshal([]byte(roles), &r.Roles)
}
