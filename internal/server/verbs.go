package server

import (
	"context"
	"net/url"

	"github.com/lanyardhq/lanyard/internal/gateway/verbs"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/web"
	"github.com/lanyardhq/lanyard/internal/workspace"
)

// ownRoutes are what the commands in a workspace ask about it.
func (s *Server) ownRoutes() []web.Route {
	return verbs.New(verbs.Config{
		Access: s.engine, Facts: s.engine.Facts, Workspaces: s.workspaces, Settings: s.settings, Take: s.takeSnapshot, Class: s.class,
		Secrets: func(ctx context.Context, row workspace.Workspace) bool {
			given, _ := s.secrets(ctx, row)
			return given
		},
		URL: s.options.URL, Terminal: s.terminalURL, Port: s.portURL, Longest: s.options.Rules.MaxTimeout,
	}).Routes()
}

// portURL is the address of a workspace's port, with {port} in it.
func (s *Server) portURL(id identity.WorkspaceID) string {
	u, err := url.Parse(s.options.URL)
	if err != nil {
		return ""
	}
	return u.Scheme + "://{port}-" + id.Label() + s.terminals.suffix
}
