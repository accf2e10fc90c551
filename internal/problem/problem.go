// Package problem names the kinds of error that Lanyard's own interfaces tell apart, and carries the sentence
// that a person may see beside the error that only the log may see. One table maps kinds to HTTP status codes.
package problem

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// Kind is a kind of error. The zero Kind is Internal: what nobody classified is not shown.
type Kind uint8

const (
	Internal       Kind = iota // a fault of ours; the person sees no detail
	Invalid                    // the input is wrong
	SignInNeeded               // nobody is signed in
	Denied                     // decided, and refused
	NotFound                   // not there, or hidden from who asks
	Conflict                   // what is there does not allow it now
	TooLarge                   // over a stated bound
	Unavailable                // a part that is needed is down; trying again later may work
	BadUpstream                // what stands behind the gateway failed
	NoMethod                   // there, and does not answer to this HTTP method
	SlowUpstream               // what stands behind the gateway did not answer in time
	SlowRequest                // the request did not come in time
	TooMany                    // asked too often from one address
	StepUpNeeded               // a fresher or stronger sign-in would be enough; see Next
	ApprovalNeeded             // another person's approval would be enough; see Next
)

var kinds = [...]struct {
	name   string
	status int
	title  string
}{
	Internal:       {"internal", http.StatusInternalServerError, "Something failed inside Lanyard"},
	Invalid:        {"invalid", http.StatusBadRequest, "The request is not valid"},
	SignInNeeded:   {"sign-in-needed", http.StatusUnauthorized, "Sign in first"},
	Denied:         {"denied", http.StatusForbidden, "Not allowed"},
	NotFound:       {"not-found", http.StatusNotFound, "Not found"},
	Conflict:       {"conflict", http.StatusConflict, "Not possible in this state"},
	TooLarge:       {"too-large", http.StatusRequestEntityTooLarge, "Too large"},
	Unavailable:    {"unavailable", http.StatusServiceUnavailable, "Not available now"},
	BadUpstream:    {"bad-upstream", http.StatusBadGateway, "What stands behind Lanyard failed"},
	NoMethod:       {"no-method", http.StatusMethodNotAllowed, "Not by this method"},
	SlowUpstream:   {"slow-upstream", http.StatusGatewayTimeout, "What stands behind Lanyard is too slow"},
	SlowRequest:    {"slow-request", http.StatusRequestTimeout, "The request came too slowly"},
	TooMany:        {"too-many", http.StatusTooManyRequests, "Too often"},
	StepUpNeeded:   {"step-up-needed", http.StatusForbidden, "Sign in again first"},
	ApprovalNeeded: {"approval-needed", http.StatusForbidden, "Not without approval"},
}

// Status is the HTTP status code of a kind.
func (k Kind) Status() int { return kinds[k].status }

// String is the kind's name, the last segment of a problem document's type.
func (k Kind) String() string { return kinds[k].name }

// KindOfStatus is the inverse of Status, for clients; an unknown status is Internal. StepUpNeeded and ApprovalNeeded are
// kinds of Denied and share its status; a problem document's type tells them apart.
func KindOfStatus(status int) Kind {
	for k, v := range kinds {
		if v.status == status {
			return Kind(k)
		}
	}
	return Internal
}

// Error is an error with a kind and a sentence that a person may see.
type Error struct {
	Kind    Kind
	Message string // complete sentence or clause: who, what, and what to do next; never a secret
	Cause   error  // for the log alone
	Next    *Next  // what would help; nil where nothing is known to
	Help    *Help  // who can mend it, where another system refused; else nil
}

func (e *Error) Error() string {
	if e.Cause == nil {
		return e.Message
	}
	return e.Message + ": " + e.Cause.Error()
}

func (e *Error) Unwrap() error { return e.Cause }

// New returns an error of a kind whose message a person may see.
func New(k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...)}
}

// Wrap keeps cause for the log and shows the person the message.
func Wrap(cause error, k Kind, format string, args ...any) error {
	return &Error{Kind: k, Message: fmt.Sprintf(format, args...), Cause: cause}
}

// KindOf finds the kind of err; an error that nobody classified is Internal.
func KindOf(err error) Kind {
	var p *Error
	if errors.As(err, &p) {
		return p.Kind
	}
	return Internal
}

// Message is what a person may see of err.
func Message(err error) string {
	var p *Error
	if errors.As(err, &p) {
		return p.Message
	}
	if errors.Is(err, context.Canceled) {
		return "The request was cancelled."
	}
	return "Something failed inside Lanyard; its log says what."
}

// Document is a problem document (RFC 9457).
type Document struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	// Reasons are the facts and rules behind a denial.
	Reasons []string `json:"reasons,omitempty"`
	*Next
	Help *Help `json:"help,omitempty"`
}

// DocumentOf makes the problem document of err.
func DocumentOf(err error) Document {
	k := KindOf(err)
	return Document{Type: "urn:lanyard:problem:" + k.String(), Title: kinds[k].title, Status: k.Status(), Detail: Message(err), Next: next(err), Help: help(err)}
}

// Header names in an answer the kind of a problem that Lanyard itself has with the request. What comes from an upstream does not
// have it.
const Header = "Lanyard-Problem"

// WantsSignIn reports whether an answer is Lanyard's own that it does not know who asks: an upstream's 401 is about something
// else.
func WantsSignIn(resp *http.Response) bool {
	return resp.StatusCode == http.StatusUnauthorized && resp.Header.Get(Header) == SignInNeeded.String()
}

// Write answers with err as a problem document.
func Write(w http.ResponseWriter, err error) {
	d := DocumentOf(err)
	b, _ := JSON(d) // strings and numbers alone: it cannot fail
	w.Header().Set("Content-Type", "application/problem+json")
	w.Header().Set(Header, KindOf(err).String())
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Del("Content-Length")
	w.WriteHeader(d.Status)
	_, _ = w.Write(append(b, '\n')) // the peer is gone if this fails; nobody is left to tell
}
