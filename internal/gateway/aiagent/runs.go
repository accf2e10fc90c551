package aiagent

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/grant"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// States of a run.
const (
	starting = "starting"
	running  = "running"
	ending   = "ending"
	ended    = "ended"
)

// run is one AI agent from its order to its end.
type run struct {
	of      identity.WorkspaceID
	sibling identity.WorkspaceID // empty until it is there
	grant   identity.GrantID
	session identity.SessionID
	halt    context.CancelCauseFunc // ends it before its time
	over    chan struct{}           // closed when all of it is over

	mu   sync.Mutex
	view agentapi.Running
}

func (r *run) show() agentapi.Running {
	r.mu.Lock()
	defer r.mu.Unlock()
	v := r.view
	v.Allowed, v.Command = slices.Clone(v.Allowed), slices.Clone(v.Command)
	return v
}

func (r *run) change(f func(*agentapi.Running)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	f(&r.view)
}

// runs are the AI agents that run, and those that did lately.
type runs struct {
	mu  sync.Mutex
	all []*run
}

// keptRuns bounds how many ended ones are remembered.
const keptRuns = 200

func (s *runs) add(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, r)
	if len(s.all) < keptRuns {
		return
	}
	if i := slices.IndexFunc(s.all, func(r *run) bool { return r.show().State == ended }); i >= 0 {
		s.all = slices.Delete(s.all, i, i+1)
	}
}

// of lists the runs beside a workspace, the newest first.
func (s *runs) of(ws identity.WorkspaceID) (list []*run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range slices.Backward(s.all) {
		if r.of == ws {
			list = append(list, r)
		}
	}
	return list
}

// live finds the run of an AI agent's session while it runs.
func (s *runs) live(sid identity.SessionID) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, r := range s.all {
		if r.session == sid && r.show().State == running {
			return r
		}
	}
	return nil
}

// ground is what a run rests on beside its person's right: its delegation and its session. It is known only when the lease
// is open already, so who sets it asks once by itself: whoever changes a fact publishes it and then has every lease decided
// again, and one of the two sees the other.
type ground struct {
	mu      sync.Mutex
	grant   identity.GrantID
	session identity.SessionID
	user    identity.UserID
	share   *access.Request // nil: it works on a copy
	now     func() time.Time
}

func (g *ground) set(d grant.Grant, sid identity.SessionID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.grant, g.session = d.ID, sid
}

// shares notes that it works on the workspace's own checkout, which takes agent:share as long as it does.
func (g *ground) shares(r access.Request) {
	g.mu.Lock()
	defer g.mu.Unlock()
	r.Action, r.Stands, r.Detail = identity.AgentShare, nil, nil
	g.share = &r
}

// stands is access.Request.Stands.
func (g *ground) stands(f *access.Facts, _ *access.Decision) string {
	g.mu.Lock()
	id, sid, share := g.grant, g.session, g.share
	g.mu.Unlock()
	now := g.now()
	if share != nil {
		d := access.Decide(f, *share, now)
		if d.Effect != access.Allow && d.Code != access.StaleDirectory { // how old facts may be for what is open, agent:run says
			return "no policy allows any more that it works on the workspace's own checkout"
		}
	}
	if id == "" {
		return ""
	}
	d := f.Grants.Of(g.user).Grant(id)
	switch {
	case d == nil:
		why := "its delegation has been taken back"
		if was, ok := f.Grants.Ended(id); ok && was.EndedWhy != "" {
			why += ": " + was.EndedWhy
		}
		return why
	case !d.Live(now):
		return "its time is over"
	}
	if _, _, dead := f.Sessions.Live(sid, now); dead != "" {
		return "its session has ended: " + dead
	}
	return ""
}
