package server

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/tunnel"
)

// onMachinePath identifies what asks on machine paths: a workspace by its tunnel, and on the data paths somebody's own machine
// by a token that is bound to its key. Who comes through a tunnel is who the tunnel says, whatever else the request shows: a
// token that got into a workspace is not taken there.
func (s *Server) onMachinePath(r *http.Request) (identity.Principal, error) {
	if _, inside := tunnel.WorkspaceFrom(r.Context()); inside || !dataPath(r.URL.Path) || !issuer.Shows(r) {
		return s.fromTunnel(r)
	}
	return s.issuer.Identify(r)
}

// dataPath reports whether a path of the machine site leads to an upstream.
func dataPath(path string) bool {
	return strings.HasPrefix(path, gateway.GitPrefix) || strings.HasPrefix(path, gateway.AppPrefix)
}
