package gitread

import (
	"context"
	"errors"
)

// Check asks, with as few requests as that takes, whether what an order names is there. A repository, a ref or a commit that
// is not is a problem.Error of the kind NotFound. Without a ref the repository alone is asked for; a server of which no single
// files can be read is taken to have what it is asked for.
func (r *Reader) Check(ctx context.Context, o Order) error {
	l, err := r.begin(ctx, o)
	if err != nil {
		return err
	}
	defer l.lease.End()
	switch err = l.capabilities(); {
	case errors.Is(err, ErrCannot):
		return nil
	case err != nil || o.Ref == "":
	case isID(o.Ref):
		err = (&Commit{line: l}).find(o.Ref, false)
	default:
		_, _, err = l.resolve(o.Ref, false)
	}
	if err != nil {
		return l.end(err)
	}
	return nil
}
