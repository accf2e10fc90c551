package issuer

import (
	"context"
	"errors"
	"maps"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/session"
)

// rights are the rights to mint that are open: a lease for each session and audience, from the first token to the end of the
// last.
type rights struct {
	mu   sync.Mutex
	held map[rightKey]*right
}

// rightKey is what a right is one for.
type rightKey struct {
	session  identity.SessionID
	audience identity.Resource
}

// id is how a right is named among what was revoked.
func (k rightKey) id() string { return "right " + string(k.session) + " " + k.audience.Name }

type right struct {
	mu    sync.Mutex
	lease *access.Lease // nil before the first token
	until time.Time     // when the last token ends
	timer *time.Timer   // ends it
	over  bool          // it is no longer among those held
	since time.Time     // the minute that is counted
	count int
}

// mintsAMinute bounds what one session gets for one audience: each token is an entry in the log.
const mintsAMinute = 300

// entitled decides whether somebody may have a token now, and until when it is good.
func (s *Issuer) entitled(r MintRequest, d project.Declared, now time.Time) (*access.Lease, time.Time, error) {
	key := rightKey{r.Principal.Session, d.Audience.Resource(d.Project.ID)}
	for {
		right := s.rights.of(key)
		lease, expires, err := s.take(right, key, r, d, now)
		if lease != nil || err != nil {
			return lease, expires, err
		}
	}
}

// take is entitled with the right in hand. It answers nothing when the right has just ended.
func (s *Issuer) take(right *right, key rightKey, r MintRequest, d project.Declared, now time.Time) (*access.Lease, time.Time, error) {
	right.mu.Lock()
	defer right.mu.Unlock()
	if right.over {
		return nil, time.Time{}, nil
	}
	defer s.rights.keep(key, right, s.c.Now)
	if now.Sub(right.since) >= time.Minute {
		right.since, right.count = now, 0
	}
	if right.count++; right.count > mintsAMinute {
		return nil, time.Time{}, problem.New(problem.TooMany, "More than %d tokens were asked for within a minute; use one until it ends, and try again in a minute.", mintsAMinute)
	}
	if err := s.openOrAsk(right, key, r, d, now); err != nil {
		return nil, time.Time{}, err
	}
	row, signIn, dead := s.c.Sessions.Set().Live(r.Principal.Session, now)
	if dead != "" {
		return nil, time.Time{}, problem.New(problem.SignInNeeded, "Sign in first: %s.", dead)
	}
	expires := earliest(now.Add(d.Audience.Lifetime), session.Until(row, signIn), r.Until)
	if ends := right.lease.Decision().Ends; !ends.IsZero() && ends.Before(expires) && !s.allowedAt(right.lease.Request, expires) {
		expires = ends
	}
	if !now.Before(expires) {
		return nil, time.Time{}, problem.New(problem.Denied, "Not allowed: what this would rest on has just ended. Try again.")
	}
	if expires.After(right.until) {
		right.until = expires
	}
	return right.lease, expires, nil
}

// allowedAt reports whether what is allowed now would be then, if no fact changed: not everything that a decision read and
// that ends is needed for it. How old the directory would be is left out, since it is read again until then.
func (s *Issuer) allowedAt(request access.Request, end time.Time) bool {
	f := *s.c.Mint.Facts()
	f.Bounds = access.Bounds{Stale: 365 * 24 * time.Hour, Close: 365 * 24 * time.Hour}
	return access.Decide(&f, request, end.Add(-time.Second)).Effect == access.Allow
}

