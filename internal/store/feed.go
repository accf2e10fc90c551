package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// change writes rows, a feed entry and audit events in one transaction and returns the entry's number. The head is
// locked first, so that changes never wait for each other while they hold rows.
func (s *Store) change(ctx context.Context, doing string, e feed.Entry, events []audit.Event, rows func(*sql.Tx) error) (seq feed.Seq, err error) {
	err = s.inTx(ctx, doing, func(tx *sql.Tx) error {
		if seq, err = s.announce(ctx, tx, e); err != nil {
			return err
		}
		if err := rows(tx); err != nil {
			return err
		}
		return s.insertEvents(ctx, tx, events)
	})
	if err != nil {
		return 0, err
	}
	return seq, nil
}

// announce locks the head, takes the next number and writes the entry.
func (s *Store) announce(ctx context.Context, tx *sql.Tx, e feed.Entry) (feed.Seq, error) {
	if e.Topic == "" {
		return 0, errors.New("a feed entry needs a topic")
	}
	if e.Origin == "" {
		e.Origin = s.origin
	}
	keys, err := json.Marshal(e.Keys)
	if err != nil {
		return 0, err
	}
	var seq feed.Seq
	if err := tx.QueryRowContext(ctx, `UPDATE feed_head SET seq = seq + $1 WHERE id = 1 RETURNING seq`, 1).Scan(&seq); err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO feed (seq, at, origin, topic, keys) VALUES ($1, $2, $3, $4, $5)`,
		seq, micro(time.Now()), e.Origin, string(e.Topic), string(keys))
	if err != nil {
		return 0, err
	}
	return seq, s.ring(ctx, tx)
}

// Announce writes an entry that has no rows.
func (s *Store) Announce(ctx context.Context, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "announce a change", e, events, func(*sql.Tx) error { return nil })
}

// FeedAfter returns up to limit entries after number after, in order.
func (s *Store) FeedAfter(ctx context.Context, after feed.Seq, limit int) ([]feed.Entry, error) {
	entries, err := queryAll(ctx, s.read, scanEntry,
		`SELECT seq, at, origin, topic, keys FROM feed WHERE seq > $1 ORDER BY seq LIMIT $2`, after, limit)
	return entries, failed(err, "read the feed")
}

// FeedHead returns the number of the last committed entry; 0 when there is none.
func (s *Store) FeedHead(ctx context.Context) (feed.Seq, error) {
	seq, err := feedHead(ctx, s.read)
	return seq, failed(err, "read the feed's head")
}

func feedHead(ctx context.Context, q querier) (seq feed.Seq, err error) {
	err = q.QueryRowContext(ctx, `SELECT seq FROM feed_head WHERE id = 1`).Scan(&seq)
	return seq, err
}

func scanEntry(scan func(...any) error) (e feed.Entry, err error) {
	var at int64
	var keys string
	if err := scan(&e.Seq, &at, &e.Origin, &e.Topic, &keys); err != nil {
		return e, err
	}
	e.At = fromMicro(at)
	return e, json.Unmarshal([]byte(keys), &e.Keys)
}
