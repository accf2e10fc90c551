package server

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/setting"
	"github.com/lanyardhq/lanyard/internal/snapshot"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// makeSettings makes what people set for workspaces, and their snapshots.
func (s *Server) makeSettings() {
	s.settings = setting.New(setting.Config{Rows: s.store, Sealer: s.sealer})
	s.snapshots = snapshot.New(snapshot.Config{
		Dir: filepath.Join(s.options.Data, "snapshots"), Node: s.replica.node, Rows: s.store, Limits: s.options.Snapshots, Log: s.log,
	})
}

// given is what people set for a workspace: variables, secret ones apart, and the dotfiles of its owner. What is withheld is
// said.
type given struct {
	env, secret map[string]string
	dotfiles    string
	note        func(context.Context) error // writes into the log that the secret ones were given; nil: there are none
}

// secrets reports whether a workspace is given secret variables, and why not.
func (s *Server) secrets(ctx context.Context, row workspace.Workspace) (given bool, why string) {
	if p, _ := s.engine.Facts().Projects.Project(row.Project); !p.Workspace.SecretVariables {
		return false, "the project's file does not say `workspace: {secret_variables: true}`"
	}
	if why := unreviewed(row); why != "" {
		return false, why
	}
	if now, ok := s.workspaces.Get(row.ID); ok {
		row.Session = now.Session // that of this start
	}
	decision := s.engine.Explain(ctx, access.Request{
		Principal: s.identifier.Workspace(row.ID, row.Session), Action: identity.EnvSecret,
		Resource: identity.Resource{Kind: identity.KindWorkspace, Name: string(row.ID), Project: row.Project, Owner: row.Owner},
	})
	return decision.Effect == access.Allow, strings.Join(decision.Reasons, "; ")
}

// unreviewed says why a workspace's files may be of somebody who could push them to no branch of the repository; empty: they
// are not. A merge request's ref leads to what anybody put into a fork, and so may a commit's name, since hosts keep the objects
// of forks with those of the repository. What counts is the ref, however the workspace was asked for.
func unreviewed(row workspace.Workspace) string {
	if row.Foreign {
		return "its files are from a snapshot that somebody else took"
	}
	own := func(ref string) bool {
		return strings.HasPrefix(ref, "refs/heads/") || strings.HasPrefix(ref, "refs/tags/")
	}
	var x said
	if len(row.Said) > 0 && json.Unmarshal(row.Said, &x) != nil {
		x = said{Commit: "unknown"}
	}
	switch {
	case row.Ref == "" || own(row.Ref) || own(x.Ref):
		return ""
	case x.Commit == "" && !strings.Contains(row.Ref, "/") && !commitID(row.Ref):
		return "" // a server whose refs are not read here: no ref of a merge request has such a name
	case commitID(row.Ref):
		return "it was started at a commit by its ID, which may be one of a fork; start it at a branch"
	}
	return row.Ref + " is no branch or tag of the repository, so anybody may have written what is there"
}

// commitID reports whether a ref is a commit's name.
func commitID(ref string) bool {
	_, err := hex.DecodeString(ref)
	return err == nil && (len(ref) == 40 || len(ref) == 64)
}

