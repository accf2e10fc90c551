// Package httpproxy passes requests to internal HTTP apps, and tells the app who is calling by a signed assertion. They
// come from workspaces, below a path of the machine site, and from browsers, each app on a site of its own. Answers
// stream; what is cut is never ended as if it were whole.
package httpproxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/token"
	"github.com/lanyardhq/lanyard/internal/web"
)

// Config makes a Proxy.
type Config struct {
	Access   access.Authorizer
	Facts    func() *access.Facts // for finding apps, and what an assertion says
	Upstream *upstream.Upstream
	Keys     *token.Keys // with keys of the kind token.Assertion
	Issuer   string      // the installation's URL, without a slash at its end
	Log      *slog.Logger
}

// Proxy serves the paths below gateway.AppPrefix, and the sites of apps.
type Proxy struct {
	c       Config
	buffers buffers
}

// New returns a Proxy.
func New(c Config) *Proxy { return &Proxy{c: c} }

// Serve is the handler of the machine site's route.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request) error {
	gateway.Headers(w.Header())
	path, err := gateway.PathOf(r)
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(string(path), gateway.AppPrefix), "/")
	return p.pass(w, r, name, path.After(gateway.AppPrefix+name), door{prefix: gateway.AppPrefix + name})
}

// pass opens a lease on the app and passes the request on. path is escaped and begins with a slash.
func (p *Proxy) pass(w http.ResponseWriter, r *http.Request, name, path string, through door) error {
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil { // before anything is looked up: nobody learns here what there is
		return err
	}
	if r.Method == http.MethodConnect || r.Method == http.MethodTrace { // one is for proxies, the other shows what was added
		return problem.New(problem.NoMethod, "Apps are not asked with %s.", r.Method)
	}
	owner, app, ok := p.c.Facts().Projects.App(name)
	if !ok {
		return absent(name, nil)
	}
	x := &exchange{
		Proxy: p, w: w, in: r, app: app, project: owner, who: who, path: path, door: through,
		upgrade: wantsWebSocket(r), farewell: gateway.NewFarewell(), limits: web.NewLimits(w),
	}
	defer x.limits.Release()
	defer x.farewell.Said()
	return x.serve()
}

// open asks access.
func (x *exchange) open(ctx context.Context) (context.Context, error) {
	x.asked = x.action()
	request := access.Request{
		Principal: x.who, Action: x.asked, Resource: x.app.Resource(x.project.ID), IP: web.ClientIP(x.in),
		Durable: x.upgrade || !safe(x.in.Method), Stands: x.stands,
	}
	if request.Durable || len(x.app.Rules) > 0 {
		request.Detail = map[string]any{"method": x.in.Method, "path": x.path}
	}
	ctx, lease, err := x.c.Access.Open(ctx, request, x.cut)
	if err != nil && problem.KindOf(err) == problem.NotFound {
		err = absent(x.app.Name, err)
	}
	x.lease = lease
	return ctx, err
}

// absent is the answer for an app that is unknown and for one that is hidden.
func absent(name string, cause error) error {
	return problem.Wrap(cause, problem.NotFound, "There is no app or registry %s here that you may use.", name)
}

// safe reports whether a method changes nothing (RFC 9110 section 9.2.1).
func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// sayCut answers with the reason of a cut that came before the app's answer, while the connection still stands.
func sayCut(w http.ResponseWriter, reason access.Reason) error {
	d := problem.DocumentOf(problem.Wrap(reason, problem.Denied, "Lanyard closed this: %s", reason.Text))
	body, err := problem.JSON(d)
	if err != nil {
		return err
	}
	w.Header().Set(problem.Header, problem.Denied.String())
	gateway.WriteWhole(w, d.Status, "application/problem+json", body)
	return nil
}

var errLied = errors.New("an answer that no HTTP server gives")

// lied is the error of an app that does not speak HTTP as it should.
func (x *exchange) lied(what string) error {
	x.c.Log.Warn("an app does not speak HTTP", "app", x.app.Name, "what", what)
	return problem.Wrap(errLied, problem.BadUpstream, "The app %s gave an answer that cannot be passed on: %s.", x.app.Name, what)
}

// target is the app as the gateway's dialer means it.
func (x *exchange) target() upstream.Target {
	return upstream.Target{Name: "the app " + x.app.Name, Principal: x.who, Connection: &x.app.Connection, Upgrade: x.upgrade}
}

// door is where a request came in.
type door struct {
	prefix string // of the paths of the app, on the machine site; empty on a site of its own
	origin string // of the app's own site, as browsers send it; empty on the machine site
}

func (d door) site() bool { return d.origin != "" }
