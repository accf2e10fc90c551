package workspace

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Beginner is a Runtime that makes what of a workspace does not depend on its image while that is got ready.
type Beginner interface {
	// Begin makes what all workspaces share (the agent's copy, say) and the folders or volumes of one, as far as that goes
	// without its image: of spec there are ID, Name and Limits. Nothing runs. Start finds what was made, and makes what is
	// missing. fresh, also beside an error, says that nothing of the workspace was here before: who gives its start up may
	// Delete it.
	Begin(ctx context.Context, spec Spec, progress func(step string)) (fresh bool, err error)
}

const (
	stepBegin = "making the workspace's folders" // as people read it after "While"
	backTime  = 30 * time.Second                 // for taking back what was begun
)

// AtStep names the step of a start that failed, where several are under way; no error stays none.
func AtStep(step string, err error) error {
	if err == nil {
		return nil
	}
	return &stepError{step, err}
}

type stepError struct {
	step string
	err  error
}

func (e *stepError) Error() string { return e.err.Error() }
func (e *stepError) Unwrap() error { return e.err }

// gather asks for what a start needs, and has begun meanwhile what the first start of a workspace can without it. The first of both
// that fails ends the other, is the error, and names the step; what was begun is then taken back.
func (m *Manager) gather(ctx context.Context, row Workspace) (Prepared, error) {
	say := func(phase Phase, text string) { m.say(row.ID, phase, text) }
	begins, ok := m.c.Runtime.(Beginner)
	if !ok || !row.Began.IsZero() || row.Taken != "" { // it has its folders
		p, err := m.prepare(ctx, row, say)
		return p, m.atStep(row.ID, err)
	}
	class, err := m.class(row)
	if err != nil {
		return Prepared{}, err
	}
	var p Prepared
	var fresh bool
	both, during := errgroup.WithContext(ctx)
	both.Go(func() (err error) {
		p, err = m.prepare(during, row, say)
		return err
	})
	both.Go(func() (err error) {
		fresh, err = begins.Begin(during, Spec{ID: row.ID, Name: row.Name, Limits: class.Limits}, func(text string) { say("", text) })
		return AtStep(stepBegin, err)
	})
	err = m.atStep(row.ID, both.Wait())
	if fresh && m.running.Err() == nil && (err != nil || p.Spec.Limits.Disk != class.Limits.Disk) { // volumes are of a size
		err = errors.Join(err, m.takeBack(ctx, row.ID))
	}
	return p, err
}

// atStep notes at which step a start failed.
func (m *Manager) atStep(id identity.WorkspaceID, err error) error {
	if at, ok := errors.AsType[*stepError](err); ok {
		m.step(id, at.step)
	}
	return err
}

// takeBack removes what was begun of a workspace that had nothing before.
func (m *Manager) takeBack(ctx context.Context, id identity.WorkspaceID) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), backTime)
	defer cancel()
	return m.c.Runtime.Delete(ctx, id)
}
