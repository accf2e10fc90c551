package tour

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/lanyardhq/lanyard/api"
	"github.com/lanyardhq/lanyard/internal/cli/remote"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// stage is what the steps play on.
type stage struct {
	narrator
	operator *remote.Remote
	info     remote.DevInfo
	graph    *graph
	people   map[string]*person
	undo     []*change
	streams  streams                     // what was open when the group went
	unpush   func(context.Context) error // takes the branch away that was pushed
}

// change is something that has to be put back.
type change struct {
	what string
	back func(context.Context) error
	done bool
}

// changed remembers how to put something back. The returned function does it now, once.
func (s *stage) changed(what string, back func(context.Context) error) func(context.Context) error {
	c := &change{what: what, back: back}
	s.undo = append(s.undo, c)
	return func(ctx context.Context) error {
		c.done = true
		if err := back(ctx); err != nil {
			c.done = false
			return fmt.Errorf("%s: %w", what, err)
		}
		return nil
	}
}

// putBack undoes what is left, the last change first.
func (s *stage) putBack(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanUpTime)
	defer cancel()
	var failed error
	for i := len(s.undo) - 1; i >= 0; i-- {
		c := s.undo[i]
		if c.done {
			continue
		}
		if err := c.back(ctx); err != nil {
			failed = errors.Join(failed, fmt.Errorf("could not %s: %w", c.what, err))
		}
	}
	for _, p := range s.people {
		p.leave(ctx)
	}
	s.graph.close()
	return failed
}

// repository is a sample repository's context URL, by the end of its path.
func (s *stage) repository(end string) (string, error) {
	for _, u := range s.info.ContextURLs {
		if len(u) > len(end) && u[len(u)-len(end):] == end {
			return u, nil
		}
	}
	return "", fmt.Errorf("this sample world has no repository %s", end)
}

// workspaceOf starts a workspace for a person and opens a terminal in it, to the prompt.
func (s *stage) workspaceOf(ctx context.Context, p *person, repository string) (toPrompt time.Duration, err error) {
	begun := time.Now()
	if err := s.create(ctx, p, repository); err != nil {
		return 0, err
	}
	return s.toPrompt(ctx, p, begun)
}

// create orders a workspace for a person. It is not interrupted in between, so that what was made is known.
func (s *stage) create(ctx context.Context, p *person, repository string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stepTime)
	defer cancel()
	w, err := p.CreateWorkspace(ctx, api.Order{ContextURL: repository})
	if err != nil {
		return err
	}
	p.workspace = w
	s.changed("delete "+w.ID, func(ctx context.Context) error { return s.deleteWorkspace(ctx, w.ID) })
	return nil
}

// chatter is what Git says of its own progress.
var chatter = regexp.MustCompile(`^(remote:|Cloning into|Receiving objects|Resolving deltas|Updating files)`)

// toPrompt waits until a person's workspace runs and has shown a prompt.
func (s *stage) toPrompt(ctx context.Context, p *person, begun time.Time) (time.Duration, error) {
	w, err := p.Follow(ctx, p.workspace.ID, func(line api.Progress) {
		if p.name == "ada" && !chatter.MatchString(line.Text) { // once is enough
			s.took(line.At.Sub(begun), "   %s", line.Text)
		}
	})
	if err != nil {
		return 0, err
	}
	p.workspace = w
	if w.Phase != "running" {
		return 0, fmt.Errorf("the workspace did not start: %s", w.Message)
	}
	if err := p.attach(ctx); err != nil {
		return 0, err
	}
	at, err := p.terminal.prompt(ctx)
	return at.Sub(begun), err
}

// deleteWorkspace deletes as the operator, who may, and waits until it is gone.
func (s *stage) deleteWorkspace(ctx context.Context, id string) error {
	err := s.operator.ForceDeleteWorkspace(ctx, id)
	if remote.KindOf(err) == problem.NotFound {
		return nil
	}
	if err != nil {
		return err
	}
	return until(ctx, 50*time.Millisecond, func() (bool, error) {
		_, err := s.operator.Workspace(ctx, id)
		if remote.KindOf(err) == problem.NotFound {
			return true, nil
		}
		return false, err
	})
}

// until asks again and again, until done says yes or fails.
func until(ctx context.Context, every time.Duration, done func() (bool, error)) error {
	for {
		ok, err := done()
		if ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("it did not happen in time: %w", context.Cause(ctx))
		case <-time.After(every):
		}
	}
}
