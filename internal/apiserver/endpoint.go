package apiserver

import (
	"net/http"
	"slices"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// endpoint is a route of the API with what its description says.
type endpoint struct {
	method, path string // path below /api/v1
	access       web.Access
	on           resourceOf // for an access with an action
	serve        web.Handler
	says         string // what it does, in a sentence
	query        []param
	in           any    // a value of the body's type; nil: no body
	out          any    // a value of the answer's type; nil: no content
	status       int    // of success; 0: 200
	media        string // of the answer; empty: application/json
}

type param struct{ name, says string }

// page is what every paged list takes.
var pageParams = []param{
	{"limit", "How many at most, 1 to 500; 100 when absent"},
	{"cursor", "The page before gave this as next"},
}

func paged(more ...param) []param { return append(slices.Clone(pageParams), more...) }

// route makes the site's route: the query is checked against what the endpoint takes before anything is answered.
func (e endpoint) route() web.Route {
	return web.Route{
		Method: e.method, Path: "/api/v1" + e.path, Access: e.access, On: e.on,
		Serve: func(w http.ResponseWriter, r *http.Request) error {
			if err := e.checkQuery(r); err != nil {
				return err
			}
			return e.serve(w, r)
		},
	}
}

// checkQuery refuses what would be ignored: a parameter that is not known, or is given twice.
func (e endpoint) checkQuery(r *http.Request) error {
	for name, values := range r.URL.Query() {
		known := slices.ContainsFunc(e.query, func(p param) bool { return p.name == name })
		if !known {
			return problem.New(problem.Invalid, "There is no parameter %q here%s.", name, e.takes())
		}
		if len(values) > 1 {
			return problem.New(problem.Invalid, "The parameter %q is given more than once.", name)
		}
	}
	return nil
}

func (e endpoint) takes() string {
	if len(e.query) == 0 {
		return ""
	}
	names := make([]string, len(e.query))
	for i, p := range e.query {
		names[i] = p.name
	}
	return "; there are " + strings.Join(names, ", ")
}
