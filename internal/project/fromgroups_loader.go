package project

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// settleEvery is how often it is looked whether a closed project's time is up, while the groups stay the same.
const settleEvery = 5 * time.Second

// settlement is when projects were last made of groups, of which set and which directory.
type settlement struct {
	at     time.Time
	of     *Set
	groups Groups
}

// stored are the projects made of groups as the store holds them.
func (l *Loader) stored() []GroupProject {
	if set := l.set(); set != nil {
		return set.groupProjects
	}
	return slices.Clone(l.config.GroupProjects)
}

// settle stores what became of the projects that are made of groups.
func (l *Loader) settle(ctx context.Context) error {
	current, groups, now := l.set(), l.groups(), l.config.Now()
	if current == nil || l.config.FromGroups == nil || l.config.Settle == nil {
		return nil
	}
	if l.settled.of == current && sameGroups(groups, l.settled.groups) && now.Sub(l.settled.at) < settleEvery {
		return nil
	}
	changes := current.settle(groups, now, l.config.Kept)
	if len(changes) > 0 {
		next := current.with(changes, groups)
		if err := l.config.Settle(ctx, changes, next); err != nil {
			return fmt.Errorf("storing what became of projects made of groups: %w", err)
		}
		for _, c := range changes {
			l.config.Log.InfoContext(ctx, "a project made of groups was "+c.What, "project", c.Project.Name, "id", c.Project.ID, "why", c.Why)
		}
		l.mu.Lock()
		l.current = next
		l.mu.Unlock()
		current = next
	}
	l.settled = settlement{at: now, of: current, groups: groups}
	return nil
}
