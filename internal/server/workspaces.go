package server

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
	"github.com/lanyardhq/lanyard/internal/workspace/space"
)

// What the server keeps of its disk for itself, for its database, its log and what it notes of workspaces, until there is room again.
const (
	ballastSize  = 16 << 20 // bytes
	ballastFiles = 64
)

// makeWorkspaces makes the runtime, the doors of the workspaces' tunnels, and who keeps the workspaces.
func (s *Server) makeWorkspaces(ctx context.Context) (err error) {
	o := s.options
	if s.runtime, err = o.Runtime(s.log, s.registries()); err != nil {
		return err
	}
	_, hidden := s.runtime.(workspace.Hider)
	s.hub = tunnel.NewHub(tunnel.HubConfig{
		Hidden: hidden, Dir: filepath.Join(o.Data, "s"), Build: o.Version, Log: s.log,
		Handler:     http.HandlerFunc(s.fromWorkspace),
		ConnContext: web.WithConn,
	})
	s.workspaces = workspace.NewManager(workspace.Config{
		Node: s.replica.node, Alone: !s.shared(), Rows: s.store.Fenced(s.replica.home.Held), Runtime: s.runtime, Doors: s.hub, Sessions: s.sessions, Log: s.log,
		Prepare: s.prepareOwn, Timeout: s.timeout, InUse: s.inUse, Class: s.class, Rules: o.Rules, Warn: s.warn,
		Warm: s.warmOrders, PrepareWarm: s.prepareWarm, Ballast: space.Ballast{Dir: filepath.Join(o.Data, "ballast"), Size: ballastSize, Files: ballastFiles},
	})
	return s.workspaces.Load(ctx)
}

// runWorkspaces keeps workspaces as they are wanted, and makes prebuilds, until ctx ends.
func (s *Server) runWorkspaces(ctx context.Context) {
	var parts sync.WaitGroup
	defer parts.Wait()
	parts.Go(func() { s.prebuilds.Run(ctx) })
	s.workspaces.Run(ctx)
}

// fromWorkspace serves what comes through a workspace's tunnel: the machine site without what others than workspaces send.
func (s *Server) fromWorkspace(w http.ResponseWriter, r *http.Request) {
	if strings.HasPrefix(r.URL.Path, "/hooks/") {
		problem.Write(w, problem.New(problem.NotFound, "There is nothing at this address."))
		return
	}
	if id, ok := tunnel.WorkspaceFrom(r.Context()); ok && strings.HasPrefix(r.URL.Path, "/git/") {
		s.activity.uses(id)
	}
	s.front.machine.ServeHTTP(w, r)
}

// setup is what a workspace's agent is told, from the facts of now: who commits, as the directory names them; which
// hosts Git reaches through the gateway; and the environment that people coming from Gitpod expect.
func (s *Server) setup(row workspace.Workspace) agentapi.Setup {
	f := s.engine.Facts()
	setup := agentapi.Setup{
		Name: row.Name, Repository: &agentapi.Repository{URL: row.Repository, Ref: row.Ref},
		Author: agentapi.Author{Name: row.OwnerName},
	}
	if u, ok := f.Directory.User(row.Owner); ok {
		setup.Author = agentapi.Author{Name: u.Name, Mail: u.Mail}
		if u.Mail == "" {
			setup.Author.Mail = u.UserName
		}
	}
	p, _ := f.Projects.Project(row.Project)
	setup.Egress = egressOf(p)
	for _, r := range p.Repositories {
		if u, err := url.Parse(r.URL); err == nil && !slices.Contains(setup.GitHosts, u.Host) {
			setup.GitHosts = append(setup.GitHosts, u.Host)
		}
	}
	root := "/workspace/" + row.Name
	setup.Env = map[string]string{
		"LANYARD_WORKSPACE_ID":         string(row.ID),
		"LANYARD_PROJECT":              p.Name,
		"GITPOD_WORKSPACE_ID":          string(row.ID),
		"GITPOD_WORKSPACE_CONTEXT_URL": row.Repository,
		"GITPOD_WORKSPACE_URL":         s.terminalURL(row.ID),
		"GITPOD_HOST":                  s.options.URL,
		"GITPOD_REPO_ROOT":             root,
		"GITPOD_REPO_ROOTS":            root,
		"GITPOD_OWNER_ID":              row.Owner.String(),
		"GITPOD_GIT_USER_NAME":         setup.Author.Name,
		"GITPOD_GIT_USER_EMAIL":        setup.Author.Mail,
	}
	return setup
}

func (s *Server) timeout(row workspace.Workspace) time.Duration {
	if p, ok := s.engine.Facts().Projects.Project(row.Project); ok && p.Workspace.Timeout > 0 {
		return p.Workspace.Timeout
	}
	return project.DefaultTimeout
}

func (s *Server) terminalURL(id identity.WorkspaceID) string {
	u, err := url.Parse(s.options.URL)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%s://t-%s%s", u.Scheme, id.Label(), s.terminals.suffix)
}
