package server

import (
	"context"
	"strings"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/prebuild"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// historyRead is how many generations of commits before the one that is opened are looked through for a prebuild.
const historyRead = 300

// fromPrebuild lets a workspace that is made begin with the prebuild that is the nearest to what it opens, if there is one.
func (x *preparing) fromPrebuild(ctx context.Context, p *workspace.Prepared) {
	if !x.row.Began.IsZero() {
		return // its files are there
	}
	row, ok := x.prebuilt(ctx)
	note := p.Note
	p.Note = func(d *workspace.Details) {
		note(d)
		d.Prebuild = string(row.ID)
	}
	if !ok {
		return
	}
	if repo := p.Setup.Repository; repo.Ref == "" { // what a clone finds out by itself
		repo.Ref = strings.TrimPrefix(x.said.Ref, "refs/heads/")
	}
	name, say := p.Setup.Name, x.say
	p.Fill = func(ctx context.Context, agent agentapi.Client) error {
		say("", "Taking the checkout from the prebuild "+string(row.ID)+" of "+row.Commit[:min(len(row.Commit), 10)]+".")
		if err := x.prebuilds.Restore(ctx, row, name, agent); err != nil {
			say("", "The prebuild cannot be used, so the repository is cloned: "+strings.TrimSuffix(problem.Message(err), ".")+".")
			x.log.Warn("a prebuild could not be used", "prebuild", row.ID, "workspace", x.row.ID, "error", err)
		}
		return ctx.Err()
	}
}

// prebuilt finds the prebuild that fits: one of the commit that is opened, or of one that led to it, of this repository and made
// for this project, which still wants them.
func (x *preparing) prebuilt(ctx context.Context) (prebuild.Row, bool) {
	_, repo, ok := x.engine.Facts().Projects.ForRepository(x.row.Repository)
	if !ok || repo.Prebuilds == nil || x.row.Snapshot != "" || x.row.Wanted != "" || x.said.Commit == "" || x.who.Kind != identity.Person {
		return prebuild.Row{}, false
	}
	rows, err := x.prebuilds.Of(ctx, x.row.Project, x.row.Repository)
	if err != nil || len(rows) == 0 {
		return prebuild.Row{}, false
	}
	if row, ok := prebuild.Nearest(rows, x.said.Commit, nil); ok {
		return row, true
	}
	c, err := x.open(ctx, x.said.Commit)
	if err != nil {
		return prebuild.Row{}, false
	}
	parents, err := c.Parents(historyRead)
	if err != nil {
		x.log.Warn("the history that a prebuild would have to be in could not be read", "repository", x.row.Repository, "error", err)
		return prebuild.Row{}, false
	}
	return prebuild.Nearest(rows, x.said.Commit, parents)
}
