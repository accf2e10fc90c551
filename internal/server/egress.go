package server

import (
	"context"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/gateway/egress"
	"github.com/lanyardhq/lanyard/internal/gateway/registry"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
	"github.com/lanyardhq/lanyard/internal/web"
)

// beyond are the handlers of what lies beyond Lanyard for a workspace: registries beside apps, and connections out.
func (s *Server) beyond(apps web.Handler) (named, out web.Handler) {
	registries := registry.New(registry.Config{
		Access: s.engine, Facts: s.engine.Facts, Upstream: s.upstream, URL: s.options.URL, Log: s.log,
	})
	gate := egress.New(egress.Config{Access: s.engine, Upstream: s.upstream, Tell: s.tellRefused, Log: s.log})
	return func(w http.ResponseWriter, r *http.Request) error {
		serve := apps
		if registries.Has(r) {
			serve = registries.Serve
		}
		err := serve(w, r)
		if err != nil {
			return registry.Shown(w, r, err)
		}
		return nil
	}, gate.Serve
}

// tellRefused writes to a workspace's own log what became of a connection of its. A workspace that cannot be told keeps
// nobody waiting: it is in the audit log too.
func (s *Server) tellRefused(id identity.WorkspaceID, one agentapi.Refusal) {
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := agentapi.New(s.hub.Client(id)).Refused(ctx, one); err != nil {
			s.log.Debug("a workspace was not told of a refusal", "workspace", id, "error", err)
		}
	}()
}

// egressOf is what a workspace's programs are told of the ways out. The forward proxy is named to all of them, since what it
// refuses it gives a reason for.
func egressOf(p project.Project) *agentapi.Egress {
	e := &agentapi.Egress{Proxy: true}
	for _, r := range p.Registries {
		e.Registries = append(e.Registries, agentapi.RegistryPlan{Name: r.Name, Kind: string(r.Kind), Scope: r.Scope})
	}
	return e
}
