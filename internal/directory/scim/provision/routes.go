package provision

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/directory/scim"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Site is where provisioning services come: all of /scim/, and the token endpoint. It takes no other credential than
// theirs, and theirs are taken nowhere else.
func (s *Service) Site() web.Site {
	asks := web.Asks("a provisioning credential, which opens nothing else")
	routes := []web.Route{
		{Method: http.MethodPost, Path: TokenPath, Access: web.Public("it gives a token only to who knows a provisioning secret, or shows the tenant's assertion"), Serve: s.serveToken},
		{Path: "/scim/", Access: asks, Serve: s.with(func(caller, http.ResponseWriter, *http.Request) error {
			return &scimError{status: http.StatusNotFound, detail: "There is nothing at this address. The tenant URL ends in " + Path + "."}
		})},
	}
	for _, e := range s.endpoints() {
		routes = append(routes, web.Route{Method: e.method, Path: Path + e.path, Access: asks, Serve: s.with(e.serve)})
	}
	return web.Site{
		Name: "provisioning", Routes: routes, Guard: guard, Fail: s.fail,
		Headers: func(h http.Header) {
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Security-Policy", "sandbox")
		},
	}
}

// guard refuses browsers.
func guard(r *http.Request) error {
	if strings.EqualFold(r.Header.Get("Sec-Fetch-Mode"), "navigate") || len(r.Header.Values("Cookie")) > 0 {
		return problem.New(problem.Denied, "This address is for a provisioning service; a browser cannot open it.")
	}
	return nil
}

// Serves reports whether a path of the pages' host is the site's.
func Serves(path string) bool { return strings.HasPrefix(path, "/scim/") || path == TokenPath }

// TenantURL is what is entered in Entra as such.
func (s *Service) TenantURL() string { return s.c.URL + Path }

// TokenURL is the token endpoint.
func (s *Service) TokenURL() string { return s.c.URL + TokenPath }

type handler func(caller, http.ResponseWriter, *http.Request) error

// with lets only who has a credential reach a handler.
func (s *Service) with(h handler) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		who, err := s.authenticate(r)
		if err != nil {
			return err
		}
		if !s.pace.pass(s.c.Now()) {
			return &scimError{status: http.StatusTooManyRequests, detail: "That is more than Lanyard takes in a second.", retryAfter: 1}
		}
		return h(who, w, r)
	}
}

type route struct {
	method, path string
	serve        handler
}

// endpoints are those of RFC 7644 §3.2.
func (s *Service) endpoints() []route {
	schemas := func() []scim.Resource { return s.registry.Schemas(s.TenantURL()) }
	types := func() []scim.Resource { return s.registry.ResourceTypes(s.TenantURL()) }
	all := []route{
		{http.MethodGet, "/ServiceProviderConfig", describes(s.providerConfig)},
		{http.MethodGet, "/serviceConfiguration", describes(s.providerConfig)}, // as Microsoft's Postman collection has it
		{http.MethodGet, "/Schemas", describes(func() any { return listOf(schemas()) })},
		{http.MethodGet, "/Schemas/{id}", describedBy(schemas)},
		{http.MethodGet, "/ResourceTypes", describes(func() any { return listOf(types()) })},
		{http.MethodGet, "/ResourceTypes/{id}", describedBy(types)},
		{"", "/Me", notImplemented("A provisioning service is no user, so there is no /Me here.")},
		{http.MethodPost, "/Bulk", s.bulk},
		{http.MethodPost, "/.search", s.search(UserKind, GroupKind)},
		{http.MethodGet, "/{$}", s.list(UserKind, GroupKind)},
	}
	for path, kind := range map[string]Kind{"/Users": UserKind, "/Groups": GroupKind} {
		all = append(all,
			route{"", path, notAllowed("GET, POST")},
			route{"", path + "/{id}", notAllowed("GET, PUT, PATCH, DELETE")},
			route{http.MethodGet, path, s.list(kind)},
			route{http.MethodPost, path, s.create(kind)},
			route{http.MethodPost, path + "/.search", s.search(kind)},
			route{http.MethodGet, path + "/{id}", s.get(kind)},
			route{http.MethodPut, path + "/{id}", s.replace(kind)},
			route{http.MethodPatch, path + "/{id}", s.patch(kind)},
			route{http.MethodDelete, path + "/{id}", s.remove(kind)},
		)
	}
	return all
}

func notImplemented(detail string) handler {
	return func(caller, http.ResponseWriter, *http.Request) error {
		return &scimError{status: http.StatusNotImplemented, detail: detail}
	}
}

func notAllowed(allow string) handler {
	return func(_ caller, w http.ResponseWriter, r *http.Request) error {
		w.Header().Set("Allow", allow)
		return &scimError{status: http.StatusMethodNotAllowed, detail: "This address answers to " + allow + "."}
	}
}
