package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Fenced is the same store for who does a work alone: each of its writing transactions ends by checking that the term
// that held answers is still the work's. Who has lost it, and does not know yet, changes nothing: feed.ErrFenced.
func (s *Store) Fenced(held func() (feed.Term, bool)) *Store {
	fenced := *s
	fenced.held = held
	return &fenced
}

// fence is the last step of a transaction. The row stays locked until the commit: a takeover waits for it, or comes
// before and makes the update find nothing.
func (s *Store) fence(ctx context.Context, tx *sql.Tx) error {
	if s.held == nil {
		return nil
	}
	over := problem.Wrap(feed.ErrFenced, problem.Conflict, "Another replica does this work now.")
	t, ok := s.held()
	if !ok {
		return over
	}
	done, err := tx.ExecContext(ctx, `UPDATE terms SET holder = holder WHERE work = $1 AND term = $2`, t.Work, t.Number)
	if err != nil {
		return err
	}
	if n, err := done.RowsAffected(); err != nil || n == 1 {
		return err
	}
	return over
}

// Term implements feed.Terms.
func (s *Store) Term(ctx context.Context, work string) (feed.Term, error) {
	t := feed.Term{Work: work}
	err := s.read.QueryRowContext(ctx, `SELECT term, holder, beat FROM terms WHERE work = $1`, work).Scan(&t.Number, &t.Holder, &t.Beat)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	}
	return t, failed(err, "read who does a work alone")
}

// TakeTerm implements feed.Terms.
func (s *Store) TakeTerm(ctx context.Context, seen feed.Term, holder string) (t feed.Term, ok bool, err error) {
	err = s.inTx(ctx, "take a work over", func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO terms (work, term, holder, beat) VALUES ($1, 0, '', 0) ON CONFLICT DO NOTHING`, seen.Work); err != nil {
			return err
		}
		done, err := tx.ExecContext(ctx, `UPDATE terms SET term = term + 1, holder = $1, beat = 0 WHERE work = $2 AND term = $3 AND beat = $4`,
			holder, seen.Work, seen.Number, seen.Beat)
		if err != nil {
			return err
		}
		n, err := done.RowsAffected()
		ok = n == 1
		return err
	})
	if err != nil {
		return feed.Term{}, false, err
	}
	return feed.Term{Work: seen.Work, Number: seen.Number + 1, Holder: holder}, ok, nil
}

// BeatTerm implements feed.Terms.
func (s *Store) BeatTerm(ctx context.Context, t feed.Term) (bool, error) {
	done, err := s.write.ExecContext(ctx, `UPDATE terms SET beat = beat + 1 WHERE work = $1 AND term = $2`, t.Work, t.Number)
	if err != nil {
		return false, failed(err, "show that a work is being done")
	}
	n, err := done.RowsAffected()
	return n == 1, failed(err, "show that a work is being done")
}
