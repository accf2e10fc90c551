package httpproxy

import (
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// OwnPrefix begins the paths of an app's site that are Lanyard's and reach no app.
const OwnPrefix = "/_lanyard/"

// Site serves an app to browsers on a site of its own. origin is that site's, as browsers send it; the app is named by
// the request's host, which name reads.
func (p *Proxy) Site(name func(host string) (app string, ok bool), scheme string) []web.Route {
	return []web.Route{
		{Path: OwnPrefix, Access: web.Public("there is nothing here"), Serve: func(http.ResponseWriter, *http.Request) error {
			return problem.New(problem.NotFound, "There is nothing at this address.")
		}},
		{Path: "/", Access: web.Asks("app:call on the app that the host names"), Serve: func(w http.ResponseWriter, r *http.Request) error {
			path, err := gateway.PathOf(r)
			if err != nil {
				return err
			}
			host := strings.ToLower(r.Host)
			app, ok := name(host)
			if !ok {
				return problem.New(problem.NotFound, "There is nothing at this address.")
			}
			return p.pass(w, r, app, string(path), door{origin: scheme + "://" + host})
		}},
	}
}

// GuardSite refuses what an app's site never serves: addresses that can be read in two ways, and unsafe methods and
// upgrades from other sites than the app's own.
func GuardSite(r *http.Request, origin string) error {
	if _, err := gateway.PathOf(r); err != nil {
		return err
	}
	return web.GuardOrigin(r, origin)
}
