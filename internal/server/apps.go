package server

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/dashboard"
	"github.com/lanyardhq/lanyard/internal/gateway/httpproxy"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// appHosts knows the host names of apps: <app>.<domain>, and app-<app>.localhost below localhost, where terminals have
// their hosts too. The zero value knows none.
type appHosts struct{ prefix, suffix string } // as they stand in Host, the port in the suffix

func newAppHosts(base, domain string) (appHosts, error) {
	if domain == "" {
		return appHosts{}, nil
	}
	u, err := url.Parse(base)
	if err != nil {
		return appHosts{}, err
	}
	h := appHosts{suffix: "." + domain}
	if domain == "localhost" || strings.HasSuffix(domain, ".localhost") {
		h.prefix = "app-"
	}
	if port := u.Port(); port != "" {
		h.suffix += ":" + port
	}
	return h, nil
}

// app is the name of the app that a host, in lower case, is for. Whether there is such an app is another question.
func (a appHosts) app(host string) (string, bool) {
	if a.suffix == "" {
		return "", false
	}
	name, ok := strings.CutSuffix(host, a.suffix)
	if !ok {
		return "", false
	}
	name, ok = strings.CutPrefix(name, a.prefix)
	return name, ok && name != "" && !strings.Contains(name, ".")
}

// host is the host of an app's site; empty where apps have none.
func (a appHosts) host(app string) string {
	if a.suffix == "" {
		return ""
	}
	return a.prefix + app + a.suffix
}

// appURL is where an app is for browsers; empty where it is not.
func (s *Server) appURL(app string) string {
	if host := s.apps.host(app); host != "" {
		return s.scheme() + "://" + host + "/"
	}
	return ""
}

// appSite is the site of all apps, each on a host of its own.
func (s *Server) appSite(pages *dashboard.Dashboard, proxy *httpproxy.Proxy) web.Site {
	enter, scheme := s.signin.Enter(), s.scheme()
	origin := func(r *http.Request) string { return scheme + "://" + strings.ToLower(r.Host) }
	return web.Site{
		Name:   "apps",
		Routes: append(append(pages.AssetsBelow(httpproxy.OwnPrefix), proxy.Site(s.apps.app, scheme)...), enter),
		Guard: func(r *http.Request) error {
			if r.URL.Path == enter.Path { // a link from the pages site, with a code that is used up
				return nil
			}
			return httpproxy.GuardSite(r, origin(r))
		},
		Identify: func(r *http.Request) (identity.Principal, error) {
			return s.identifier.Cookie(r, origin(r))
		},
		Fail: s.failApp(pages),
	}
}

// appOf says what is asked of who opens an app's site for the first time. An app that is not there is a resource of
// nobody's, which policy denies in the same words.
func (s *Server) appOf(name string) access.Request {
	request := access.Request{Action: identity.AppCall, Resource: identity.Resource{Kind: identity.KindApp, Name: name}}
	if owner, app, ok := s.engine.Facts().Projects.App(name); ok {
		request.Action, request.Resource = app.Entrance(), app.Resource(owner.ID)
	}
	return request
}

// failApp shows an error on an app's site: who has no session here is led to where they have one, and who is denied
// keeps nothing of the app in the browser.
func (s *Server) failApp(pages *dashboard.Dashboard) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		if problem.KindOf(err) == problem.SignInNeeded && navigates(r) {
			s.signin.Lead(w, r)
			return
		}
		if lost(r, err) {
			// Not "cookies": those of every app would go, and with the access what they are for is gone anyway.
			w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
		}
		pages.FailBelow(httpproxy.OwnPrefix, w, r, err)
	}
}

// navigates reports whether a person opens an address, as opposed to a page that loads something.
func navigates(r *http.Request) bool {
	if r.Method != http.MethodGet {
		return false
	}
	switch r.Header.Get("Sec-Fetch-Mode") {
	case "navigate":
		return r.Header.Get("Sec-Fetch-Dest") == "document"
	case "":
		return strings.Contains(r.Header.Get("Accept"), "text/html")
	}
	return false
}
