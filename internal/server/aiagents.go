package server

import (
	"context"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/aiagent"
	"github.com/lanyardhq/lanyard/internal/session"
	"github.com/lanyardhq/lanyard/internal/web"
)

// aiAgents are the routes by which AI agents are run beside workspaces.
func (s *Server) aiAgents() []web.Route {
	return aiagent.New(aiagent.Config{
		Access: s.engine, Facts: s.engine.Facts, Siblings: s.workspaces, Hub: s.hub, Sessions: s.sessions, Grants: s.grants,
		Audit: s.audit, Log: s.log,
	}).Routes()
}

// endDelegations ends the delegations of AI agents that an earlier process of this server left behind: their sessions have
// ended by now, so they give nothing, and nobody should see them listed as if they did.
func (s *Server) endDelegations(ctx context.Context) {
	f := s.engine.Facts()
	for signIn := range f.Sessions.All {
		for _, row := range f.Sessions.Below(signIn.ID) {
			if row.Kind == session.Agent && !row.Ended.IsZero() {
				s.grants.Revoke(ctx, row.Delegation, "its AI agent has ended", audit.Event{
					Time: row.Ended, User: audit.PersonOf(row.User, ""), Session: row.ID, Workspace: row.Workspace, Actor: "service:workspaces",
				})
			}
		}
	}
}
