package httpproxy

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"os"
	"strings"
	"sync/atomic"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/project"
	"github.com/lanyardhq/lanyard/internal/web"
)

// exchange is one request and its answer.
type exchange struct {
	*Proxy
	w        http.ResponseWriter
	in       *http.Request
	app      project.App
	project  project.Project
	who      identity.Principal
	path     string // escaped, as the app's own; begins with a slash
	door     door
	upgrade  bool // to a WebSocket
	asked    identity.Action
	lease    *access.Lease
	farewell *gateway.Farewell
	limits   *web.Limits
	watch    watch
	trace    httptrace.ClientTrace
	interim  interim
	began    atomic.Bool               // part of the answer is out
	back     atomic.Pointer[io.Closer] // the app's side, once it is a WebSocket
	body     *requestBody
}

// serve opens a lease, sends the request and passes the answer back.
func (x *exchange) serve() error {
	ctx, err := x.open(x.in.Context())
	if err != nil {
		return err
	}
	defer x.lease.End()
	defer web.Hold(x.lease, x.w, x.in)()
	if x.in.ContentLength != 0 {
		// An app may answer before it has read the whole request; see gitproxy for what happens without this.
		if err := http.NewResponseController(x.w).EnableFullDuplex(); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
	}
	x.watch.start(x.idle(), func() {
		x.lease.Interrupt(errIdle)
		x.limits.EndRead()
		if x.began.Load() {
			x.limits.EndWrite()
		}
	})
	defer x.watch.stop()
	resp, err := x.send(ctx)
	if err == nil {
		err = x.answer(resp)
	}
	if err == nil || errors.Is(err, http.ErrAbortHandler) {
		return err
	}
	return x.failed(err)
}

// failed is the end of a request that has no answer yet.
func (x *exchange) failed(err error) error {
	if reason := x.lease.Reason(); !reason.IsZero() {
		return sayCut(x.w, reason)
	}
	switch bad := x.body.failed(); {
	case errors.Is(bad, os.ErrDeadlineExceeded) && x.in.Context().Err() == nil, errors.Is(err, errIdle) && bad != nil:
		return problem.Wrap(bad, problem.SlowRequest, "The request's body did not come in time.")
	case bad != nil: // whoever asked has gone, or does not speak HTTP
		return http.ErrAbortHandler
	case errors.Is(err, errIdle):
		return problem.Wrap(err, problem.SlowUpstream, "The app %s took nothing and gave nothing for %s.", x.app.Name, x.idle())
	}
	return err
}

// begin notes that part of the answer is going out. A watch that fired before did not end writing it, one that fires later
// does.
func (x *exchange) begin() {
	x.began.Store(true)
	if x.watch.fired.Load() {
		x.limits.EndWrite()
	}
}

// cut ends what the handler may be waiting for, and waits for its last words. What it waits for from the app ends with
// the lease's context.
func (x *exchange) cut(r access.Reason) {
	if back := x.back.Load(); back != nil {
		(*back).Close()
	} else if x.in.ContentLength != 0 {
		x.limits.EndRead()
	}
	x.farewell.Bye(r)
}

// send sends the request as the app gets it.
func (x *exchange) send(ctx context.Context) (*http.Response, error) {
	x.trace.Got1xxResponse = x.early
	out := (&http.Request{
		Method: x.in.Method, URL: x.url(), Header: x.headers(), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
	}).WithContext(httptrace.WithClientTrace(ctx, &x.trace))
	if x.in.ContentLength != 0 && !x.upgrade {
		x.body = &requestBody{from: x.in.Body, x: x}
		out.Body, out.ContentLength = x.body, x.in.ContentLength
		x.trailers(out)
	}
	if err := x.assert(out); err != nil {
		return nil, err
	}
	resp, err := x.c.Upstream.Send(out, x.target())
	x.interim.stop()
	x.watch.moved()
	return resp, err
}

// url is where the app is asked. The bytes that were judged are the bytes that go out, so the spelling is kept beside
// the meaning; the query decided nothing, and is the app's alone to read.
func (x *exchange) url() *url.URL {
	escaped := x.path
	if base := x.app.URL.EscapedPath(); base != "" {
		escaped = strings.TrimSuffix(base, "/") + x.path
	}
	decoded := escaped
	if strings.IndexByte(escaped, '%') >= 0 {
		var err error
		if decoded, err = url.PathUnescape(escaped); err != nil { // both parts were checked
			decoded = escaped
		}
	}
	return &url.URL{
		Scheme: x.app.URL.Scheme, Host: x.app.URL.Host, Path: decoded, RawPath: escaped,
		RawQuery: x.in.URL.RawQuery, ForceQuery: x.in.URL.ForceQuery,
	}
}
