package server

import (
	"context"
	"fmt"
	"maps"
	"path"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/devfile"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

func (x *preparing) project() project.Project {
	p, _ := x.engine.Facts().Projects.Project(x.row.Project)
	return p
}

// setup is what the agent is told: what the server says of every workspace, and what the plan adds. Of the environment the
// later wins: the file's, the link's variables, the server's own.
func (x *preparing) setup(ctx context.Context) agentapi.Setup {
	setup := x.Server.setup(x.row)
	setup.Repository.Ref = x.ref()
	setup.More = x.more(ctx)
	setup.Folder, setup.Link = x.plan.Folder, x.plan.Checkout
	setup.RemoteEnv, setup.Probe = x.plan.RemoteEnv, envProbe(x.plan)
	for _, v := range x.plan.Volumes { // of which runtimes mount none that is kept anyway
		if strings.HasPrefix(v.Target, "/workspace/") || strings.HasPrefix(v.Target, "/home/") || strings.HasPrefix(v.Target, "/root/") {
			setup.Folders = append(setup.Folders, v.Target)
		}
	}
	setup.Tasks, setup.Lifecycle = tasks(x.plan), lifecycle(x.plan)
	setup.WaitFor = string(x.plan.WaitFor)
	setup.Ports = ports(x.plan)
	for _, s := range x.plan.GitConfig {
		setup.GitConfig = append(setup.GitConfig, agentapi.GitSetting{Key: s.Key, Value: s.Value})
	}
	env := maps.Clone(x.plan.Env)
	if env == nil {
		env = map[string]string{}
	}
	maps.Copy(env, x.row.Variables)
	maps.Copy(env, setup.Env)
	maps.Copy(env, x.gitpodEnv(setup))
	setup.Env = env
	return setup
}

// ref is what is checked out: the branch of a merge request where it was found, since it can be pushed to.
func (x *preparing) ref() string {
	if branch, ok := strings.CutPrefix(x.said.Ref, "refs/heads/"); ok && x.row.Request != 0 {
		return branch
	}
	return x.row.Ref
}

// more are the further repositories that the file names. They are of the workspace's own project, and its owner may read
// them; others are left out, which is said.
func (x *preparing) more(ctx context.Context) (all []agentapi.Repository) {
	if x.who.Kind == identity.Service {
		return nil // a prebuild is of one repository
	}
	taken := map[string]bool{x.row.Name: true}
	for _, r := range x.plan.Repositories {
		folder := r.Checkout
		repo, ref, err := project.ParseContextURL(r.URL)
		if err == nil && folder == "" {
			folder = path.Base(repo)
		}
		switch {
		case err != nil:
			x.leave(r, err.Error())
			continue
		case taken[folder]:
			x.leave(r, "the folder "+folder+" is another one's; give it a checkoutLocation")
			continue
		}
		owner, found, ok := x.engine.Facts().Projects.ForRepository(repo)
		if !ok || owner.ID != x.row.Project {
			x.leave(r, "a workspace reaches the repositories of its own project ("+x.project().Name+"), and this is none")
			continue
		}
		e := x.engine.Explain(ctx, access.Request{Principal: x.who, Action: identity.RepoRead, Resource: found.Resource(owner.ID)})
		if e.Decision.Effect != access.Allow {
			x.leave(r, "you may not read it")
			continue
		}
		taken[folder] = true
		all = append(all, agentapi.Repository{URL: repo, Ref: ref, Folder: folder})
	}
	return all
}

func (x *preparing) leave(r devfile.Repository, why string) {
	x.say("", fmt.Sprintf("%s:%d: %s is left out: %s.", x.plan.File, r.At.Line, r.URL, strings.TrimSuffix(why, ".")))
}

// envProbe is which shell's files commands see: of a devcontainer.json that says nothing, those of a login shell at a terminal.
func envProbe(p *devfile.Plan) string {
	if p.Probe == "" && p.File != "" && !devfile.IsGitpod(p.File) {
		return "loginInteractiveShell"
	}
	return p.Probe
}

func tasks(p *devfile.Plan) (all []agentapi.Task) {
	for i, t := range p.Tasks {
		name := t.Name
		if name == "" {
			name = fmt.Sprintf("Task %d", i+1)
		}
		all = append(all, agentapi.Task{
			ID: fmt.Sprintf("task-%d", i+1), Name: name, Before: t.Before, Init: t.Init, Then: t.Command, Env: t.Env, OpenIn: t.OpenIn, Mode: t.OpenMode,
		})
	}
	return all
}

func lifecycle(p *devfile.Plan) (all []agentapi.Step) {
	for _, s := range p.Lifecycle {
		step := agentapi.Step{Stage: string(s.Stage), From: s.From}
		for _, one := range s.Parts {
			step.Parts = append(step.Parts, agentapi.Part{Name: one.Name, Shell: one.Shell, Argv: one.Argv})
		}
		all = append(all, step)
	}
	return all
}

func ports(p *devfile.Plan) (all []agentapi.PortPlan) {
	for _, x := range append(append([]devfile.Port{}, p.Ports...), p.OtherPorts) {
		if x == (devfile.Port{}) {
			continue
		}
		if x.First == 0 { // what holds for all others comes last
			x.First, x.Last = 1, 65535
		}
		all = append(all, agentapi.PortPlan{First: x.First, Last: x.Last, Name: x.Name, OnOpen: x.OnOpen, Protocol: x.Protocol, Text: x.Description})
	}
	return all
}
