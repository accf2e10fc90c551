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

// fromPrebuild lets a workspace that is made begin with a prebuild; the zero row is none.
func (x *preparing) fromPrebuild(row prebuild.Row, p *workspace.Prepared) {
	if !x.row.Began.IsZero() {
		return // its files are there
	}
	note := p.Note
	p.Note = func(d *workspace.Details) {
		note(d)
		d.Prebuild = string(row.ID)
	}
	if row.ID == "" {
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

// prebuilt finds the prebuild that is the nearest to what a new workspace opens: one of the commit, or of one that led to it, of this
// repository and made for this project, which still wants them; the zero row where there is none. It reads the commit's history, and
// nothing else of x that changes while the image is made ready.
func (x *preparing) prebuilt(ctx context.Context) prebuild.Row {
	_, repo, ok := x.engine.Facts().Projects.ForRepository(x.row.Repository)
	if !ok || repo.Prebuilds == nil || !x.row.Began.IsZero() || x.row.Snapshot != "" || x.row.Wanted != "" || x.said.Commit == "" || x.who.Kind != identity.Person {
		return prebuild.Row{}
	}
	rows, err := x.prebuilds.Of(ctx, x.row.Project, x.row.Repository)
	if err != nil || len(rows) == 0 {
		return prebuild.Row{}
	}
	if row, ok := prebuild.Nearest(rows, x.said.Commit, nil); ok || x.files == nil {
		return row
	}
	parents, err := x.files.Parents(historyRead)
	if err != nil {
		x.log.Warn("the history that a prebuild would have to be in could not be read", "repository", x.row.Repository, "error", err)
		return prebuild.Row{}
	}
	row, _ := prebuild.Nearest(rows, x.said.Commit, parents)
	return row
}
