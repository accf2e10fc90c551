package web

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/observe"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// response is the answer to a request as it goes out, and what is known of the request by then.
type response struct {
	http.ResponseWriter
	began  bool
	ended  bool // the handler returned; it did not break the answer off
	status int
	bytes  int64
	start  time.Time
	err    error // what the handler returned
	who    identity.Principal
	lease  *access.Lease // the latest that was opened for the request
	record *observe.Request
}

// WriteHeader implements http.ResponseWriter.
func (r *response) WriteHeader(status int) {
	if status >= 200 || status == http.StatusSwitchingProtocols {
		r.began = true
		if r.status == 0 {
			r.status = status
		}
	}
	r.ResponseWriter.WriteHeader(status)
}

// Write implements http.ResponseWriter.
func (r *response) Write(b []byte) (int, error) {
	r.began = true
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach what the connection can do.
func (r *response) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// Flush sends what is buffered, where the connection can.
func (r *response) Flush() {
	r.began = true
	_ = http.NewResponseController(r.ResponseWriter).Flush() // an unflushable writer has nothing to flush
}

// begin begins the request's record, if there is somebody who takes it.
func (r *response) begin(sink observe.Sink, site string, q *http.Request) *http.Request {
	if sink == nil {
		return q
	}
	r.record = &observe.Request{Site: site, Method: q.Method, Path: q.URL.Path, IP: ClientIP(q), Start: r.start}
	sink.Begin(r.record, q)
	if r.record.ID != "" {
		r.Header().Set(observe.RequestHeader, r.record.ID)
	}
	return q.WithContext(observe.With(q.Context(), r.record))
}

// finish counts the request and hands its record over. It is deferred: an answer that is broken off ends in a panic.
func (r *response) finish(sink observe.Sink, meter *observe.Site) {
	outcome, took := r.outcome(), time.Since(r.start)
	meter.Done(outcome, took)
	if r.record == nil {
		return
	}
	c := r.record
	c.Status, c.Bytes, c.Outcome, c.Duration = r.status, r.bytes, outcome, took
	if r.status == 0 && outcome == observe.OK {
		c.Status = http.StatusOK
	}
	if r.lease != nil {
		c.Bytes = max(c.Bytes, r.lease.Bytes())
	}
	if !r.who.User.IsZero() {
		c.User = r.who.User.String()
	}
	c.Session = string(r.who.Session)
	c.Agent, c.Workspace = r.who.Agent, string(r.who.Workspace)
	sink.End(c)
}

func (r *response) outcome() observe.Outcome {
	kind := problem.KindOf(r.err)
	switch {
	case r.lease != nil && !r.lease.Reason().IsZero():
		return observe.Cut
	case r.err != nil && kind == problem.SignInNeeded:
		return observe.SignIn
	case r.err != nil && (kind == problem.Denied || isReason(r.err)):
		return observe.Denied
	case !r.ended:
		return observe.Broken
	case r.status >= 500:
		return observe.ServerError
	case r.status >= 400:
		return observe.ClientError
	default:
		return observe.OK
	}
}

// isReason reports whether a decision is behind the error, also where it shows as something that is not there.
func isReason(err error) bool {
	_, ok := errors.AsType[access.Reason](err)
	return ok
}

// Decided notes what was decided for the request that is being served; lease is nil where it was not allowed. It is what
// an access.Engine calls at the end of Open.
func Decided(ctx context.Context, q access.Request, d access.Decision, lease *access.Lease) {
	w, ok := ctx.Value(principalKey{}).(*response)
	if !ok {
		return
	}
	if lease != nil {
		w.lease = lease
	}
	if c := w.record; c != nil {
		c.Reach(observe.Opened)
		c.Action, c.Resource, c.Project = string(q.Action), q.Resource.String(), string(q.Resource.Project)
		c.Effect, c.Code = d.Effect.String(), string(d.Code)
	}
}
