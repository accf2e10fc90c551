package apiserver

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

const (
	eventStream = "text/event-stream"
	heartbeat   = 15 * time.Second // so that a reader that has gone is noticed
	writeWithin = 10 * time.Second // a reader that takes nothing for so long is dropped
)

// stream writes server-sent events.
type stream struct {
	w  http.ResponseWriter
	rc *http.ResponseController
}

// send writes one event whose data is JSON.
func (s stream) send(name string, v any) error {
	b, err := problem.JSON(v)
	if err != nil {
		return err
	}
	return s.raw(fmt.Sprintf("event: %s\ndata: %s\n\n", name, b))
}

func (s stream) beat() error { return s.raw(": \n\n") }

func (s stream) raw(text string) error {
	_ = s.rc.SetWriteDeadline(time.Now().Add(writeWithin)) // a recorder in a test has no deadlines
	if _, err := s.w.Write([]byte(text)); err != nil {
		return err
	}
	return s.rc.Flush()
}

// unfinished closes what a stream goes over, unless the stream has said its last event: who was told that it is over takes it
// for whole, and browsers complain of an answer that breaks off.
type unfinished struct {
	line     io.Closer
	finished atomic.Bool
}

// Close implements io.Closer.
func (u *unfinished) Close() error {
	if u.finished.Load() {
		return nil
	}
	return u.line.Close()
}

// closing is the last event of a stream whose access ended.
type closing struct {
	Reason string      `json:"reason"`
	Code   access.Code `json:"code"`
}

// streamed serves events with a lease on what choose says. When the lease is cut, the last event says why. What
// write returns ends the stream; a reader that has gone is no error.
func (s *server) streamed(choose chooser, write func(context.Context, *http.Request, stream) error) web.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		action, resource, err := choose(r, web.PrincipalFrom(r.Context()))
		if err != nil {
			return err
		}
		said := make(chan struct{})
		defer close(said)
		ctx, lease, err := s.c.Access.Open(r.Context(), s.request(r, action, resource), func(access.Reason) { <-said })
		if err != nil {
			return err
		}
		defer lease.End()
		line, release := web.Line(w, r)
		defer release()
		held := &unfinished{line: line}
		if line != nil {
			lease.Hold(held)
		}
		h := w.Header()
		h.Set("Content-Type", eventStream)
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		out := stream{w, http.NewResponseController(w)}
		if err := out.beat(); err != nil {
			return nil
		}
		err = write(ctx, r.WithContext(ctx), out)
		if reason := lease.Reason(); !reason.IsZero() {
			if out.send("closed", closing{reason.Text, reason.Code}) == nil { // the reader may have gone
				held.finished.Store(true)
			}
			return nil
		}
		_ = out.rc.SetWriteDeadline(time.Now().Add(writeWithin)) // for the end of the answer: the last event's may be over
		if err != nil && ctx.Err() == nil {
			s.c.Log.Debug("a stream of events ended", "path", r.URL.Path, "error", err)
		}
		return nil
	}
}