// openOrAsk decides: by opening the lease for the first token, and by asking it for the next.
func (s *Issuer) openOrAsk(right *right, key rightKey, r MintRequest, d project.Declared, now time.Time) error {
	if until, revoked := s.revoked.until(key.id(), now); revoked {
		return problem.New(problem.Denied, "Not allowed: the right to get tokens for %s was revoked. It can be had again after %s.",
			d.Audience.Name, until.UTC().Format(time.RFC3339))
	}
	if right.lease != nil {
		switch reason := right.lease.Reason(); {
		case reason.IsZero() && right.lease.Request.IP == r.IP:
			return right.lease.Ask(identity.TokenMint, key.audience)
		case reason.Code == access.Revoked: // and s.revoked will know in a moment
			return problem.Wrap(reason, problem.Denied, "Not allowed: the right to get tokens for %s was revoked.", d.Audience.Name)
		}
	}
	// The right outlives the request that it is first asked for by.
	_, lease, err := s.c.Mint.Access.Open(context.Background(), asks(r, d), func(why access.Reason) {
		if why.Code == access.Revoked {
			s.forsake(key)
		}
	})
	if why := (access.Reason{}); errors.As(err, &why) && why.Code == access.Revoked { // before it was handed out
		s.forsake(key)
	}
	if err != nil {
		return err
	}
	if right.lease != nil { // it was asked for from elsewhere, or was cut
		right.lease.End()
	}
	right.lease = lease
	return nil
}

// forsake notes that a right was revoked: what was got by it is not active any more, at any replica. That another replica has
// given tokens by it too, which end later, is not known here, so it is for as long as any token may live.
func (s *Issuer) forsake(key rightKey) {
	now := s.c.Now()
	if _, known := s.revoked.until(key.id(), now); known { // at another replica
		return
	}
	_ = s.revokeUntil(context.Background(), key.id(), now.Add(project.MaxTokenLife)) // it says so itself, and holds here
}

// cutRevoked ends the leases, here, of rights that another replica has revoked.
func (s *Issuer) cutRevoked() {
	now := s.c.Now()
	for key, right := range s.rights.all() {
		if _, revoked := s.revoked.until(key.id(), now); !revoked {
			continue
		}
		right.mu.Lock()
		lease := right.lease
		right.mu.Unlock()
		if lease != nil {
			s.c.Mint.Access.Revoke(lease.ID, access.Reason{Code: access.Revoked, Text: "it was revoked"})
		}
	}
}

// of finds a right, or begins one.
func (h *rights) of(key rightKey) *right {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held == nil {
		h.held = map[rightKey]*right{}
	}
	if h.held[key] == nil {
		h.held[key] = &right{}
	}
	return h.held[key]
}

// all are the rights that are held.
func (h *rights) all() map[rightKey]*right {
	h.mu.Lock()
	defer h.mu.Unlock()
	return maps.Clone(h.held)
}

// leaseOf is the lease of a right that is held; nil for none.
func (h *rights) leaseOf(key rightKey) *access.Lease {
	h.mu.Lock()
	right := h.held[key]
	h.mu.Unlock()
	if right == nil {
		return nil
	}
	right.mu.Lock()
	defer right.mu.Unlock()
	return right.lease
}

// keep sees to it that a right ends with its last token; one that gave none ends at once. The caller holds the right.
func (h *rights) keep(key rightKey, r *right, now func() time.Time) {
	if r.until.IsZero() {
		if r.lease != nil {
			r.lease.End()
		}
		h.drop(key, r)
		return
	}
	if r.timer == nil {
		r.timer = time.AfterFunc(r.until.Sub(now()), func() { h.lapse(key, r, now) })
	}
}

func (h *rights) lapse(key rightKey, r *right, now func() time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if left := r.until.Sub(now()); left > 0 {
		r.timer.Reset(left)
		return
	}
	r.lease.End()
	h.drop(key, r)
}

func (h *rights) drop(key rightKey, r *right) {
	r.over = true
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.held[key] == r {
		delete(h.held, key)
	}
}

// earliest is the first of some moments; the zero one is never.
func earliest(all ...time.Time) (first time.Time) {
	for _, at := range all {
		if first.IsZero() || !at.IsZero() && at.Before(first) {
			first = at
		}
	}
	return first
}
