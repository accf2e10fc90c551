package grant

import (
	"context"
	"errors"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
)

// ErrDecided says that a request is no longer pending in the store: somebody was quicker.
var ErrDecided = errors.New("the request is decided already")

// Rows is the storage of requests and grants. Each writer writes rows, feed entry and audit events in one transaction:
// when it returns nil, all of them are durable; when it returns an error, none is.
type Rows interface {
	// LoadGrants returns the grants that have not been ended and whose time was not over at a moment, the requests that
	// were asked or decided since, and the feed's number at which they held.
	LoadGrants(ctx context.Context, since time.Time) ([]Request, []Grant, feed.Seq, error)
	// ReadGrants returns the requests and grants with these IDs, ended ones too; unknown ones are left out.
	ReadGrants(ctx context.Context, ids []string) ([]Request, []Grant, error)
	// SaveRequest stores a new request.
	SaveRequest(context.Context, Request, feed.Entry, ...audit.Event) (feed.Seq, error)
	// DecideRequest stores what became of a pending request, with the grants that it gives: ErrDecided, and nothing is
	// stored, when it is not pending any more.
	DecideRequest(context.Context, Request, []Grant, feed.Entry, ...audit.Event) (feed.Seq, error)
	// ForgetGrants deletes requests and grants that were over before a moment; the audit log keeps what happened.
	ForgetGrants(ctx context.Context, before time.Time) error
	// SaveGrants stores grants, new or changed. What ended stays ended.
	SaveGrants(context.Context, []Grant, feed.Entry, ...audit.Event) (feed.Seq, error)
}
