package server

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/dashboard"
	"github.com/lanyardhq/lanyard/internal/directory/scim/provision"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/session"
)

// machinePaths are the paths of the pages host that programs use. They read no cookie and set none.
var machinePaths = []string{"/git/", "/r/", "/mcp/", "/oauth/", "/.well-known/", "/scim/", "/hooks/"}

func machinePath(path string) bool {
	if path == "/oauth/authorize" || path == "/oauth/device" { // pages for people
		return false
	}
	for _, p := range machinePaths {
		if strings.HasPrefix(path, p) {
			return true
		}
	}
	return false
}

// hosts leads a request to the site that its Host names, and to no other.
type hosts struct {
	url       string // of the pages
	pagesHost string
	secure    bool // browsers are to come by https only (RFC 6797)
	pages     http.Handler
	machine   http.Handler
	// provisioning takes its own paths of the machine host out of the machine site, because it alone takes its credentials.
	provisioning http.Handler
	terminal     http.Handler
	terminals    terminalHosts
	app          http.Handler
	apps         appHosts
	others       map[string]http.Handler // by host without port: the sample tenant under dev
	proxies      proxies
	// bodyWithin is how long the body of a request may take to come.
	bodyWithin time.Duration
}

func (h *hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.proxies.believe(r)
	if h.secure {
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
	}
	host := strings.ToLower(r.Host)
	if _, app := h.apps.app(host); app {
		inPace(w, r, h.bodyWithin)
		h.app.ServeHTTP(w, r)
		return
	}
	if host == h.pagesHost && dataPath(r.URL.Path) { // a push from somebody's own machine
		inPace(w, r, h.bodyWithin)
	} else {
		inTime(w, r, h.bodyWithin)
	}
	name := host
	if i := strings.LastIndexByte(host, ':'); i > strings.LastIndexByte(host, ']') {
		name = host[:i]
	}
	switch _, terminal := h.terminals.workspace(host); {
	case host == h.pagesHost && provision.Serves(r.URL.Path):
		h.provisioning.ServeHTTP(w, r)
	case host == h.pagesHost && machinePath(r.URL.Path):
		h.machine.ServeHTTP(w, r)
	case host == h.pagesHost:
		h.pages.ServeHTTP(w, r)
	case terminal:
		h.terminal.ServeHTTP(w, r)
	case h.others[name] != nil:
		h.others[name].ServeHTTP(w, r)
	case (name == "localhost" || name == "127.0.0.1") && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		http.Redirect(w, r, h.url+"/", http.StatusTemporaryRedirect)
	default:
		http.Error(w, "Lanyard serves no site of this name. Its pages are at "+h.url+".", http.StatusMisdirectedRequest)
	}
}

// serves reports whether a host, in lower case, is one of Lanyard's for browsers.
func (h *hosts) serves(host string) bool {
	_, app := h.apps.app(host)
	_, terminal := h.terminals.workspace(host)
	return host == h.pagesHost || app || terminal
}

// terminalHosts knows the host names of terminals: t-<label>.<domain>.
type terminalHosts struct{ suffix string } // ".localhost:8080": the domain with the port, as it stands in Host

func newTerminalHosts(base, domain string) (terminalHosts, error) {
	u, err := url.Parse(base)
	if err != nil {
		return terminalHosts{}, err
	}
	suffix := "." + domain
	if port := u.Port(); port != "" {
		suffix += ":" + port
	}
	return terminalHosts{suffix}, nil
}

func (t terminalHosts) workspace(host string) (identity.WorkspaceID, bool) {
	label, ok := strings.CutSuffix(host, t.suffix)
	if !ok {
		return "", false
	}
	label, ok = strings.CutPrefix(label, "t-")
	if !ok {
		return "", false
	}
	id, err := identity.WorkspaceFromLabel(label)
	return id, err == nil
}

// workspaceOf makes the resource of a workspace; one that is not there is a resource of nobody's, which policy
// denies in the same words.
func (s *Server) workspaceOf(id identity.WorkspaceID) identity.Resource {
	row, ok := s.workspaces.Get(id)
	if !ok {
		return identity.Resource{Kind: identity.KindWorkspace, Name: string(id)}
	}
	return identity.Resource{Kind: identity.KindWorkspace, Name: string(id), Project: row.Project, Owner: row.Owner}
}

// siteOf says what a session is handed over for.
func (s *Server) siteOf(host string) (access.Request, identity.WorkspaceID, bool) {
	host = strings.ToLower(host)
	if app, ok := s.apps.app(host); ok {
		return s.appOf(app), "", true
	}
	id, ok := s.terminals.workspace(host)
	if !ok {
		return access.Request{}, "", false
	}
	return access.Request{Action: identity.WorkspaceOpen, Resource: s.workspaceOf(id)}, id, true
}

// failTerminal shows an error on a terminal's site: who has no session here is led to where they have one, and who is
// denied keeps nothing of the site in the browser.
func (s *Server) failTerminal(pages *dashboard.Dashboard) func(http.ResponseWriter, *http.Request, error) {
	return func(w http.ResponseWriter, r *http.Request, err error) {
		kind := problem.KindOf(err)
		if kind == problem.SignInNeeded && r.Method == http.MethodGet && r.URL.Path == "/" {
			s.signin.Lead(w, r)
			return
		}
		if lost(r, err) {
			w.Header().Set("Clear-Site-Data", `"cache", "cookies", "storage"`)
		}
		pages.Fail(w, r, err)
	}
}

// lost reports whether somebody who was in a workspace may not be any more. Browsers forget the cookies of all workspaces
// then, so it takes more than a request that any page can make a browser send: the cookie, which browsers send along with
// visits only, and a decision, or a workspace that is gone.
func lost(r *http.Request, err error) bool {
	kind := problem.KindOf(err)
	if kind != problem.Denied && kind != problem.NotFound || len(r.CookiesNamed(session.CookieName)) == 0 {
		return false
	}
	_, decided := errors.AsType[access.Reason](err)
	return decided || r.URL.Path == "/"
}
