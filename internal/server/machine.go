package server

import (
	"cmp"
	"context"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// classes are the sizes of workspaces, the default one first.
func (s *Server) classes() workspace.Classes {
	if len(s.options.Classes) > 0 {
		return s.options.Classes
	}
	return workspace.Classes{workspace.StandardClass()}
}

// classesOf are those that workspaces of a project may be of, the one they are of by themselves first.
func (s *Server) classesOf(id identity.ProjectID) workspace.Classes {
	p, _ := s.engine.Facts().Projects.Project(id)
	first := p.Workspace.Class
	var may workspace.Classes
	for _, c := range s.classes() {
		switch {
		case !p.Workspace.MayHave(c.Name):
		case c.Name == first:
			may = append(workspace.Classes{c}, may...)
		default:
			may = append(may, c)
		}
	}
	return may
}

// class is the class that a workspace is of: the one it was asked for with or that fits its file, else its project's, else the
// configuration's.
func (s *Server) class(row workspace.Workspace) (workspace.Class, error) {
	p, _ := s.engine.Facts().Projects.Project(row.Project)
	may := s.classesOf(row.Project)
	if len(may) == 0 {
		return workspace.Class{}, problem.New(problem.Conflict,
			"The project %s allows the workspace classes %s, and the configuration has none of them. Ask an administrator.", p.Name, strings.Join(p.Workspace.Classes, ", "))
	}
	if row.Class == "" {
		return may[0], nil
	}
	c, err := may.Find(row.Class)
	if err != nil && row.Fitted { // nobody asked for it
		return may[0], nil
	}
	if err != nil {
		names := make([]string, len(may))
		for i, one := range may {
			names[i] = one.Name
		}
		return c, problem.New(problem.Invalid, "Workspaces of the project %s are not of class %q; there is %s.",
			cmp.Or(p.Name, string(row.Project)), row.Class, strings.Join(names, ", "))
	}
	return c, nil
}

// className is the class of a workspace, or of the one that it stands beside, for policies; empty: there is none.
func (s *Server) className(id identity.WorkspaceID) string {
	if s.workspaces == nil { // before any is known
		return ""
	}
	if beside, ok := s.workspaces.Sibling(id); ok {
		id = beside.Of
	}
	row, ok := s.workspaces.Get(id)
	if !ok {
		return ""
	}
	c, err := s.class(row)
	if err != nil {
		return row.Class
	}
	return c.Name
}

// activity notices whether workspaces are used. What counts: a command that runs by `exec`, bytes that move in an open terminal
// or a forwarded port, and Git's requests from inside.
type activity struct {
	mu    sync.Mutex
	moved map[identity.WorkspaceID]map[identity.LeaseID]int64 // bytes of open accesses, when they were last looked at
	asked sync.Map                                            // workspaces that asked since then; apart from mu, which requests do not wait for
}

// inUse reports whether a workspace was used since this was asked before.
func (s *Server) inUse(id identity.WorkspaceID) bool {
	row, ok := s.workspaces.Get(id)
	if !ok {
		return false
	}
	used := s.peers.inUse(id)
	now := map[identity.LeaseID]int64{}
	for _, l := range s.engine.LeasesOf(row.Owner) {
		r := l.Request
		if r.Action != identity.WorkspaceOpen || r.Resource.Name != string(id) {
			continue
		}
		if _, command := r.Detail["exec"]; command {
			used = true
			continue
		}
		if _, holds := r.Detail["forward"]; !holds {
			now[l.ID] = l.Bytes()
		}
	}
	a := &s.activity
	a.mu.Lock()
	defer a.mu.Unlock()
	for l, n := range now {
		if before, known := a.moved[id][l]; !known || n > before {
			used = true
		}
	}
	if _, asked := a.asked.LoadAndDelete(id); asked {
		used = true
	}
	if a.moved == nil {
		a.moved = map[identity.WorkspaceID]map[identity.LeaseID]int64{}
	}
	if len(now) == 0 {
		delete(a.moved, id)
	} else {
		a.moved[id] = now
	}
	return used
}

// uses notes that a workspace asked for something that its person does.
func (a *activity) uses(id identity.WorkspaceID) {
	if _, noted := a.asked.Load(id); !noted {
		a.asked.Store(id, nil)
	}
}

// wrote allows for bytes that Lanyard itself writes into each terminal that is open now.
func (a *activity) wrote(id identity.WorkspaceID, bytes int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for l := range a.moved[id] {
		a.moved[id][l] += int64(bytes)
	}
}

// warn tells the terminals of a workspace that it stops soon.
func (s *Server) warn(ctx context.Context, row workspace.Workspace, text string) {
	line := []byte("\r\n\x1b[7m " + text + " \x1b[0m\r\n")
	s.activity.wrote(row.ID, len(line))
	if err := agentapi.New(s.hub.Client(row.ID)).Notice(ctx, line); err != nil {
		s.log.Info("a workspace could not be told that it stops soon", "workspace", row.ID, "error", err)
	}
}
