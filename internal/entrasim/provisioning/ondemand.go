package provisioning

import (
	"context"
	"fmt"
	"slices"
)

// onDemandMembers is how many members of a group are provisioned on demand.
const onDemandMembers = 5

// User provisions one user (by object ID or user principal name) now. It neither deletes nor sends roles, and speaks the
// default dialect whatever the tenant URL says.
func (s *Service) User(ctx context.Context, who string) error {
	return s.onDemand(ctx, func(c *client, v *view) error {
		for id, u := range v.Users {
			if (id != who && u.UserPrincipalName != who) || u.Purged {
				continue
			}
			if !v.userInScope(id) && s.userLink(id) == nil {
				return fmt.Errorf("%s is not in the scope of provisioning", u.UserPrincipalName)
			}
			if err := c.user(ctx, v, id); err != nil || !c.settings.Users.Manager {
				return err
			}
			return c.manager(ctx, v, id)
		}
		return fmt.Errorf("the tenant has no user %s", who)
	})
}

// Group provisions one group (by object ID or name) now, with the members that are named (by object ID), five at most.
func (s *Service) Group(ctx context.Context, which string, members ...string) error {
	if len(members) > onDemandMembers {
		return fmt.Errorf("on demand, %d members of a group are provisioned at most", onDemandMembers)
	}
	return s.onDemand(ctx, func(c *client, v *view) error {
		for id, g := range v.Groups {
			if (id != which && g.DisplayName != which) || g.Deleted {
				continue
			}
			if !v.groupInScope(id) {
				return fmt.Errorf("%s is not in the scope of provisioning", g.DisplayName)
			}
			for _, m := range members {
				if _, user := v.Users[m]; user && slices.Contains(g.Members, m) {
					if err := c.user(ctx, v, m); err != nil {
						return err
					}
				}
			}
			if err := c.group(ctx, v, id); err != nil {
				return err
			}
			return c.chosenMembers(ctx, g.Members, id, members)
		}
		return fmt.Errorf("the tenant has no group %s", which)
	})
}

// chosenMembers adds the members that were named; it takes none away.
func (c *client) chosenMembers(ctx context.Context, are []string, group string, named []string) error {
	link := c.s.groupLink(group)
	if link == nil {
		return nil // why is in the log
	}
	var came []string
	for _, m := range named {
		if target := c.target(m); target != "" && link.members[m] != target && slices.Contains(are, m) {
			came = append(came, m)
		}
	}
	_, err := c.batches(ctx, link, came, c.dialect.addMembers, c.target, func(m string) { link.members[m] = c.target(m) })
	return err
}

func (s *Service) onDemand(ctx context.Context, f func(*client, *view) error) error {
	c, settings, end, err := s.session(ctx)
	if err != nil {
		return err
	}
	defer end()
	c.dialect.modern, c.settings.Roles = false, NoRoles
	v, err := s.view(settings)
	if err != nil {
		return err
	}
	before := s.Status().Failures
	if err := f(c, v); err != nil {
		return err
	}
	if s.Status().Failures > before {
		records := s.Log()
		return fmt.Errorf("not provisioned: %s", records[len(records)-1].Detail)
	}
	return nil
}
