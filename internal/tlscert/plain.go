package tlscert

import (
	"net/http"
	"strings"
)

// Plain answers the authority's challenges over plain HTTP (RFC 8555, 8.3), and leads everything else to next.
func (s *Set) Plain(next http.Handler) http.Handler {
	if s.acme == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/.well-known/acme-challenge/") {
			s.acme.plain.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
