package feed

import (
	"context"
	"errors"
)

// ErrFenced says that another process does the work by now: the transaction was rolled back.
var ErrFenced = errors.New("another process has taken over this work")

// Term is the right to do a work alone. Numbers only grow; what is written under an old one is refused.
type Term struct {
	Work   string
	Number int64
	Holder string // empty: nobody
	Beat   int64  // grows while the holder lives
}

// Terms is where terms are kept. None of its methods compares the clocks of two machines.
type Terms interface {
	// Term returns the term of a work; a zero one when nobody ever had it.
	Term(ctx context.Context, work string) (Term, error)
	// TakeTerm begins the next term for holder if nothing has moved since seen. An empty holder gives the work up.
	TakeTerm(ctx context.Context, seen Term, holder string) (t Term, ok bool, err error)
	// BeatTerm shows that the holder of a term lives. It reports false when the term is over.
	BeatTerm(ctx context.Context, t Term) (ok bool, err error)
}
