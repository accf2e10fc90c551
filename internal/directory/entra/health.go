package entra

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/lanyardhq/lanyard/internal/credential"
)

// health says in the log when something stops working and when it works again, once each.
type health struct {
	log      *slog.Logger
	down, up string
	failing  bool
	worked   bool
}

func (h *health) note(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil: // we are going
	case err != nil && !h.failing:
		h.failing = true
		h.log.Warn(h.down, "error", err)
	case err == nil && (h.failing || !h.worked):
		h.failing, h.worked = false, true
		h.log.Info(h.up)
	}
}

const (
	firstPause = 100 * time.Millisecond
	lastPause  = 30 * time.Second
)

// backoff is how long to wait after failures that follow each other: doubling, with jitter, and never less than what
// Graph asked for. The zero value is ready.
type backoff struct{ pause time.Duration }

// after is the wait after err, and otherwise without an error.
func (b *backoff) after(err error, otherwise time.Duration) time.Duration {
	if err == nil {
		b.pause = 0
		return otherwise
	}
	b.pause = min(max(2*b.pause, firstPause), lastPause)
	wait := b.pause/2 + rand.N(b.pause)
	var failed *graphError
	if errors.As(err, &failed) {
		wait = max(wait, failed.RetryAfter)
	}
	var refused *credential.Refused
	if errors.As(err, &refused) {
		wait = max(wait, min(refused.After, longestQuiet))
	}
	return wait
}
