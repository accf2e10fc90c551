package agent

import (
	"context"
	"fmt"
	"os"
	"slices"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// catchUp brings a checkout that a prebuild made to what was opened: what is new is fetched, by the right of who opened it.
// Until that has been, every start tries it.
func (a *Agent) catchUp(ctx context.Context, s agentapi.Setup, dir string, say func(agentapi.Progress)) error {
	mark := newlyUnfolded(a.config.Workspace, s.Name)
	if waiting, err := exists(mark); err != nil || !waiting || s.Repository == nil {
		return err
	}
	g := plumbing{agent: a, dir: dir}
	was, _ := g.text(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}") // what is said below is then of no effect
	if err := a.follow(ctx, g, *s.Repository, say); err != nil {
		return fmt.Errorf("what is new since the prebuild: %w", err)
	}
	if is, err := g.text(ctx, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"); err == nil && is != was {
		contentChanged(a.config.Workspace, s, a)
	}
	if err := os.Remove(mark); err != nil {
		return fmt.Errorf("the checkout: %w", err)
	}
	return nil
}

// contentChanged lets what belongs to new content run again (updateContentCommand).
func contentChanged(workspace string, s agentapi.Setup, a *Agent) {
	done := openOnce(workspace, s.Name, a.log)
	for _, step := range s.Lifecycle {
		if step.Stage == updateContent {
			delete(done.keys, stepKey(step))
		}
	}
	done.mark()
}

// follow fetches, and checks out what a clone would have: a branch that follows its own, or a commit.
func (a *Agent) follow(ctx context.Context, g plumbing, r agentapi.Repository, say func(agentapi.Progress)) error {
	if err := a.git(ctx, g.dir, "checkout", say, "config", "remote.origin.url", r.URL); err != nil {
		return err
	}
	if wholeRef(r.Ref) {
		return a.checkoutRef(ctx, r.Ref, g.dir, say)
	}
	say(agentapi.Progress{Phase: "checkout", Text: "git fetch " + r.URL})
	if err := a.git(ctx, g.dir, "checkout", say, guardedly("fetch", "--progress", "--tags", "--prune", "origin")...); err != nil {
		return err
	}
	what := []string{r.Ref, "--"}
	if _, err := g.text(ctx, "rev-parse", "--verify", "--quiet", "refs/remotes/origin/"+r.Ref); err == nil && r.Ref != "" {
		what = []string{"-B", r.Ref, "--track", "origin/" + r.Ref, "--"}
	}
	// What the prebuild changed in files that Git knows stays, unless it is in the way.
	say(agentapi.Progress{Phase: "checkout", Text: "git checkout " + r.Ref})
	args := append(guardedly("-c", "advice.detachedHead=false", "checkout", "--progress"), what...)
	if a.git(ctx, g.dir, "checkout", func(agentapi.Progress) {}, args...) == nil {
		return nil
	}
	args = append(guardedly("-c", "advice.detachedHead=false", "checkout", "--force", "--progress"), what...)
	return a.git(ctx, g.dir, "checkout", say, args...)
}

// guardedly are arguments of Git that let it start nothing which the checkout names.
func guardedly(args ...string) []string { return append(slices.Clone(guarded), args...) }
