package server

import (
	"context"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/gateway/aiagent"
	"github.com/lanyardhq/lanyard/internal/web"
)

// aiAgents are the routes by which AI agents are run beside workspaces.
func (s *Server) aiAgents() []web.Route {
	return aiagent.New(aiagent.Config{
		Access: s.engine, Facts: s.engine.Facts, Siblings: s.workspaces, Hub: s.hub, Sessions: s.sessions, Grants: s.grants,
		Audit: s.audit, Log: s.log,
	}).Routes()
}

// endDelegations ends the delegations of AI agents that an earlier process of this server left behind: they have ended, so
// nobody should see listed what they may.
func (s *Server) endDelegations(ctx context.Context) {
	for _, ws := range s.workspaces.List() {
		for _, beside := range s.workspaces.Siblings(ws.ID) {
			s.grants.Revoke(ctx, beside.Grant, "the server was started again", audit.Event{
				Time: time.Now(), User: audit.PersonOf(ws.Owner, ws.OwnerName), Session: beside.Session, Workspace: ws.ID, Actor: "service:workspaces",
			})
		}
	}
}
