package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/observe"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Site is a set of routes that share who may come (Guard), how they are known (Identify) and how errors look (Fail).
type Site struct {
	Name   string
	Routes []Route
	// Guard refuses what the site never serves: foreign origins, cookies on machine paths. Nil: everything may come.
	Guard func(*http.Request) error
	// Identify says who asks; nil: everybody is anonymous.
	Identify func(*http.Request) (identity.Principal, error)
	// Headers are set on every answer.
	Headers func(http.Header)
	// Fail shows an error; nil: a problem document. What an error adds to the answer's header (AddTo(http.Header)) is there by
	// then.
	Fail func(http.ResponseWriter, *http.Request, error)
}

// Config is what all sites need.
type Config struct {
	Access access.Authorizer
	Log    *slog.Logger
	// Meter gives who counts a site's requests; nil: nobody.
	Meter func(site string) *observe.Site
	// Sink takes the record of each request; nil: none is made.
	Sink observe.Sink
}

// Handler serves the site. A route that does not declare its access is an error, and so is one that an earlier route
// hides.
func (s Site) Handler(c Config) (_ http.Handler, err error) {
	defer func() { // ServeMux panics where two patterns collide
		if p := recover(); p != nil {
			err = fmt.Errorf("site %s: %v", s.Name, p)
		}
	}()
	if s.Fail == nil {
		s.Fail = func(w http.ResponseWriter, _ *http.Request, err error) { problem.Write(w, err) }
	}
	mux := http.NewServeMux()
	for _, route := range s.Routes {
		if !route.Access.Declared() {
			return nil, fmt.Errorf("site %s: route %s %s declares no action", s.Name, route.Method, route.Path)
		}
		pattern := route.Path
		if route.Method != "" {
			pattern = route.Method + " " + route.Path
		}
		mux.Handle(pattern, endpoint{site: &s, route: route, c: c})
	}
	f := front{site: &s, mux: mux, sink: c.Sink}
	if c.Meter != nil {
		f.meter = c.Meter(s.Name)
	}
	return f, nil
}

// front does what comes before routing.
type front struct {
	site  *Site
	mux   *http.ServeMux
	meter *observe.Site
	sink  observe.Sink
}

func (f front) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	answer := &response{ResponseWriter: w, start: time.Now()}
	r = answer.begin(f.sink, f.site.Name, r)
	defer answer.finish(f.sink, f.meter)
	f.lead(answer, r)
	answer.ended = true
}

// lead leads a request to its route.
func (f front) lead(w *response, r *http.Request) {
	if f.site.Headers != nil {
		f.site.Headers(w.Header())
	}
	if f.site.Guard != nil {
		if err := f.site.Guard(r); err != nil {
			f.fail(w, r, err)
			return
		}
	}
	h, pattern := f.mux.Handler(r)
	if pattern == "" {
		err := problem.New(problem.NotFound, "There is nothing at this address.")
		if allow := allowed(h, r); allow != "" {
			w.Header().Set("Allow", allow)
			err = problem.New(problem.NoMethod, "This address answers to %s, and not to %s.", allow, r.Method)
		}
		f.fail(w, r, err)
		return
	}
	if strings.IndexByte(pattern, '{') < 0 { // data paths: nothing in the path is looked for again
		h.ServeHTTP(w, r)
		return
	}
	f.mux.ServeHTTP(w, r)
}

func (f front) fail(w *response, r *http.Request, err error) {
	w.err = err
	f.site.Fail(w, r, err)
}

// allowed is what ServeMux's own answer says of an address that is there and does not answer to the method: the
// methods that it answers to. It is empty for an address that is not there.
func allowed(mux http.Handler, r *http.Request) string {
	answer := &nowhere{header: http.Header{}}
	mux.ServeHTTP(answer, r)
	return answer.header.Get("Allow")
}

