package verbs

import (
	"cmp"
	"context"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

func (g *Gate) info(w http.ResponseWriter, r *http.Request) error {
	return g.serve(w, r, identity.WorkspaceList, nil, func(_ context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		return g.infoOf(ws)
	})
}

func (g *Gate) infoOf(ws workspace.Workspace) (agentapi.OwnInfo, error) {
	class, err := g.c.Class(ws)
	if err != nil { // the configuration has it no more; what it runs with is as it was started
		class = workspace.Class{Name: ws.Class}
	}
	p, _ := g.c.Facts().Projects.Project(ws.Project)
	disk, _ := g.c.Workspaces.DiskOf(ws.ID)
	return agentapi.OwnInfo{
		Disk: disk.Bytes,
		ID:   string(ws.ID), Name: ws.Name, Owner: ws.OwnerName, Project: p.Name, Repository: ws.Repository, Ref: ws.Ref,
		Context: cmp.Or(ws.Context, ws.Repository), Class: class.Name,
		Limits: agentapi.OwnLimits{CPUs: class.CPUs, Memory: class.Memory, Disk: class.Disk, Processes: class.Processes},
		Image:  ws.Image, Plan: ws.Plan, Snapshot: ws.Snapshot, Prebuild: ws.Prebuild, Warm: ws.Warm, Cold: ws.Cold, Phase: string(ws.Phase), Created: ws.Created,
		Timeout: g.timeoutOf(ws), Server: g.c.URL, URL: g.c.Terminal(ws.ID), PortURL: g.c.Port(ws.ID),
	}, nil
}

func (g *Gate) user(w http.ResponseWriter, r *http.Request) error {
	return g.serve(w, r, identity.WorkspaceList, nil, func(_ context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		f := g.c.Facts()
		u, ok := f.Directory.User(ws.Owner)
		if !ok {
			return nil, problem.New(problem.Denied, "Your account is no longer in the directory.")
		}
		out := agentapi.OwnUser{ID: u.ID.String(), Name: u.Name, UserName: u.UserName, Mail: u.Mail}
		if p, ok := f.Projects.Project(ws.Project); ok {
			role, _ := p.Role(func(g identity.GroupID) bool { return f.Directory.InGroup(ws.Owner, g) })
			out.Role = string(role)
		}
		return out, nil
	})
}

// shortest is the shortest timeout that somebody may set.
const shortest = time.Minute

func (g *Gate) timeout(w http.ResponseWriter, r *http.Request) error {
	var o agentapi.SetTimeout
	if err := read(r, &o); err != nil {
		return err
	}
	var set time.Duration
	if o.Timeout != "" {
		var err error
		if set, err = time.ParseDuration(o.Timeout); err != nil {
			return problem.New(problem.Invalid, "%q is not a time; write it as 45m, 2h or 1h30m.", cut(o.Timeout))
		}
		switch {
		case o.Extend:
			return problem.New(problem.Invalid, "Either set a timeout or extend the present one, not both.")
		case set < shortest:
			return problem.New(problem.Invalid, "A timeout is at least %s.", shortest)
		case g.c.Longest > 0 && set > g.c.Longest:
			return problem.New(problem.Invalid, "A timeout is at most %s here.", g.c.Longest)
		}
	}
	detail := map[string]any{"timeout": set.String()}
	if o.Extend {
		detail = map[string]any{"timeout": "extended"}
	}
	return g.serve(w, r, identity.WorkspaceOpen, detail, func(ctx context.Context, _ identity.Principal, ws workspace.Workspace) (any, error) {
		var err error
		if !o.Extend {
			ws, err = g.c.Workspaces.Change(ctx, ws.ID, func(d *workspace.Details) { d.Timeout = set })
		}
		if err == nil {
			_, err = g.c.Workspaces.Extend(ws.ID)
		}
		if err != nil {
			return nil, err
		}
		return g.timeoutOf(ws), nil
	})
}

func (g *Gate) timeoutOf(ws workspace.Workspace) agentapi.OwnTimeout {
	life, _ := g.c.Workspaces.Life(ws.ID)
	return agentapi.OwnTimeout{Timeout: life.Timeout.String(), Own: ws.Timeout > 0, Stops: life.Stops, Last: life.Last, Notice: life.Notice}
}

func (g *Gate) stop(w http.ResponseWriter, r *http.Request) error {
	return g.serve(w, r, identity.WorkspaceStop, map[string]any{}, func(ctx context.Context, who identity.Principal, ws workspace.Workspace) (any, error) {
		if err := g.c.Workspaces.Want(ctx, ws.ID, workspace.WantStopped, g.event(r, who, ws, string(identity.WorkspaceStop))); err != nil {
			return nil, err
		}
		return g.infoOf(ws)
	})
}

func (g *Gate) snapshot(w http.ResponseWriter, r *http.Request) error {
	var o agentapi.TakeSnapshot
	if err := read(r, &o); err != nil {
		return err
	}
	return g.serve(w, r, identity.WorkspaceOpen, map[string]any{"snapshot": true}, func(ctx context.Context, who identity.Principal, ws workspace.Workspace) (any, error) {
		row, err := g.c.Take(ctx, ws, o.Note, g.event(r, who, ws, "snapshot:create"))
		if err != nil {
			return nil, err
		}
		return agentapi.OwnSnapshot{
			ID: string(row.ID), URL: g.c.URL + "/#snapshot/" + string(row.ID), Size: row.Size, Commit: row.Commit, Dirty: row.Dirty,
			Digest: row.Digest, Expires: row.Expires,
		}, nil
	})
}

// cut bounds what is said again of what somebody wrote.
func cut(s string) string {
	if len(s) > 64 {
		return s[:64] + "…"
	}
	return s
}
