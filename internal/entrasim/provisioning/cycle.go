package provisioning

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
)

// userLink is a user as it was provisioned. A worker changes it while it holds the user; others wait for the end of the
// users' part of the cycle.
type userLink struct {
	target    string
	manager   string // at the endpoint
	roles     string // roleKey
	active    bool
	unmanaged bool // left the scope: disabled and no longer followed
}

// groupLink is a group as it was provisioned.
type groupLink struct {
	target  string
	members map[string]string // source object ID → ID at the endpoint
	stale   bool              // a member's ID at the endpoint became another
}

// Cycle provisions what changed since the last one; the first one, and the one after Restart, is about everything. What
// fails for one object does not stop it; an endpoint that refuses the service altogether does.
func (s *Service) Cycle(ctx context.Context) error {
	c, settings, end, err := s.session(ctx)
	if err != nil {
		return err
	}
	defer end()
	v, err := s.view(settings)
	if err != nil {
		return err
	}
	s.mu.Lock()
	if s.status.State == Disabled {
		s.mu.Unlock()
		return fmt.Errorf("the job is disabled after four weeks in quarantine; restart it")
	}
	since, retry := s.watermark, s.retry
	s.retry = map[string]struct{}{}
	s.status.Changes, s.status.Failures = 0, 0
	s.mu.Unlock()

	looked, err := c.everything(ctx, v, since, retry)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.watermark = v.Seq
	} else {
		maps.Copy(s.retry, retry)
	}
	if ctx.Err() == nil {
		s.finished(looked, err)
	}
	return err
}

// everything goes through users, managers and groups, in this order, so that what is referred to is there.
func (c *client) everything(ctx context.Context, v *view, since int64, retry map[string]struct{}) (looked int, err error) {
	again := func(id string) bool { _, failed := retry[id]; return failed }
	var users, groups []string
	for id, u := range v.Users {
		if u.Changed > since || again(id) || c.userMoved(v, id) {
			users = append(users, id)
		}
	}
	if err := c.each(ctx, users, func(ctx context.Context, id string) error { return c.user(ctx, v, id) }); err != nil {
		return len(users), err
	}
	if c.settings.Users.Manager {
		if err := c.each(ctx, users, func(ctx context.Context, id string) error { return c.manager(ctx, v, id) }); err != nil {
			return len(users), err
		}
	}
	for id, g := range v.Groups {
		if g.Changed > since || again(id) || c.groupMoved(v, id) {
			groups = append(groups, id)
		}
	}
	// Groups in groups: all are made before members are sent.
	made := func(ctx context.Context, id string) error { return c.group(ctx, v, id) }
	filled := func(ctx context.Context, id string) error { return c.members(ctx, v, id) }
	if err := c.each(ctx, groups, made); err != nil {
		return len(users) + len(groups), err
	}
	return len(users) + len(groups), c.each(ctx, groups, filled)
}

// userMoved reports whether a user who did not change came into the scope, left it, or has other roles.
func (c *client) userMoved(v *view, id string) bool {
	link, u := c.s.userLink(id), v.Users[id]
	if u.Recycled || u.Purged {
		return false
	}
	in := v.userInScope(id)
	if link == nil {
		return in && u.AccountEnabled
	}
	return in == link.unmanaged || in && c.settings.Roles != NoRoles && link.roles != roleKey(v.rolesOf(id))
}

func (c *client) groupMoved(v *view, id string) bool {
	link := c.s.groupLink(id)
	in := v.groupInScope(id) && !v.Groups[id].Deleted
	return in != (link != nil) || link != nil && link.stale
}

// each runs f over object IDs by several workers, until one error concerns everything.
func (c *client) each(ctx context.Context, ids []string, f func(context.Context, string) error) error {
	slices.SortFunc(ids, cmp.Compare)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range min(c.settings.Workers, len(ids)) {
		workers.Go(func() {
			for {
				at := int(next.Add(1)) - 1
				if at >= len(ids) || ctx.Err() != nil {
					return
				}
				if err := f(ctx, ids[at]); err != nil {
					cancel(err)
				}
			}
		})
	}
	workers.Wait()
	return context.Cause(ctx)
}

// outcome notes what became of an object and returns the errors that concern all of them.
func (c *client) outcome(ctx context.Context, r Record, err error) error {
	r.Outcome = Success
	if err != nil {
		r.Outcome, r.Detail = Failure, err.Error()
	}
	c.s.note(r)
	if refusedAltogether(err) || ctx.Err() != nil {
		return err
	}
	return nil
}

func (s *Service) userLink(id string) *userLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.users[id]
}

func (s *Service) groupLink(id string) *groupLink {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.groups[id]
}

// conflicted reports whether an error is a uniqueness conflict.
func conflicted(err error) bool { return answered(err, http.StatusConflict) }
