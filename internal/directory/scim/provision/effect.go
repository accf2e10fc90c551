package provision

import (
	"context"
	"maps"
	"slices"
	"sync"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
)

// effect is what waits to be made of the directory.
type effect struct {
	wake chan struct{}

	mu      sync.Mutex
	waiting touched
	waiters []chan struct{} // closed when what waited is in force
}

func newEffect() *effect { return &effect{wake: make(chan struct{}, 1), waiting: newTouched()} }

func (e *effect) add(t touched, done chan struct{}) {
	e.mu.Lock()
	e.waiting.merge(t)
	if done != nil {
		e.waiters = append(e.waiters, done)
	}
	e.mu.Unlock()
	select {
	case e.wake <- struct{}{}:
	default:
	}
}

func (e *effect) take() (touched, []chan struct{}) {
	e.mu.Lock()
	defer e.mu.Unlock()
	t, waiters := e.waiting, e.waiters
	e.waiting, e.waiters = newTouched(), nil
	return t, waiters
}

// changeOf is what the facts make of the directory for those who are touched; all of it for everybody.
func (s *Service) changeOf(ctx context.Context, t touched) (directory.Change, error) {
	if t.all {
		return s.whole(ctx, s.c.Members)
	}
	users := slices.Sorted(maps.Keys(t.users))
	if !s.c.Members {
		f, err := s.c.Rows.SCIMFacts(ctx, users, nil, nil)
		if err != nil {
			return directory.Change{}, err
		}
		return directory.Change{Blocks: s.blocks(users, f)}, nil
	}
	groups := slices.Sorted(maps.Keys(t.groups))
	now := s.c.Directory.Snapshot()
	var whole []string // groups of which the directory knows no member
	for _, g := range groups {
		if _, known := now.Group(s.group(g)); !known {
			whole = append(whole, g)
		}
	}
	f, err := s.c.Rows.SCIMFacts(ctx, users, groups, whole)
	if err != nil {
		return directory.Change{}, err
	}
	c := s.records(f)
	c.Blocks = s.blocks(users, f)
	there := map[string]bool{}
	for _, r := range f.Users {
		there["user"+r.Object] = true
	}
	for _, r := range f.Groups {
		there["group"+r.Object] = true
	}
	have := map[directory.Membership]bool{}
	for _, m := range c.Members {
		have[m] = true
	}
	lacks := func(m directory.Member) {
		for _, g := range now.DirectlyIn(m) {
			if !have[directory.Membership{Group: g, Member: m}] {
				c.Members = append(c.Members, directory.Membership{Group: g, Member: m, Removed: true})
			}
		}
	}
	for _, u := range users {
		if !there["user"+u] && s.c.Users {
			c.GoneUsers = append(c.GoneUsers, s.user(u))
		}
		lacks(directory.Member{User: s.user(u)})
	}
	for _, g := range groups {
		if !there["group"+g] {
			c.GoneGroups = append(c.GoneGroups, s.group(g))
		}
		lacks(directory.Member{Group: s.group(g)})
	}
	return c, nil
}

// whole is all that the provisioning service says, as a reset of what it is the one to say.
func (s *Service) whole(ctx context.Context, members bool) (directory.Change, error) {
	f, err := s.c.Rows.AllSCIMFacts(ctx, members)
	if err != nil {
		return directory.Change{}, err
	}
	c := directory.Change{}
	if members {
		c = s.records(f)
		c.Reset |= directory.GroupPart
		if s.c.Users {
			c.Reset |= directory.UserPart
		}
	}
	c.Reset |= directory.BlockPart
	for _, r := range f.Users {
		if !r.Active {
			c.Blocks = append(c.Blocks, directory.Block{User: s.user(r.Object)})
		}
	}
	for _, gone := range f.Gone {
		c.Blocks = append(c.Blocks, directory.Block{User: s.user(gone)})
	}
	return c, nil
}

// records are users, groups, memberships and app roles as the facts have them. A disabled user's memberships stay: Entra
// does not send them again when the user is enabled.
func (s *Service) records(f Facts) directory.Change {
	var c directory.Change
	for _, r := range f.Groups {
		// What is provisioned is assigned to the provisioning application, so a configuration may name it.
		c.Groups = append(c.Groups, directory.Group{ID: s.group(r.Object), Name: r.Name, Security: true, Assigned: true})
	}
	roles := map[string]bool{}
	for _, r := range f.Users {
		u := s.user(r.Object)
		if s.c.Users {
			c.Users = append(c.Users, directory.User{ID: u, Name: shownName(r), UserName: r.Name, Mail: r.Mail, Enabled: r.Active})
		}
		for _, role := range r.Roles {
			g := identity.AppRole(s.c.Tenant, role)
			if !roles[role] {
				roles[role] = true
				c.Groups = append(c.Groups, directory.Group{ID: g, Name: "app role " + role})
			}
			c.Members = append(c.Members, directory.Membership{Group: g, Member: directory.Member{User: u}})
		}
	}
	for _, p := range f.Members {
		m := directory.Member{User: s.user(p.Member)}
		if p.Kind == GroupKind {
			m = directory.Member{Group: s.group(p.Member)}
		}
		c.Members = append(c.Members, directory.Membership{Group: s.group(p.Group), Member: m})
	}
	return c
}

// blocks says of each user whether the provisioning service has them disabled, or deleted them.
func (s *Service) blocks(users []string, f Facts) []directory.Block {
	blocked := map[string]bool{}
	for _, gone := range f.Gone {
		blocked[gone] = true
	}
	for _, r := range f.Users {
		blocked[r.Object] = !r.Active
	}
	all := make([]directory.Block, 0, len(users))
	for _, u := range users {
		all = append(all, directory.Block{User: s.user(u), Removed: !blocked[u]})
	}
	return all
}

func shownName(r Row) string {
	if r.Display != "" {
		return r.Display
	}
	return r.Name
}

func (s *Service) user(object string) identity.UserID {
	return identity.UserID{Tenant: s.c.Tenant, Object: object}
}

func (s *Service) group(object string) identity.GroupID {
	return identity.GroupID{Tenant: s.c.Tenant, Object: object}
}
