package store

import (
	"context"
	"database/sql"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
)

var groupProjects = table{name: "group_projects", key: []string{"id"}, columns: []string{"id", "name", "closed", "closed_why"}}

// SaveGroupProjects stores what became of projects that are made of groups.
func (s *Store) SaveGroupProjects(ctx context.Context, changes []project.GroupChange, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	return s.change(ctx, "save projects made of groups", e, events, func(tx *sql.Tx) error {
		for _, c := range changes { // who is forgotten makes room for another of the same name
			if c.What == project.Forgotten {
				if _, err := tx.ExecContext(ctx, `DELETE FROM group_projects WHERE id = $1`, string(c.Project.ID)); err != nil {
					return err
				}
			}
			if _, err := tx.ExecContext(ctx, `DELETE FROM group_project_groups WHERE project = $1`, string(c.Project.ID)); err != nil {
				return err
			}
		}
		for _, c := range changes {
			if c.What == project.Forgotten {
				continue
			}
			p := c.Project
			if err := upsertMany(ctx, tx, groupProjects, [][]any{{string(p.ID), p.Name, micro(p.Closed), p.Why}}); err != nil {
				return err
			}
			for role, g := range p.Groups {
				if _, err := tx.ExecContext(ctx, `INSERT INTO group_project_groups (project, role, tenant, object) VALUES ($1, $2, $3, $4)`,
					string(p.ID), string(role), string(g.Tenant), g.Object); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// LoadGroupProjects returns the projects that are made of groups, by name.
func (s *Store) LoadGroupProjects(ctx context.Context) (all []project.GroupProject, err error) {
	err = s.inSnapshot(ctx, "load projects made of groups", func(tx *sql.Tx) error {
		at := map[identity.ProjectID]int{}
		if all, err = queryAll(ctx, tx, func(scan func(...any) error) (p project.GroupProject, err error) {
			var closed int64
			err = scan(&p.ID, &p.Name, &closed, &p.Why)
			p.Closed, p.Groups = fromMicro(closed), map[project.Role]identity.GroupID{}
			return p, err
		}, `SELECT id, name, closed, closed_why FROM group_projects ORDER BY name`); err != nil {
			return err
		}
		for i := range all {
			at[all[i].ID] = i
		}
		_, err = queryAll(ctx, tx, func(scan func(...any) error) (none struct{}, err error) {
			var id identity.ProjectID
			var role project.Role
			var g identity.GroupID
			if err := scan(&id, &role, &g.Tenant, &g.Object); err != nil {
				return none, err
			}
			if i, ok := at[id]; ok {
				all[i].Groups[role] = g
			}
			return none, nil
		}, `SELECT project, role, tenant, object FROM group_project_groups`)
		return err
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}
