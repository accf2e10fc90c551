package provisioning

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
)

// group makes, changes or deletes one group; its members are [client.members].
func (c *client) group(ctx context.Context, v *view, objectID string) error {
	g, link := v.Groups[objectID], c.s.groupLink(objectID)
	in := v.groupInScope(objectID) && !g.Deleted
	r := Record{Kind: "Group", Source: objectID, Name: g.DisplayName}
	switch {
	case !in && link == nil:
		return nil
	case !in:
		r.Action, r.Target = Delete, link.target
		err := c.remove(ctx, "Groups", link.target)
		if err == nil {
			c.s.unlinkGroup(objectID)
		}
		return c.outcome(ctx, r, err)
	case link == nil:
		return c.newGroup(ctx, v, objectID, r)
	}
	r.Action, r.Target = Update, link.target
	has, err := c.get(ctx, "Groups", link.target, "members")
	if answered(err, http.StatusNotFound) {
		c.s.unlinkGroup(objectID)
		r.Target = ""
		return c.newGroup(ctx, v, objectID, r)
	}
	if err != nil {
		return c.outcome(ctx, r, err)
	}
	return c.updateGroup(ctx, link.target, differences(has, c.settings.Groups.ofGroup(g.Group)), r)
}

func (c *client) newGroup(ctx context.Context, v *view, objectID string, r Record) error {
	r.Action = Create
	values := c.settings.Groups.ofGroup(v.Groups[objectID].Group)
	found, err := c.find(ctx, "Groups", c.settings.Groups.Match, c.settings.Groups.matching(values), "members")
	if err != nil {
		return c.outcome(ctx, r, err)
	}
	if found != nil {
		r.Action, r.Target = Update, id(found)
		if !c.s.linkGroup(objectID, r.Target) {
			return c.outcome(ctx, r, &answerError{Status: http.StatusConflict,
				Detail: fmt.Sprintf("another group of the tenant has the same %s and is provisioned to this one", c.settings.Groups.Match)})
		}
		return c.updateGroup(ctx, r.Target, differences(found, values), r)
	}
	schemas := []string{coreGroup, adGroup}
	if c.dialect.modern {
		schemas = schemas[:1]
	}
	resource := map[string]any{"schemas": schemas, "meta": map[string]any{"resourceType": "Group"}}
	for _, a := range values {
		if a.is != nil {
			put(resource, a.path, a.is)
			r.Changes = append(r.Changes, a.path)
		}
	}
	made, err := c.create(ctx, "Groups", resource)
	if err == nil {
		r.Target = id(made)
		c.s.linkGroup(objectID, r.Target)
	}
	return c.outcome(ctx, r, err)
}

func (c *client) updateGroup(ctx context.Context, target string, edits []edit, r Record) error {
	if len(edits) == 0 {
		return nil
	}
	for _, e := range edits {
		r.Changes = append(r.Changes, e.path)
	}
	return c.outcome(ctx, r, c.patch(ctx, "Groups", target, c.dialect.operations(edits)))
}

// members sends who came and who left, in batches. Members who are not provisioned are left out, and are not sent later
// unless the group changes again. Who is in the recycle bin stays, for when it is restored.
func (c *client) members(ctx context.Context, v *view, objectID string) error {
	g, link := v.Groups[objectID], c.s.groupLink(objectID)
	if link == nil {
		return nil
	}
	wanted := map[string]string{}
	for _, m := range g.Members {
		if target := c.target(m); target != "" {
			wanted[m] = target
		}
	}
	var came, left []string
	for m, target := range wanted {
		if link.members[m] != target {
			came = append(came, m)
		}
	}
	for m := range link.members {
		if wanted[m] == "" && !v.Users[m].Recycled {
			left = append(left, m)
		}
	}
	r := Record{Kind: "Group", Action: Update, Source: objectID, Target: link.target, Name: g.DisplayName, Changes: []string{"members"}}
	done, err := c.batches(ctx, link, left, c.dialect.removeMembers, func(m string) string { return link.members[m] }, func(m string) { delete(link.members, m) })
	if err == nil {
		var added bool
		added, err = c.batches(ctx, link, came, c.dialect.addMembers, func(m string) string { return wanted[m] }, func(m string) { link.members[m] = wanted[m] })
		done = done || added
	}
	if err == nil {
		link.stale = false
	}
	if err == nil && !done {
		return nil
	}
	return c.outcome(ctx, r, err)
}

// batches sends one PATCH for each batch of members.
func (c *client) batches(ctx context.Context, link *groupLink, members []string, say func([]string) []operation, target func(string) string, sent func(string)) (done bool, err error) {
	slices.Sort(members)
	for batch := range slices.Chunk(members, c.settings.MemberBatch) {
		ids := make([]string, len(batch))
		for i, m := range batch {
			ids[i] = target(m)
		}
		if err := c.patch(ctx, "Groups", link.target, say(ids)); err != nil {
			return done, err
		}
		for _, m := range batch {
			sent(m)
		}
		done = true
	}
	return done, nil
}

// target is where a user or group is at the endpoint; empty: nowhere.
func (c *client) target(objectID string) string {
	if link := c.s.userLink(objectID); link != nil && !link.unmanaged {
		return link.target
	}
	if link := c.s.groupLink(objectID); link != nil {
		return link.target
	}
	return ""
}

func (s *Service) linkGroup(objectID, target string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if owner, taken := s.owners[target]; taken && owner != objectID {
		return false
	}
	s.owners[target] = objectID
	s.groups[objectID] = &groupLink{target: target, members: map[string]string{}}
	return true
}

func (s *Service) unlinkGroup(objectID string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if link := s.groups[objectID]; link != nil {
		delete(s.owners, link.target)
	}
	delete(s.groups, objectID)
	for _, g := range s.groups {
		if _, member := g.members[objectID]; member {
			delete(g.members, objectID)
			g.stale = true
		}
	}
}

// Targets are the IDs at the endpoint of the users and groups that are provisioned, by their object IDs.
func (s *Service) Targets() map[string]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make(map[string]string, len(s.users)+len(s.groups))
	for objectID, l := range s.users {
		out[objectID] = l.target
	}
	for _, objectID := range slices.Sorted(maps.Keys(s.groups)) {
		out[objectID] = s.groups[objectID].target
	}
	return out
}
