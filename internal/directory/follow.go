package directory

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// PartRows are Rows that can read a part: the users and groups with these IDs that there are, with all members of these
// groups, from one consistent read.
type PartRows interface {
	ReadDirectory(ctx context.Context, users []identity.UserID, groups []identity.GroupID) (Change, error)
}

// Follow takes over what another process stored: the records that the entry names, or everything when it names none.
func (d *Directory) Follow(ctx context.Context, e feed.Entry) error {
	if e.Topic != feed.Directory {
		return nil
	}
	rows, ok := d.rows.(PartRows)
	// A key whose tenant is an issuer's URL does not say where that ends.
	if !ok || len(e.Keys) == 0 || slices.ContainsFunc(e.Keys, func(key string) bool { return strings.Contains(key, "://") }) {
		return d.reload(ctx, false)
	}
	select {
	case d.io <- struct{}{}:
		defer func() { <-d.io }()
	case <-ctx.Done():
		return fmt.Errorf("follow the directory: %w", ctx.Err())
	}
	var users []identity.UserID
	var groups []identity.GroupID
	for _, key := range e.Keys { // a key does not say which of the two it is of
		tenant, object, _ := strings.Cut(key, "/")
		users = append(users, identity.UserID{Tenant: identity.TenantID(tenant), Object: object})
		groups = append(groups, identity.GroupID{Tenant: identity.TenantID(tenant), Object: object})
	}
	found, err := rows.ReadDirectory(ctx, users, groups)
	if err != nil {
		return fmt.Errorf("follow the directory: %w", err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stored, _ = d.stored.With(replacing(d.stored, users, groups, found))
	d.target = d.stored
	for _, p := range d.waiting {
		d.target, _ = d.target.With(p.effect)
		maps.Copy(d.cursors, p.cursors)
	}
	d.seq = max(d.seq, e.Seq)
	d.show(d.allowed(), false)
	return nil
}

// replacing is the change that makes of s what was found of these users and groups.
func replacing(s *Snapshot, users []identity.UserID, groups []identity.GroupID, found Change) Change {
	c := Change{Users: found.Users, Groups: found.Groups, Members: found.Members}
	there := map[string]bool{}
	for _, u := range found.Users {
		there["u"+u.ID.Key()] = true
	}
	for _, g := range found.Groups {
		there["g"+g.ID.Key()] = true
	}
	for _, u := range users {
		if _, known := s.User(u); known && !there["u"+u.Key()] {
			c.GoneUsers = append(c.GoneUsers, u)
		}
	}
	blocked := map[identity.UserID]bool{}
	for _, b := range found.Blocks {
		blocked[b.User] = true
	}
	for _, u := range users {
		if s.blocked.has(u) != blocked[u] {
			c.Blocks = append(c.Blocks, Block{User: u, Removed: !blocked[u]})
		}
	}
	in := map[Membership]bool{}
	for _, m := range found.Members {
		in[m] = true
	}
	for _, g := range groups {
		if _, known := s.Group(g); known && !there["g"+g.Key()] {
			c.GoneGroups = append(c.GoneGroups, g)
			continue
		}
		for m := range s.Members(g) {
			if !in[Membership{Group: g, Member: m}] {
				c.Members = append(c.Members, Membership{Group: g, Member: m, Removed: true})
			}
		}
	}
	return c
}
