// Package web declares sites, routes and handlers that return errors, and what every site does alike: identify,
// open a lease, answer; cookies; headers; one place that turns an error into what the peer understands.
package web

import (
	"net/http"

	"github.com/lanyardhq/lanyard/internal/identity"
)

// Handler serves a request; what it returns, its site's Fail shows. The lease of the request, if the route has an
// action, is LeaseFrom(r.Context()).
type Handler func(http.ResponseWriter, *http.Request) error

// Access says what a route needs: an action, or a stated reason why it needs none. The zero Access is neither,
// and a route with it does not start.
type Access struct {
	action identity.Action
	public string
	own    string
}

// Needs is the Access of a route that answers only with a lease on an action.
func Needs(a identity.Action) Access { return Access{action: a} }

// Public is the Access of a route that answers anybody; why says why that is safe.
func Public(why string) Access { return Access{public: why} }

// Asks is the Access of a route whose handler opens its leases itself because the action stands in the request's
// body or depends on the protocol; why says which.
func Asks(why string) Access { return Access{own: why} }

// Action is the action needed, if there is one.
func (a Access) Action() (identity.Action, bool) { return a.action, a.action != "" }

// Declared reports whether the route says what it needs.
func (a Access) Declared() bool { return a.action != "" || a.public != "" || a.own != "" }

func (a Access) String() string {
	switch {
	case a.action != "":
		return string(a.action)
	case a.public != "":
		return "public: " + a.public
	case a.own != "":
		return "asks: " + a.own
	default:
		return "undeclared"
	}
}

// Route is one address of a site.
type Route struct {
	Method string // empty: any
	Path   string // a pattern of http.ServeMux, without method and host
	Access Access
	// On makes the resource that the action is asked on, from the request; nil means the installation.
	On    func(*http.Request, identity.Principal) (identity.Resource, error)
	Serve Handler
}
