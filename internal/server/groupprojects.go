package server

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

// settleGroups stores what became of projects that are made of groups and puts the set in force.
func (c *configuration) settleGroups(ctx context.Context, changes []project.GroupChange, set *project.Set) error {
	events := make([]audit.Event, len(changes))
	for i, change := range changes {
		p := change.Project
		groups := map[string]string{}
		for role, g := range p.Groups {
			groups[string(role)] = g.Object
		}
		events[i] = audit.Event{
			Time: time.Now(), Action: "project:" + change.What, Outcome: audit.Done, Actor: "service:directory", Project: p.Name,
			Resource: "project " + p.Name, Reasons: []string{change.Why}, Detail: map[string]any{"id": string(p.ID), "groups": groups},
		}
	}
	seq, err := c.s.store.Fenced(c.s.replica.lead.Held).SaveGroupProjects(ctx, changes, feed.Entry{Topic: feed.Projects}, events...)
	if err != nil {
		return err
	}
	c.publish(set, nil, seq)
	return nil
}

// keptIn reports whether workspaces of a project are left, on whichever node.
func (s *Server) keptIn(id identity.ProjectID) bool {
	for _, row := range s.workspaces.List() {
		if row.Project == id {
			return true
		}
	}
	return false
}

// keepEvery is how often it is looked whether projects closed. What was open in one is closed at once, by the facts; this
// is about processes and files.
const keepEvery = time.Second

// keepClosed stops this node's workspaces of projects that closed, and deletes those whose time is up.
func (s *Server) keepClosed(ctx context.Context) {
	from := s.options.FromGroups
	if from == nil {
		return
	}
	tick := time.NewTicker(keepEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, p := range s.engine.Facts().Projects.All() {
			if p.Closed == "" || p.ClosedAt.IsZero() { // as long as it is not stored, a slip of the directory undoes it
				continue
			}
			why := "the project " + p.Name + " is closed: " + p.Closed
			s.workspaces.StopIn(ctx, p.ID, why)
			if time.Since(p.ClosedAt) >= from.Keep {
				s.workspaces.DeleteIn(ctx, p.ID, why+"; it was kept for "+from.Keep.String())
			}
		}
	}
}
