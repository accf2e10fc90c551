// Package tour plays Lanyard's story against a running `lanyard dev`, as text: people sign in, open workspaces and
// work in them, and then the tenant takes access away. Everything is done as a person would do it (a browser's
// redirects and cookies, a terminal, Git and curl in the workspace), every time is measured, and what does not happen
// as told is a failure. What the tour changes it puts back.
package tour

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/lanyardhq/lanyard/internal/cli/remote"
)

// Config is what the tour needs.
type Config struct {
	Operator *remote.Remote
	Out      io.Writer
	// Clean takes what a terminal would obey out of a line.
	Clean func(string) string
}

// stepTime bounds one step; cleanUpTime bounds all that is put back at the end.
const (
	stepTime    = 2 * time.Minute
	cleanUpTime = time.Minute
)

// step is one chapter of the story.
type step struct {
	title string
	play  func(context.Context, *stage) error
}

// story is the tour, in order.
func story() []step {
	return []step{
		{"Ada signs in and opens a workspace", adaOpens},
		{"She works in it", adaWorks},
		{"It holds no secret", noSecrets},
		{"A viewer may read and not push", viewer},
		{"A stranger sees nothing", stranger},
		{"The group goes, and what it allowed ends", groupGoes},
		{"The group comes back", groupComesBack},
		{"Revoked while the tenant is off", revoked},
		{"The project's file changes", projectChanges},
		{"A group in a group", nested},
		{"An account is disabled", disabled},
		{"Somebody new", joiner},
		{"All of it is in the log", logged},
	}
}

// Run plays the tour. It puts back what it changed, also when ctx ends or a step fails.
func Run(ctx context.Context, c Config) (err error) {
	info, err := c.Operator.Dev(ctx)
	if err != nil {
		return err
	}
	s := &stage{operator: c.Operator, info: info, narrator: narrator{c.Out, c.Clean}, people: map[string]*person{}}
	if s.graph, err = newGraph(ctx, info); err != nil {
		return fmt.Errorf("reach the tenant's Graph: %w", err)
	}
	defer func() { err = errors.Join(err, s.putBack(ctx)) }()
	begun := time.Now()
	s.say("Lanyard's tour of %s", info.URL)
	for i, step := range story() {
		if err := s.play(ctx, i+1, step); err != nil {
			return err
		}
	}
	s.title("Everything happened as told, in %.1f s.", time.Since(begun).Seconds())
	return nil
}

func (s *stage) play(ctx context.Context, number int, step step) error {
	ctx, cancel := context.WithTimeout(ctx, stepTime)
	defer cancel()
	s.title("%d. %s", number, step.title)
	err := step.play(ctx, s)
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("the tour stopped at step %d (%s): %w", number, step.title, err)
	}
	return err
}
