package server

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/policy"
	"github.com/lanyardhq/lanyard/internal/project"
)

// configuration keeps projects and policies: what the store holds is in force first, then what the folders say. One
// replica reads the folders into numbered revisions, and the others follow those.
type configuration struct {
	s       *Server
	settled chan struct{}
	settle  func() // closes settled: the folders were looked at with the directory at hand, or somebody else does that
}

func newConfiguration(s *Server) *configuration {
	c := &configuration{s: s, settled: make(chan struct{})}
	c.settle = sync.OnceFunc(func() { close(c.settled) })
	return c
}

// load puts the stored revision in force. Who leads looks at the folders once, so that what starts with bad files
// starts with the last good ones.
func (c *configuration) load(ctx context.Context) error {
	loader, revision, err := c.loader(ctx)
	if err != nil || !c.s.leading() {
		return err
	}
	if err := loader.Look(ctx); err != nil && revision == 0 {
		return err // the very first state is bad: there is nothing to go on with
	}
	return nil
}

// loader puts the stored revision in force and makes a reader of the folders that goes on from it.
func (c *configuration) loader(ctx context.Context) (l *project.Loader, stored int64, err error) {
	s := c.s
	revision, names, pins, seq, err := s.store.LoadProjects(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("load projects and policies: %w", err)
	}
	made, err := s.store.LoadGroupProjects(ctx)
	if err != nil {
		return nil, 0, fmt.Errorf("load projects and policies: %w", err)
	}
	if revision.Number > 0 {
		if err := c.force(revision, names, pins, made, seq); err != nil {
			s.log.Error("the stored projects and policies cannot be read by this version; the files decide", "error", err)
		}
	}
	return project.NewLoader(project.LoaderConfig{
		Projects: s.options.Projects, Policies: s.options.Policies, Tenant: s.options.Tenant.ID, Global: s.options.Global,
		Groups:   func() project.Groups { return groups{s.directory.Snapshot()} },
		Revision: revision, Names: names, Pins: pins, Apply: c.apply, Log: s.log,
		Rebound:    func(set *project.Set) { c.publish(set, nil, 0) },
		FromGroups: s.options.FromGroups, GroupProjects: made, Settle: c.settleGroups, Kept: s.keptIn,
	}), revision.Number, nil
}

// reload follows a revision that another replica stored.
func (c *configuration) reload(ctx context.Context) error {
	revision, names, pins, seq, err := c.s.store.LoadProjects(ctx)
	if err != nil {
		return fmt.Errorf("load projects and policies: %w", err)
	}
	made, err := c.s.store.LoadGroupProjects(ctx) // not older than the number, so what is missed is followed
	if err != nil {
		return fmt.Errorf("load projects and policies: %w", err)
	}
	return c.force(revision, names, pins, made, seq)
}

func (c *configuration) force(r project.Revision, names []project.Name, pins []project.Pin, made []project.GroupProject, seq feed.Seq) error {
	result, err := project.Parse(project.Input{
		Revision: r, Names: names, Pins: pins, Tenant: c.s.options.Tenant.ID, Groups: groups{c.s.directory.Snapshot()},
		Global: c.s.options.Global, FromGroups: c.s.options.FromGroups, GroupProjects: made,
	})
	if err != nil {
		return err
	}
	policies, err := project.ParsePolicies(c.s.options.Tenant.ID, r)
	if err != nil {
		return err
	}
	c.publish(result.Set, policies, seq)
	return nil
}

// apply stores what the loader accepted and puts it in force.
func (c *configuration) apply(ctx context.Context, change project.Change) error {
	seq, err := c.s.store.Fenced(c.s.replica.lead.Held).SaveRevision(ctx, change.Revision, change.Names, change.Pins, feed.Entry{Topic: feed.Projects}, audit.Event{
		Time: change.Revision.At, Action: "project:change", Outcome: audit.Done, Actor: "service:configuration",
		Detail: map[string]any{"revision": change.Revision.Number, "files": len(change.Revision.Projects) + len(change.Revision.Policies)},
	})
	if err != nil {
		return err
	}
	c.publish(change.Projects, change.Policies, seq)
	return nil
}

// publish puts projects, and policies where they are given, in force; everything that is open is decided again. Groups
// that are named are looked up in the directory that decisions read, which may be newer than the one they were read with.
func (c *configuration) publish(set *project.Set, policies *policy.Set, seq feed.Seq) {
	c.s.binding.Lock()
	defer c.s.binding.Unlock()
	set, _ = set.Rebind(groups{c.s.engine.Facts().Directory})
	c.s.engine.Publish(func(f access.Facts) access.Facts {
		f.Projects = set
		if policies != nil {
			f.Policies = policies
		}
		return later(f, seq)
	}, access.Touched{All: true})
}

// patience is how long a start waits for the directory before it says that it is ready without it.
const patience = time.Second

// lead reads the folders until ctx ends. It looks at once when the directory was read for the first time: groups that
// are named wait for that.
func (c *configuration) lead(ctx context.Context, directory <-chan struct{}) {
	var loader *project.Loader
	for loader == nil { // what another replica stored last is where this one goes on
		var err error
		if loader, _, err = c.loader(ctx); err == nil {
			break
		}
		c.s.log.Error("the folders of projects and policies wait for the database", "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Second):
		}
	}
	timer := time.NewTimer(patience)
	select {
	case <-ctx.Done():
	case <-directory:
	case <-timer.C:
	}
	timer.Stop()
	_ = loader.Look(ctx) // reported already
	c.settle()
	loader.Run(ctx)
}

// await settles where another replica reads the folders: there is a revision in force, or patience ends.
func (c *configuration) await(ctx context.Context) {
	for end := time.Now().Add(4 * patience); ctx.Err() == nil; {
		if !c.s.leading() && (c.s.engine.Facts().Projects.Revision() > 0 || time.Now().After(end)) {
			c.settle()
			return
		}
		select {
		case <-c.settled:
			return
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// groups shows a snapshot of the directory as the bindings of projects read it.
type groups struct{ *directory.Snapshot }

// Ready reports whether the directory has ever been read.
func (g groups) Ready() bool { return !g.AsOf().IsZero() }

// Group implements project.Groups.
func (g groups) Group(id identity.GroupID) (project.Group, bool) {
	row, ok := g.Snapshot.Group(id)
	if !ok {
		return project.Group{}, false
	}
	return project.Group{ID: row.ID, Name: row.Name, Assigned: row.Assigned, Security: row.Security}, true
}

// AssignedGroups implements project.Groups.
func (g groups) AssignedGroups(name string) []project.Group {
	var found []project.Group
	for _, row := range g.Snapshot.AssignedGroups(name) {
		found = append(found, project.Group{ID: row.ID, Name: row.Name, Assigned: row.Assigned, Security: row.Security})
	}
	return found
}

// Assigned implements project.Groups. Who holds an app role is no group that bears a name.
func (g groups) Assigned() iter.Seq[project.Group] {
	return func(yield func(project.Group) bool) {
		for row := range g.AllGroups() {
			if _, role := row.ID.AppRole(); role || !row.Assigned {
				continue
			}
			if !yield(project.Group{ID: row.ID, Name: row.Name, Assigned: row.Assigned, Security: row.Security}) {
				return
			}
		}
	}
}