// nowhere takes an answer of which only the header is wanted.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header         { return n.header }
func (n *nowhere) Write(b []byte) (int, error) { return len(b), nil }
func (n *nowhere) WriteHeader(int)             {}

// endpoint serves one route: identify, open, answer, end.
type endpoint struct {
	site  *Site
	route Route
	c     Config
}

func (e endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	tracked, ok := w.(*response) // a front's
	if !ok {
		tracked = &response{ResponseWriter: w, start: time.Now()}
	}
	err := e.serve(tracked, r)
	tracked.err = err
	switch {
	case err == nil:
	case errors.Is(err, http.ErrAbortHandler):
		panic(http.ErrAbortHandler)
	case tracked.began:
		// Part of an answer is out: the peer must not take it for whole.
		panic(http.ErrAbortHandler)
	default:
		var more interface{ AddTo(http.Header) }
		if errors.As(err, &more) {
			more.AddTo(w.Header())
		}
		if problem.KindOf(err) == problem.Internal && r.Context().Err() == nil {
			e.c.Log.Error("a request failed", "site", e.site.Name, "method", r.Method, "path", r.URL.Path, "error", err)
		}
		e.site.Fail(w, r, err)
	}
}

func (e endpoint) serve(w *response, r *http.Request) error {
	var who identity.Principal
	if e.site.Identify != nil {
		p, err := e.site.Identify(r)
		if err != nil {
			return err
		}
		who = p
	}
	w.record.Reach(observe.Identified)
	w.who = who
	ctx := context.WithValue(r.Context(), principalKey{}, w)
	action, needed := e.route.Access.Action()
	if !needed {
		return e.route.Serve(w, r.WithContext(ctx))
	}
	resource := identity.Installation()
	if e.route.On != nil {
		var err error
		if resource, err = e.route.On(r, who); err != nil {
			return err
		}
	}
	ctx, lease, err := e.c.Access.Open(ctx, access.Request{
		Principal: who, Action: action, Resource: resource, IP: ClientIP(r), Durable: unsafeMethod(r.Method),
		Detail: map[string]any{"method": r.Method, "path": r.URL.Path},
	}, nil)
	if err != nil {
		return err
	}
	defer lease.End()
	defer Hold(lease, w, r)()
	err = e.route.Serve(w, r.WithContext(context.WithValue(ctx, leaseKey{}, lease)))
	if reason := lease.Reason(); !reason.IsZero() {
		return problem.Wrap(reason, problem.Denied, "Access has just ended: %s.", reason.Text)
	}
	return err
}

func unsafeMethod(m string) bool {
	return m != http.MethodGet && m != http.MethodHead && m != http.MethodOptions
}

type (
	principalKey struct{}
	leaseKey     struct{}
	connKey      struct{}
)

// PrincipalFrom is who asks, as the site identified them; the zero Principal is anonymous.
func PrincipalFrom(ctx context.Context) identity.Principal {
	if w, ok := ctx.Value(principalKey{}).(*response); ok {
		return w.who
	}
	return identity.Principal{}
}

// WithPrincipal is for tests and for sites that identify in their own way.
func WithPrincipal(ctx context.Context, p identity.Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, &response{who: p})
}

// LeaseFrom is the lease of a route with an action; nil on others. A cut of it cancels the request's context.
func LeaseFrom(ctx context.Context) *access.Lease {
	l, _ := ctx.Value(leaseKey{}).(*access.Lease)
	return l
}

// WithConn keeps the connection for ConnFrom; it is an http.Server's ConnContext.
func WithConn(ctx context.Context, c net.Conn) context.Context {
	if secured, ok := c.(*tls.Conn); ok {
		c = secured.NetConn() // closing it waits for nobody
	}
	return context.WithValue(ctx, connKey{}, c)
}

// ConnFrom is the connection on which the request came, to be closed under it on a cut; nil where the server does
// not say.
func ConnFrom(ctx context.Context) net.Conn {
	c, _ := ctx.Value(connKey{}).(net.Conn)
	return c
}
