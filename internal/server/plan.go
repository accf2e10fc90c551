package server

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// said is what the repository says of a workspace at the commit that it began with. It is stored with the workspace
// (Details.Said), so that every later start does what the first one did.
type said struct {
	Plan   devfile.Plan
	Commit string   // that the file was read at; empty where the repository's files cannot be read one by one
	Ref    string   // whole name of what was checked out; empty for a commit
	Also   []string // files that do not count

	// Built and Features name what was built of the Dockerfile, and of the features on top of it; Metadata is what the
	// latter say of the image. Empty: nothing was.
	Built, Features, Metadata string
}

// prepare says what a workspace runs and how it is set up: the repository's own file first, then what the project says,
// then the image that both lead to. Each step that takes time is told; one that fails says which it was.
func (s *Server) prepare(ctx context.Context, row workspace.Workspace, say workspace.Say) (workspace.Prepared, error) {
	// The workspace itself: its rights are its owner's in its project.
	who := identity.Principal{Kind: identity.Person, User: row.Owner, Session: row.Session, Workspace: row.ID, Project: row.Project}
	return s.prepareAs(ctx, row, who, say)
}

// prepareAs is prepare by the rights of who.
func (s *Server) prepareAs(ctx context.Context, row workspace.Workspace, who identity.Principal, say workspace.Say) (workspace.Prepared, error) {
	x := &preparing{Server: s, row: row, who: who, say: say, about: devfile.About{Checkout: "/workspace/" + row.Name, ID: row.ID.Label()}}
	if err := x.read(ctx); err != nil {
		return workspace.Prepared{}, err
	}
	defer x.close()
	if err := x.image(ctx); err != nil {
		return workspace.Prepared{}, err
	}
	plan, err := x.said.Plan.On(x.ready.Metadata, x.about)
	if err != nil {
		return workspace.Prepared{}, failedStep("Reading what the image says of itself", err)
	}
	x.plan = plan
	kept, err := json.Marshal(x.said)
	if err != nil {
		return workspace.Prepared{}, fmt.Errorf("remember what the repository says: %w", err)
	}
	p := workspace.Prepared{
		Spec: workspace.Spec{
			Image: x.ready.Image, User: x.user(), Volumes: x.volumes(), Env: x.env(),
			Labels: map[string]string{"project": x.project().Name, "owner": row.OwnerName, "repository": row.Repository},
		},
		Setup: x.setup(ctx),
		Note: func(d *workspace.Details) {
			d.Said, d.Plan, d.Image, d.Commit = kept, plan.File, x.ready.Image.Ref, x.said.Commit
		},
	}
	x.fromPrebuild(ctx, &p)
	return p, nil
}

// preparing is one start on its way.
type preparing struct {
	*Server
	row   workspace.Workspace
	who   identity.Principal
	say   workspace.Say
	about devfile.About

	said  said
	files *files // of the commit; nil until they are needed
	ready workspace.Ready
	plan  *devfile.Plan // with what the image adds
}

func (x *preparing) close() {
	if x.files != nil {
		x.files.Close()
	}
}

// user is who the workspace's processes run as; empty: as the image says.
func (x *preparing) user() string {
	if x.plan.User != "" {
		return x.plan.User
	}
	const gitpods = "gitpod"
	if devfile.IsGitpod(x.plan.File) {
		for _, u := range x.ready.Users {
			if u == gitpods {
				return gitpods
			}
		}
	}
	return x.ready.User
}

func (x *preparing) volumes() []workspace.Volume {
	var all []workspace.Volume
	for _, v := range x.plan.Volumes {
		all = append(all, workspace.Volume{Name: v.Name, Target: v.Target, ReadOnly: v.ReadOnly})
	}
	return all
}

// env is the environment of the workspace's first process: the image's own, and what the file sets for the container.
func (x *preparing) env() map[string]string {
	env := maps.Clone(x.ready.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, x.plan.Env)
	return env
}

// failedStep says which step of a start failed, in the words of what failed.
func failedStep(step string, err error) error {
	return problem.Wrap(err, problem.KindOf(err), "%s failed: %s", step, problem.Message(err))
}
