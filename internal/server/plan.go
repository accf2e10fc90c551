package server

import (
	"context"
	"encoding/json"
	"fmt"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
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
		return workspace.Prepared{}, workspace.AtStep("reading the repository", err)
	}
	defer x.close()
	x.fit(x.said.Plan.Needs) // what is built is built within it
	begins, err := x.imageAndPrebuild(ctx)
	if err != nil {
		return workspace.Prepared{}, workspace.AtStep("making the image ready", err)
	}
	plan, err := x.said.Plan.On(x.ready.Metadata, x.about)
	if err != nil {
		return workspace.Prepared{}, failedStep("Reading what the image says of itself", err)
	}
	x.plan = plan
	if !x.again() {
		for _, n := range plan.Notes[len(x.said.Plan.Notes):] { // what the image says of itself
			say("", n.Key+": "+n.Text)
		}
	}
	asked := row.Details
	if text := x.fit(plan.Needs); text != "" {
		say("", text)
	}
	kept, err := json.Marshal(x.said)
	if err != nil {
		return workspace.Prepared{}, fmt.Errorf("remember what the repository says: %w", err)
	}
	p := workspace.Prepared{
		Spec: workspace.Spec{
			Image: x.ready.Image, User: x.user(), Volumes: x.volumes(), Env: x.ready.Env, // what the file sets comes with the setup
			Labels: map[string]string{"project": x.project().Name, "owner": row.OwnerName, "repository": row.Repository},
		},
		Setup: x.setup(ctx),
		Note: func(d *workspace.Details) {
			d.Said, d.Plan, d.Image, d.Commit = kept, plan.File, x.ready.Image.Ref, x.said.Commit
			if d.Class == asked.Class && d.Fitted == asked.Fitted { // and no other was asked for meanwhile
				d.Class, d.Fitted = x.row.Class, x.row.Fitted
			}
		},
	}
	p.Opens = x.opens
	x.fromPrebuild(begins, &p)
	return p, nil
}

// imageAndPrebuild makes the image ready and looks meanwhile for the prebuild that the files begin with, which the history at the
// Git server may have to tell.
func (x *preparing) imageAndPrebuild(ctx context.Context) (begins prebuild.Row, err error) {
	both, during := errgroup.WithContext(ctx)
	both.Go(func() error {
		err := x.image(during)
		if err != nil {
			x.close() // which ends what is asked of the Git server
		}
		return err
	})
	both.Go(func() error {
		begins = x.prebuilt(during)
		return nil
	})
	return begins, both.Wait()
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
	opens []string      // registries, each with whose credential opened it
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

// failedStep says which step of a start failed, in the words of what failed.
func failedStep(step string, err error) error {
	return problem.Wrap(err, problem.KindOf(err), "%s failed: %s", step, problem.Message(err))
}
