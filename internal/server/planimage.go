package server

import (
	"context"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// image makes ready what the workspace's files come from: an image by name, or what is built from the repository's
// Dockerfile; and, on top of that, the features of its devcontainer.json. Where neither the repository nor the project
// names anything it is the runtime's own.
func (x *preparing) image(ctx context.Context) error {
	plan, own := &x.said.Plan, x.project().Workspace.Image
	images, ok := x.runtime.(workspace.Images)
	switch {
	case plan.Image.Ref == "" && plan.Image.Dockerfile == "" && own == "" && len(plan.Features) == 0:
		if !ok {
			return nil
		}
		var err error
		if x.ready, err = x.pull(ctx, images, "", false); err != nil {
			return failedStep("Getting the image of workspaces that name none", err)
		}
		return nil
	case !ok:
		return problem.New(problem.Unavailable, "The workspace wants an image, and the runtime %q of this server runs none. Start it without the file (`lanyard start --file none`), or on a server with Docker.", x.runtime.Name())
	}
	x.say(workspace.Building, "Making the image ready.")
	step, err := "", error(nil)
	switch {
	case plan.Image.Dockerfile != "":
		step = "Building the image of " + plan.Image.Dockerfile
		x.ready, err = x.build(ctx, images)
	case plan.Image.Ref != "":
		step = "Getting the image " + plan.Image.Ref
		x.ready, err = x.pull(ctx, images, plan.Image.Ref, true)
	default: // an administrator's choice; empty: the runtime's
		step = "Getting the image of the project"
		x.ready, err = x.pull(ctx, images, own, false)
	}
	if err != nil {
		return failedStep(step, err)
	}
	if len(plan.Features) == 0 {
		return nil
	}
	if err := x.addFeatures(ctx, images); err != nil {
		return failedStep("Adding the features of "+plan.File, err)
	}
	return nil
}

// pull gets an image by name: the one of an earlier start where there was one.
func (x *preparing) pull(ctx context.Context, images workspace.Images, ref string, repositorys bool) (workspace.Ready, error) {
	order := workspace.PullOrder{Ref: ref}
	if ref != "" {
		var err error
		if order, err = x.pullOrder(ctx, ref, repositorys); err != nil {
			return workspace.Ready{}, err
		}
	}
	if _, _, pinned := strings.Cut(x.row.Image, "@sha256:"); pinned && x.again() && len(x.said.Plan.Features) == 0 {
		// Asked may be another host than that of ref, which an administrator has changed since.
		l, err := x.login(ctx, x.row.Image)
		if err != nil {
			return workspace.Ready{}, err
		}
		order = workspace.PullOrder{Ref: x.row.Image, User: l.user, Password: l.password, Again: true}
	}
	return images.Pull(ctx, order, x.progress)
}

// pullOrder says how an image is pulled, or why it may not be: where the project lists images, its repositories name those.
func (x *preparing) pullOrder(ctx context.Context, ref string, repositorys bool) (o workspace.PullOrder, err error) {
	if repositorys {
		if err := x.project().Workspace.AllowsImage(ref); err != nil {
			return o, problem.Wrap(err, problem.Denied, "In the project %s %v.", x.project().Name, err)
		}
	}
	o.Ref, o.For = ref, x.row.Owner.Key()
	l, err := x.login(ctx, ref)
	o.User, o.Password = l.user, l.password
	return o, err
}

func (x *preparing) progress(text string) { x.say("", text) }
