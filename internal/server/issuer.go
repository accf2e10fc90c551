package server

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/directory"
	"github.com/lanyardhq/lanyard/internal/issuer"
	"github.com/lanyardhq/lanyard/internal/token"
)

// makeIssuer makes what gives OAuth clients, such as the CLI on somebody's laptop, their tokens.
func (s *Server) makeIssuer() {
	s.issuer = issuer.New(issuer.Config{
		URL: s.options.URL, Keys: s.keys, Nonces: token.Nonces{Sealer: s.sealer}, Rows: s.store, Sessions: s.sessions,
		Directory: func() *directory.Snapshot { return s.engine.Facts().Directory },
		Audit:     s.audit, Allow: (&perMinute{most: s.options.SignIns}).allow, Log: s.log,
		Page: func(w http.ResponseWriter, status int, page issuer.Page) { s.pages.Client(w, status, page, page.Back) },
	})
}
