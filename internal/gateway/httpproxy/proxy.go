// Package httpproxy passes requests from workspaces to internal HTTP apps, and tells the app who is calling by a
// signed assertion. Answers stream; what is cut is never ended as if it were whole.
package httpproxy

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/http/httputil"
	"strings"
	"sync"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/gateway/upstream"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
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

// Proxy serves the paths below gateway.AppPrefix.
type Proxy struct {
	c       Config
	forward httputil.ReverseProxy
}

// New returns a Proxy.
func New(c Config) *Proxy {
	p := &Proxy{c: c}
	p.forward = httputil.ReverseProxy{
		Rewrite:        func(r *httputil.ProxyRequest) { exchangeOf(r.In).rewrite(r) },
		Transport:      transport{p},
		ModifyResponse: func(r *http.Response) error { return exchangeOf(r.Request).answer(r) },
		ErrorHandler:   func(_ http.ResponseWriter, r *http.Request, err error) { exchangeOf(r).err = err },
		BufferPool:     &buffers{},
		ErrorLog:       slog.NewLogLogger(c.Log.Handler(), slog.LevelDebug), // of a broken connection, mostly
	}
	return p
}

// exchange is one request and its answer.
type exchange struct {
	*Proxy
	app     project.App
	project project.Project
	who     identity.Principal
	path    string // escaped, what follows the app's name; begins with a slash
	lease   *access.Lease
	err     error // why there is no answer
}

type exchangeKey struct{}

func exchangeOf(r *http.Request) *exchange {
	x, _ := r.Context().Value(exchangeKey{}).(*exchange)
	return x
}

// Serve is the route's handler.
func (p *Proxy) Serve(w http.ResponseWriter, r *http.Request) error {
	gateway.Headers(w.Header())
	x, err := p.prepare(r)
	if err != nil {
		return err
	}
	farewell := gateway.NewFarewell()
	defer farewell.Said()
	ctx, lease, err := p.c.Access.Open(r.Context(), access.Request{
		Principal: x.who, Action: identity.AppCall, Resource: x.app.Resource(x.project.ID), IP: web.ClientIP(r),
		Durable: !safe(r), Detail: map[string]any{"method": r.Method, "path": x.path},
	}, farewell.Bye)
	if err != nil {
		if problem.KindOf(err) == problem.NotFound {
			err = absent(x.app.Name)
		}
		return err
	}
	defer lease.End()
	if conn := web.ConnFrom(ctx); conn != nil {
		lease.Hold(conn)
	}
	x.lease = lease
	if r.ContentLength != 0 {
		// An app may answer before it has read the whole request; see gitproxy for what happens without this.
		if err := http.NewResponseController(w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	p.forward.ServeHTTP(w, r.WithContext(context.WithValue(ctx, exchangeKey{}, x)))
	if x.err == nil {
		return nil
	}
	if reason := lease.Reason(); !reason.IsZero() {
		return sayCut(w, reason) // while the connection still stands
	}
	return x.err
}

func sayCut(w http.ResponseWriter, reason access.Reason) error {
	d := problem.DocumentOf(problem.Wrap(reason, problem.Denied, "Lanyard closed this: %s", reason.Text))
	body, err := problem.JSON(d)
	if err != nil {
		return err
	}
	gateway.WriteWhole(w, d.Status, "application/problem+json", body)
	return nil
}

func (p *Proxy) prepare(r *http.Request) (*exchange, error) {
	path, err := gateway.PathOf(r)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(string(path), gateway.AppPrefix), "/")
	who := web.PrincipalFrom(r.Context())
	if err := gateway.Known(who); err != nil { // before anything is looked up: nobody learns here what there is
		return nil, err
	}
	owner, app, ok := p.c.Facts().Projects.App(name)
	if !ok {
		return nil, absent(name)
	}
	return &exchange{
		Proxy: p, app: app, project: owner, who: who, path: path.After(gateway.AppPrefix + name),
	}, nil
}

// absent is the answer for an app that is unknown and for one that is hidden.
func absent(name string) error {
	return problem.New(problem.NotFound, "There is no app %s here that you may use.", name)
}

// safe reports whether a request changes nothing (RFC 9110 section 9.2.1). An upgrade may change anything.
func safe(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return r.Header.Get("Upgrade") == ""
	default:
		return false
	}
}

// transport sends what ReverseProxy prepared.
type transport struct{ *Proxy }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	x := exchangeOf(r)
	if err := x.assert(r); err != nil {
		return nil, err
	}
	return t.c.Upstream.Send(r.WithContext(untraced{r.Context()}), upstream.Target{Name: "the app " + x.app.Name, Principal: x.who})
}

// untraced hides ReverseProxy's trace from the transport. By it an app's interim answers (1xx) would be passed on with
// whatever headers they have, and after each the headers that Lanyard has set for the answer itself would be gone.
type untraced struct{ context.Context }

// Value implements context.Context.
func (c untraced) Value(key any) any {
	v := c.Context.Value(key)
	if _, trace := v.(*httptrace.ClientTrace); trace {
		return nil
	}
	return v
}

// buffers are what ReverseProxy copies with.
type buffers struct{ pool sync.Pool }

// Get implements httputil.BufferPool.
func (b *buffers) Get() []byte {
	if buf, ok := b.pool.Get().(*[]byte); ok {
		return *buf
	}
	return make([]byte, 32<<10)
}

// Put implements httputil.BufferPool.
func (b *buffers) Put(buf []byte) { b.pool.Put(&buf) }
