package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/feed"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
)

// SaveRevision stores a revision whose number nobody has used, with the names and pins that it adds. Names and pins
// are for ever: giving one a second meaning is a conflict, and nothing is stored.
func (s *Store) SaveRevision(ctx context.Context, r project.Revision, names []project.Name, pins []project.Pin, e feed.Entry, events ...audit.Event) (feed.Seq, error) {
	projects, err := json.Marshal(r.Projects)
	if err != nil {
		return 0, failed(err, "save a revision")
	}
	policies, err := json.Marshal(r.Policies)
	if err != nil {
		return 0, failed(err, "save a revision")
	}
	return s.change(ctx, "save a revision", e, events, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `INSERT INTO project_revisions (number, at, projects, policies) VALUES ($1, $2, $3, $4)`,
			r.Number, micro(r.At), string(projects), string(policies)); err != nil {
			return err
		}
		for _, n := range names {
			if err := addName(ctx, tx, n); err != nil {
				return err
			}
		}
		for _, p := range pins {
			if err := addPin(ctx, tx, p); err != nil {
				return err
			}
		}
		return nil
	})
}

func addName(ctx context.Context, tx *sql.Tx, n project.Name) error {
	var have identity.ProjectID
	err := tx.QueryRowContext(ctx, `INSERT INTO project_names (name, id) VALUES ($1, $2)
		ON CONFLICT (name) DO UPDATE SET id = project_names.id RETURNING id`, n.Name, string(n.ID)).Scan(&have)
	if err == nil && have != n.ID {
		return problem.New(problem.Conflict, "The project name %q belongs to another project already.", n.Name)
	}
	return err
}

func addPin(ctx context.Context, tx *sql.Tx, p project.Pin) error {
	var have identity.GroupID
	err := tx.QueryRowContext(ctx, `INSERT INTO project_pins (name, tenant, object) VALUES ($1, $2, $3)
		ON CONFLICT (name) DO UPDATE SET tenant = project_pins.tenant RETURNING tenant, object`,
		p.Name, string(p.Group.Tenant), p.Group.Object).Scan(&have.Tenant, &have.Object)
	if err == nil && have != p.Group {
		return problem.New(problem.Conflict, "The group name %q is pinned to another group already.", p.Name)
	}
	return err
}

// LoadProjects returns the latest revision, zero when there is none, all names and pins, and the feed's number at
// which they held.
func (s *Store) LoadProjects(ctx context.Context) (r project.Revision, names []project.Name, pins []project.Pin, seq feed.Seq, err error) {
	err = s.inSnapshot(ctx, "load projects", func(tx *sql.Tx) error {
		if seq, err = feedHead(ctx, tx); err != nil {
			return err
		}
		if r, err = latestRevision(ctx, tx); err != nil {
			return err
		}
		if names, err = queryAll(ctx, tx, func(scan func(...any) error) (n project.Name, err error) {
			err = scan(&n.Name, &n.ID)
			return n, err
		}, `SELECT name, id FROM project_names ORDER BY name`); err != nil {
			return err
		}
		pins, err = queryAll(ctx, tx, func(scan func(...any) error) (p project.Pin, err error) {
			err = scan(&p.Name, &p.Group.Tenant, &p.Group.Object)
			return p, err
		}, `SELECT name, tenant, object FROM project_pins ORDER BY name`)
		return err
	})
	if err != nil {
		return project.Revision{}, nil, nil, 0, err
	}
	return r, names, pins, seq, nil
}

func latestRevision(ctx context.Context, tx *sql.Tx) (r project.Revision, err error) {
	var at int64
	var projects, policies string
	err = tx.QueryRowContext(ctx, `SELECT number, at, projects, policies FROM project_revisions ORDER BY number DESC LIMIT 1`).
		Scan(&r.Number, &at, &projects, &policies)
	if errors.Is(err, sql.ErrNoRows) {
		return project.Revision{}, nil
	}
	if err != nil {
		return r, err
	}
	r.At = fromMicro(at)
	return r, errors.Join(json.Unmarshal([]byte(projects), &r.Projects), json.Unmarshal([]byte(policies), &r.Policies))
}