// given finds what a workspace gets. Secret variables are given where the project's file declares them and no policy stands in
// the way.
func (s *Server) given(ctx context.Context, row workspace.Workspace, say workspace.Say) (g given, err error) {
	p, _ := s.engine.Facts().Projects.Project(row.Project)
	query := setting.Query{Scope: setting.Scope{User: row.Owner, Project: row.Project, Repository: row.Repository}}
	var why string
	query.Secrets, why = s.secrets(ctx, row)
	got, err := s.settings.Resolve(ctx, query)
	if err != nil {
		return g, problem.Wrap(err, problem.Unavailable, "The environment variables of this workspace cannot be read now. Try again in a moment.")
	}
	g.env, g.secret = map[string]string{}, map[string]string{}
	var names []string
	for name, value := range got.Env {
		if got.Variable[name].Secret {
			g.secret[name] = value
			names = append(names, name)
		} else {
			g.env[name] = value
		}
	}
	if len(got.Withheld) > 0 {
		var held []string
		for _, v := range got.Withheld {
			held = append(held, v.Name)
		}
		say("", "Secret variables are not given to this workspace ("+strings.Join(held, ", ")+"): "+why+".")
	}
	if len(names) > 0 {
		slices.Sort(names)
		g.note = func(ctx context.Context) error {
			return s.audit.Durable(ctx, audit.Event{
				Time: time.Now(), Action: string(identity.EnvSecret), Outcome: audit.Done, User: audit.PersonOf(row.Owner, row.OwnerName), Session: row.Session,
				Workspace: row.ID, Project: p.Name, Resource: "workspace " + string(row.ID), Detail: map[string]any{"variables": names},
			})
		}
	}
	g.dotfiles, err = s.settings.Dotfiles(ctx, row.Owner)
	return g, err
}

// prepareOwn is prepare with what people set for the workspace.
func (s *Server) prepareOwn(ctx context.Context, row workspace.Workspace, say workspace.Say) (workspace.Prepared, error) {
	p, err := s.prepare(ctx, row, say)
	if err == nil {
		p.Note(&row.Details) // what was checked out decides what is given
		err = s.personal(ctx, row, &p, say)
	}
	return p, err
}

// personal adds to what was prepared for a workspace what people set for it. What the repository's file says is weaker than
// any variable; what Lanyard says itself, and what was given with the context URL, stronger.
func (s *Server) personal(ctx context.Context, row workspace.Workspace, p *workspace.Prepared, say workspace.Say) error {
	g, err := s.given(ctx, row, say)
	if err != nil {
		return err
	}
	own := func(name string) bool {
		_, fromContext := row.Variables[name]
		return fromContext || setting.CheckName(name) != nil
	}
	if p.Setup.Env == nil {
		p.Setup.Env = map[string]string{}
	}
	p.Secret, p.Gives = map[string]string{}, g.note
	for _, set := range []struct{ from, to map[string]string }{{g.env, p.Setup.Env}, {g.secret, p.Secret}} {
		for name, value := range set.from {
			if own(name) {
				continue
			}
			set.to[name] = value
			delete(p.Setup.RemoteEnv, name)
		}
	}
	if g.dotfiles != "" {
		p.Setup.Dotfiles = &agentapi.Repository{URL: g.dotfiles}
	}
	if row.Snapshot != "" && row.Began.IsZero() { // its files are not made yet
		p.Fill = func(ctx context.Context, agent agentapi.Client) error {
			say("", "Taking the checkout from the snapshot.")
			return s.snapshots.Restore(ctx, identity.SnapshotID(row.Snapshot), p.Setup.Name, agent)
		}
	}
	return nil
}

// takeSnapshot keeps a copy of a running workspace's checkout.
func (s *Server) takeSnapshot(ctx context.Context, of workspace.Workspace, note string, event audit.Event) (snapshot.Row, error) {
	switch {
	case of.Node != s.replica.node:
		return snapshot.Row{}, problem.New(problem.Unavailable, "The workspace %s runs at another server of this installation. Take the snapshot inside it: lanyard snapshot", of.ID)
	case of.Phase != workspace.Running:
		return snapshot.Row{}, problem.New(problem.Conflict, "The workspace %s does not run, so its checkout cannot be read. Start it first: lanyard start %s", of.ID, of.ID)
	}
	return s.snapshots.Take(ctx, snapshot.Row{
		Owner: of.Owner, OwnerName: of.OwnerName, Workspace: of.ID, Project: of.Project, Repository: of.Repository, Ref: of.Ref, Name: of.Name, Note: note,
		Origins: of.Origins,
	}, agentapi.New(s.hub.Client(of.ID)), event)
}
