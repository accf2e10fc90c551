package workspace

import (
	"context"
	"maps"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// Prepared is all that a start needs beside the record: what is run, and what its agent is told. But for Secret it holds none.
type Prepared struct {
	// Spec says Image, User, Volumes, Env and Labels; the manager adds ID, name, socket and the limits of the class.
	Spec  Spec
	Setup agentapi.Setup
	// Secret is added to Setup.Env for the workspace itself: it is neither remembered nor given to what stands beside it.
	Secret map[string]string
	// Gives, if not nil, is called when Secret is about to be used, and only then; an error ends the start.
	Gives func(context.Context) error
	// Fill, if not nil, makes the checkout before the setup; one that is there already it leaves as it is.
	Fill func(context.Context, agentapi.Client) error
	// Note writes into the record what is to be remembered of this start; nil: nothing. It is called under the manager's
	// lock, and the record is stored when the start has come out, well or not.
	Note func(*Details)
	// Opens are the registries that its image was asked of, each with whose credential opened it: person, server or none.
	Opens []string
}

// Say tells those who follow a workspace a step that takes time. A phase that is not empty is what the workspace is then in.
type Say func(phase Phase, text string)

// prepare asks for what a start needs and remembers it for what will stand beside the workspace.
func (m *Manager) prepare(ctx context.Context, row Workspace, say Say) (Prepared, error) {
	p, err := m.c.Prepare(ctx, row, say)
	if err != nil {
		return Prepared{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	e := m.entries[row.ID]
	if e == nil {
		return Prepared{}, problem.New(problem.NotFound, "There is no workspace %s.", row.ID)
	}
	if p.Note != nil {
		p.Note(&e.row.Details)
	}
	class, err := m.class(e.row) // which may be another one by what the repository says
	if err != nil {
		return Prepared{}, err
	}
	p.Spec.Limits = class.Limits
	known := p
	known.Secret, known.Gives = nil, nil
	e.prepared = &known
	return p, nil
}

// preparedOf is what a running workspace was started with. A server that was restarted asks again.
func (m *Manager) preparedOf(ctx context.Context, of identity.WorkspaceID) (Prepared, error) {
	m.mu.RLock()
	e := m.entries[of]
	var known *Prepared
	var row Workspace
	if e != nil {
		known, row = e.prepared, e.row
	}
	m.mu.RUnlock()
	switch {
	case e == nil:
		return Prepared{}, problem.New(problem.NotFound, "There is no workspace %s.", of)
	case known != nil:
		return *known, nil
	}
	p, err := m.prepare(ctx, row, func(Phase, string) {}) // it runs, and is not being prepared again
	p.Secret, p.Gives = nil, nil
	return p, err
}

// setUp lets the agent prepare the workspace inside.
func (p Prepared) setUp(ctx context.Context, agent agentapi.Client, say func(string)) error {
	if p.Fill != nil {
		if err := p.Fill(ctx, agent); err != nil {
			return err
		}
	}
	setup := p.Setup
	if len(p.Secret) > 0 {
		if p.Gives != nil {
			if err := p.Gives(ctx); err != nil {
				return err
			}
		}
		env := make(map[string]string, len(setup.Env)+len(p.Secret))
		maps.Copy(env, setup.Env)
		maps.Copy(env, p.Secret)
		setup.Env = env
	}
	return agent.Setup(ctx, setup, func(p agentapi.Progress) { say(p.Text) })
}

// spec completes what was prepared with what is the manager's.
func (m *Manager) spec(p Prepared, id identity.WorkspaceID, name string) Spec {
	s := p.Spec
	s.ID, s.Name = id, name
	s.Endpoint = func(ctx context.Context, uid int) (string, error) { return m.c.Doors.Listen(ctx, id, uid) }
	return s
}
