// Package dashboard serves Lanyard's own pages: the shell that loads the dashboard, the page of a terminal, and the
// pages that show an error. What runs in them is built from ui/ and embedded; a binary without it says so.
package dashboard

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

//go:embed templates/*.html
var templateFiles embed.FS

// Config is what the pages say of this installation.
type Config struct {
	URL string // of the pages site, without a slash at the end
	// Provider is what the sign-in button says after "Sign in with".
	Provider string
	// SignOut are the origins that signing in and out lead to, the tenant's, with a space between; nil where it ends here.
	SignOut func() string
	// Workspace says what the page of a terminal names: the workspace of the host it is on.
	Workspace func(*http.Request) Workspace
}

// Workspace is what a terminal's page shows of its workspace.
type Workspace struct{ Name, Repository, Ref string }

// Dashboard is the pages.
type Dashboard struct {
	c      Config
	pages  *template.Template
	assets assets
}

// New reads what is embedded.
func New(c Config) (*Dashboard, error) {
	a, err := readAssets(dist, "dist")
	if err != nil {
		return nil, err
	}
	pages, err := template.New("").Funcs(template.FuncMap{"asset": a.path}).ParseFS(templateFiles, "templates/*.html")
	if err != nil {
		return nil, err
	}
	return &Dashboard{c: c, pages: pages, assets: a}, nil
}

// Routes are the pages site's own pages.
func (d *Dashboard) Routes() []web.Route {
	return []web.Route{
		{Method: http.MethodGet, Path: "/{$}", Access: web.Public("the shell is the same for everybody; what it shows, the API decides"), Serve: d.shell},
		{Method: http.MethodGet, Path: "/login/help", Access: web.Public("it says what the tenant's messages mean, the same to everybody"), Serve: d.trouble},
		d.assetRoute(),
	}
}

// TerminalAssets are the routes that a terminal's site needs beside its page.
func (d *Dashboard) TerminalAssets() []web.Route { return []web.Route{d.assetRoute()} }

// AssetsBelow are the routes that pages which FailBelow shows need, below a path that is Lanyard's own.
func (d *Dashboard) AssetsBelow(prefix string) []web.Route {
	route := d.assetRoute()
	route.Path = strings.TrimSuffix(prefix, "/") + route.Path
	return []web.Route{route}
}

func (d *Dashboard) assetRoute() web.Route {
	return web.Route{Method: http.MethodGet, Path: "/assets/{version}/{name}",
		Access: web.Public("scripts and styles are the same for everybody"), Serve: d.assets.serve}
}

// TerminalPage is the page of a terminal. Who may have it is decided before.
func (d *Dashboard) TerminalPage() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		nonce := newNonce()
		page := struct {
			Workspace
			URL, Nonce string
		}{d.c.Workspace(r), d.c.URL, nonce}
		// xterm.js makes its styles in the page; the nonce is for them and for nothing that markup could bring.
		d.render(w, http.StatusOK, "terminal.html", page, policy{style: "'nonce-" + nonce + "'", connect: "'self'"})
	})
}

func (d *Dashboard) shell(w http.ResponseWriter, _ *http.Request) error {
	if !d.assets.built {
		d.render(w, http.StatusOK, "unbuilt.html", nil, policy{})
		return nil
	}
	d.render(w, http.StatusOK, "shell.html", struct{ Provider string }{d.c.Provider}, policy{connect: "'self'", form: d.signOut()})
	return nil
}

func (d *Dashboard) signOut() string {
	if d.c.SignOut == nil {
		return ""
	}
	return d.c.SignOut()
}

// StepUp shows a page of signing in again for something that was refused. Its form leads to the tenant.
func (d *Dashboard) StepUp(w http.ResponseWriter, status int, page any) {
	d.render(w, status, "stepup.html", page, policy{form: d.signOut()})
}

// Client shows a person what a program asks for. The form's answer leads back to the program, at an origin that may be
// empty.
func (d *Dashboard) Client(w http.ResponseWriter, status int, page any, back string) {
	d.render(w, status, "client.html", page, policy{form: back})
}

// Fail shows an error: as a problem document to programs and to the API, as a page to people.
func (d *Dashboard) Fail(w http.ResponseWriter, r *http.Request, err error) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		problem.Write(w, err)
		return
	}
	d.FailBelow("/", w, r, err)
}

// FailBelow is Fail on a site where only what is below prefix is Lanyard's.
func (d *Dashboard) FailBelow(prefix string, w http.ResponseWriter, r *http.Request, err error) {
	if !wantsPage(r) {
		problem.Write(w, err)
		return
	}
	doc := problem.DocumentOf(err)
	page := struct {
		problem.Document
		URL, Below string
		SignIn     bool
		StepUp     string // where the person signs in again, and comes back from to here
		Again      string // where a sign-in that failed is begun anew
		Other      string // the same with another account
	}{Document: doc, URL: d.c.URL, Below: strings.TrimSuffix(prefix, "/"), SignIn: doc.Status == http.StatusUnauthorized, StepUp: d.stepUp(doc, r)}
	if doc.Help != nil {
		page.Again, page.Other = doc.Help.Again, doc.Help.Other
	}
	d.render(w, doc.Status, "error.html", page, policy{})
}

// wantsPage reports whether the answer is for a person's eyes.
func wantsPage(r *http.Request) bool {
	return strings.Contains(r.Header.Get("Accept"), "text/html")
}

// stepUp is the link of a refusal, with the way back to the page that was refused.
func (d *Dashboard) stepUp(doc problem.Document, r *http.Request) string {
	if doc.Next == nil || doc.Next.SignIn == "" {
		return ""
	}
	if r.Method != http.MethodGet {
		return doc.Next.SignIn
	}
	back := r.URL.RequestURI()
	if here := d.c.URL[:strings.Index(d.c.URL, "://")+3] + r.Host; here != d.c.URL {
		back = here + back
	}
	to, err := url.Parse(doc.Next.SignIn)
	if err != nil {
		return doc.Next.SignIn
	}
	q := to.Query()
	q.Set("return", back)
	to.RawQuery = q.Encode()
	return to.String()
}
