package remote

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/problem"
)

const (
	followAgain = 200 * time.Millisecond
	// awayWithin is how long a server may be away, to be started anew for instance, while a workspace is followed.
	awayWithin = 30 * time.Second
)

// Follow tells each step of a workspace's start or stop until the wanted state is reached, and returns the workspace
// as it is then. A stream that breaks is made anew; steps already told are not told again. A server that is away is waited for.
func (r *Remote) Follow(ctx context.Context, id string, step func(api.Progress)) (api.Workspace, error) {
	return r.follow(ctx, id, awayWithin, step)
}

func (r *Remote) follow(ctx context.Context, id string, patience time.Duration, step func(api.Progress)) (api.Workspace, error) {
	told, last := 0, time.Time{}
	var away time.Time // since when
	for {
		n := 0
		w, err := r.FollowStart(ctx, id, func(p api.Progress) {
			if n++; n > told || p.At.After(last) { // after a restart the server's story is shorter
				told, last = n, p.At
				step(p)
			}
		})
		if ctx.Err() != nil {
			return w, ctx.Err()
		}
		var refused *api.Error
		if errors.As(err, &refused) && !isAway(err) || errors.Is(err, api.ErrClosed) {
			return w, err
		}
		w, err = r.Workspace(ctx, id)
		gone := isAway(err)
		switch {
		case ctx.Err() != nil:
			return w, ctx.Err()
		case gone && away.IsZero():
			away = time.Now()
			step(api.Progress{At: away, Text: "The server does not answer; waiting for it."})
		case gone && time.Since(away) < patience:
		case gone:
			return w, problem.Wrap(err, problem.Unavailable, "The server went away while %s was under way: %v.\nIt goes on with that when it is back: `lanyard logs %[1]s` shows how far it is, and `lanyard start %[1]s` starts it if it was stopped meanwhile.", id, err)
		case err != nil:
			return w, err
		case Settled(w):
			return w, nil
		default:
			away = time.Time{}
		}
		select {
		case <-ctx.Done():
			return w, ctx.Err()
		case <-time.After(followAgain):
		}
	}
}

// isAway reports whether the server does not answer, or not yet.
func isAway(err error) bool {
	var gone *api.Unreachable
	var refused *api.Error
	return errors.As(err, &gone) || errors.As(err, &refused) && (refused.Status == http.StatusBadGateway || refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusGatewayTimeout)
}

// Settled reports whether a workspace is as it is wanted. A start that failed is wanted no more: it is stopped, with a
// message.
func Settled(w api.Workspace) bool { return w.Phase == w.Desired }
