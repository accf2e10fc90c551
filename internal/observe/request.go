package observe

import (
	"context"
	"net/http"
	"time"
)

// Outcome is how a request ended.
type Outcome uint8

// The outcomes. Those of an app behind the gateway count as the app answered.
const (
	OK          Outcome = iota
	ClientError         // answered 4xx
	ServerError         // answered 5xx
	Denied              // refused by a decision
	SignIn              // nobody is signed in
	Cut                 // allowed, and cut when a fact changed
	Broken              // the peer or the upstream broke off
	Outcomes            // how many there are
)

var outcomeNames = [Outcomes]string{"ok", "client_error", "server_error", "denied", "sign_in", "cut", "broken"}

// String is the outcome's name in metrics and records.
func (o Outcome) String() string {
	if o >= Outcomes {
		return "unknown"
	}
	return outcomeNames[o]
}

// Step is a moment in the life of a request.
type Step uint8

// The steps, in the order in which a request comes to them.
const (
	Identified Step = iota // it is known who asks
	Opened                 // the decision was made, and recorded where it must be
	Connected              // there is a connection to the upstream
	FirstByte              // the upstream has begun to answer
	Steps
)

var stepNames = [Steps]string{"identify", "open", "connect", "first byte"}

// String is the step's name in traces.
func (s Step) String() string { return stepNames[s] }

// Request is the record of one request, filled in by whoever learns something. It belongs to the goroutine that serves
// the request; steps are noted there and, by the transport, before it goes on. Nothing in it is a secret: the path has
// no query.
type Request struct {
	ID     string // random; also in the answer's RequestHeader
	Site   string
	Method string
	Path   string
	IP     string
	Start  time.Time

	User, Session, Agent      string // who asked, by ID; Agent is an AI agent
	Workspace                 string
	Action, Resource, Project string
	Effect, Code              string // of the decision, where one was made
	Status                    int
	Bytes                     int64 // of the answer's body; an upgraded connection counts what both sides sent
	Outcome                   Outcome
	Duration                  time.Duration
	at                        [Steps]time.Duration // since Start; 0: not reached
	Trace                     Trace                // nil: not traced
}

// Trace is a request's place in a distributed trace.
type Trace interface {
	// Parent is the traceparent (W3C Trace Context) of what Lanyard calls for this request.
	Parent() string
}

// RequestHeader carries a request's ID in the answer, where records or traces are on.
const RequestHeader = "Lanyard-Request-Id"

// Sink takes the records of requests.
type Sink interface {
	// Begin is called before a request is served. It may set ID and Trace.
	Begin(*Request, *http.Request)
	// End is called once, when the answer has ended.
	End(*Request)
}

// Reach notes that the request has come to a step. A nil Request notes nothing.
func (r *Request) Reach(s Step) {
	if r != nil {
		r.at[s] = max(time.Since(r.Start), 1)
	}
}

// At is when the request came to a step, since its start; false if it did not.
func (r *Request) At(s Step) (time.Duration, bool) { return r.at[s], r.at[s] != 0 }

type requestKey struct{}

// With keeps the record for From.
func With(ctx context.Context, r *Request) context.Context {
	return context.WithValue(ctx, requestKey{}, r)
}

// From is the record of the request being served; nil where none is made.
func From(ctx context.Context) *Request {
	r, _ := ctx.Value(requestKey{}).(*Request)
	return r
}
