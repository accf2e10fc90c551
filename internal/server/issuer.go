package server

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/apiserver"
	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// makeIssuer makes what gives OAuth clients, such as the CLI on somebody's laptop, their tokens.
func (s *Server) makeIssuer() {
	s.issuer = issuer.New(issuer.Config{
		URL: s.options.URL, Keys: s.keys, Nonces: token.Nonces{Sealer: s.sealer}, Rows: s.store, Sessions: s.sessions,
		Directory: func() *directory.Snapshot { return s.engine.Facts().Directory },
		Audit:     s.audit, Allow: (&perMinute{most: s.options.SignIns}).allow, Log: s.log,
		Serve: (&perMinute{most: tokensAMinute}).allow, Clients: s.options.Clients, Shared: s.shared(),
		Mint: issuer.MintConfig{Access: s.engine, Facts: s.engine.Facts, Workspace: s.place, Rows: s.store},
		Page: func(w http.ResponseWriter, status int, page issuer.Page) { s.pages.Client(w, status, page, page.Back) },
	})
}

// tokensAMinute bounds how often one address asks for tokens: an office behind one address has a few hundred programs, each
// of which asks every ten minutes, and every five seconds while somebody types a code.
const tokensAMinute = 600

// byToken reports whether a request of the pages site shows an access token. They open the API, and no page.
func byToken(r *http.Request) bool { return strings.HasPrefix(r.URL.Path, "/api/") && issuer.Shows(r) }

// place is what a workspace is on, as its tokens say.
func (s *Server) place(id identity.WorkspaceID) issuer.Place {
	row, _ := s.workspaces.Get(id)
	return issuer.Place{Repository: row.Repository, Ref: row.Ref}
}

func (s *Server) tokenRoutes() []web.Route {
	return apiserver.Tokens{Mint: s.issuer.Mint, Access: s.engine, Facts: s.engine.Facts}.Routes()
}
