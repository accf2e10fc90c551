package remote

import (
	"context"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// Follow tells each step of a workspace's start or stop until the wanted state is reached, and returns the workspace
// as it is then. A stream that breaks is made anew; steps already told are not told again.
func (r *Remote) Follow(ctx context.Context, id string, step func(api.Progress)) (api.Workspace, error) {
	told := 0
	for {
		n := 0
		w, err := r.FollowStart(ctx, id, func(p api.Progress) {
			if n++; n > told {
				told = n
				step(p)
			}
		})
		if ctx.Err() != nil {
			return w, ctx.Err()
		}
		var refused *api.Error
		if errors.As(err, &refused) || errors.Is(err, api.ErrClosed) {
			return w, err
		}
		if w, err = r.Workspace(ctx, id); err != nil {
			return w, err
		}
		if Settled(w) {
			return w, nil
		}
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// Settled reports whether a workspace is as it is wanted. A start that failed is wanted no more: it is stopped, with a
// message.
func Settled(w api.Workspace) bool { return w.Phase == w.Desired }
