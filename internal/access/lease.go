package access

import (
	"context"
	"io"
	"maps"
	"sync"
	"sync/atomic"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// Goodbye is how long a protocol has to tell its peer why it ends, before its connections are closed.
const Goodbye = 200 * time.Millisecond

// Lease is an allowed access that is still open. Its holder calls End when the access ends by itself.
type Lease struct {
	ID      identity.LeaseID
	Request Request
	Opened  time.Time

	engine *Engine
	cancel context.CancelCauseFunc
	bye    func(Reason)

	decision atomic.Pointer[Decision]
	until    atomic.Int64 // decision.Until in Unix nanoseconds, 0 for never: read by the sweep without the lock
	checked  atomic.Int64 // when it was last decided, likewise
	bytes    atomic.Int64
	recorded atomic.Bool // its opening is in the audit log and its end is not
	visit    *visit      // that it is counted in, once it is recorded; nil for a Durable one
	links    [2]link     // its places in the index

	mu      sync.Mutex
	open    bool // Open has returned it: there is somebody to say goodbye to
	closed  bool // by End or by a cut, whichever came first
	notes   map[string]any
	reason  Reason
	closers []io.Closer
	late    bool          // a cut's goodbye is over: what is held from now on is closed at once
	over    bool          // a cut has closed the connections
	done    chan struct{} // closed then; made when somebody wants to know
}

// Decision is the latest decision that the lease rests on.
func (l *Lease) Decision() Decision {
	if d := l.decision.Load(); d != nil {
		return *d
	}
	return Decision{}
}

// Count adds to the bytes that the audit log's visit reports.
func (l *Lease) Count(bytes int64) { l.bytes.Add(bytes) }

// Bytes is what was counted so far.
func (l *Lease) Bytes() int64 { return l.bytes.Load() }

// Note adds a detail that is learnt while the access goes on to the audit entry of its end. Never a secret.
func (l *Lease) Note(key string, value any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.notes == nil {
		l.notes = map[string]any{}
	}
	l.notes[key] = value
}

// Notes are the details noted so far.
func (l *Lease) Notes() map[string]any {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.notes)
}

// Hold hands over a connection that a cut closes once the protocol's goodbye is over: at once, if that was before. A cut may
// come before its holder has handed over the connection that the goodbye is to be said on.
func (l *Lease) Hold(c io.Closer) {
	l.mu.Lock()
	late := l.late
	if !late {
		l.closers = append(l.closers, c)
	}
	l.mu.Unlock()
	if late {
		c.Close()
	}
}

// Reason says why the lease was cut; it is zero while it is open and when it ended by itself.
func (l *Lease) Reason() Reason {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.reason
}

// Cut is closed once a cut is over: the goodbye said, the connections closed.
func (l *Lease) Cut() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.done == nil {
		l.done = make(chan struct{})
		if l.over {
			close(l.done)
		}
	}
	return l.done
}

// Ask decides on one more operation of a protocol that goes on under this lease: a pushed ref, a channel, a
// statement. It answers nil when the operation is allowed now and the lease is still open.
func (l *Lease) Ask(action identity.Action, resource identity.Resource) error {
	l.mu.Lock()
	closed, reason := l.closed, l.reason
	l.mu.Unlock()
	switch {
	case !reason.IsZero():
		return refusal(reason)
	case closed:
		return problem.New(problem.Denied, "Not allowed: the access that this would be a part of has ended.")
	}
	e := l.engine
	request := l.Request
	request.Action, request.Resource, request.Stands = action, resource, nil
	d, _, cached := e.decide(e.Facts(), request, e.now(), alive{})
	e.figures.decided(d, cached)
	if d.Effect != Allow {
		e.offer(request, d)
		e.denied(request, *d)
		return d.Err(request)
	}
	return nil
}

// Interrupt cancels the lease's context for a cause of its holder's own, as Context.Cause tells. The access goes on until
// End.
func (l *Lease) Interrupt(cause error) { l.cancel(cause) }

// End says that the access ended by itself. Calling it again, or after a cut, does nothing.
func (l *Lease) End() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	l.closers = nil
	l.mu.Unlock()
	l.engine.index.remove(l)
	l.cancel(context.Canceled)
	l.engine.visits.end(l)
	l.engine.changed.ring()
}

// cut closes the lease because of a reason: the holder's context is cancelled with the reason as its cause, the
// protocol says goodbye, and then its connections are closed under it. It returns at once; neither the audit log
// nor the peer can make it wait. Only the first cut, or an End before it, counts.
func (l *Lease) cut(r Reason) bool {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return false
	}
	l.closed = true
	l.reason = r
	open := l.open
	l.mu.Unlock()

	l.engine.index.remove(l)
	l.engine.ended.add(l, r, l.engine.now()) // before the peer can notice, come again and be told why
	l.cancel(r)
	l.engine.figures.cuts[codeIndex(r.Code)].Add(1)
	go l.close(r, open, time.Now())
	return true
}

func (l *Lease) close(r Reason, open bool, since time.Time) {
	var once sync.Once
	finish := func() { once.Do(func() { l.finish(r, since) }) }
	if l.bye != nil && open {
		timer := time.AfterFunc(Goodbye, finish)
		l.bye(r)
		timer.Stop()
	}
	finish()
}

// finish closes the connections after a cut.
func (l *Lease) finish(r Reason, since time.Time) {
	l.mu.Lock()
	closers := l.closers
	l.closers, l.late = nil, true
	l.mu.Unlock()
	for _, c := range closers {
		c.Close()
	}
	l.engine.figures.closing.Observe(time.Since(since))
	l.engine.visits.cut(l, r)
	l.engine.changed.ring()
	l.mu.Lock()
	l.over = true
	if l.done != nil {
		close(l.done)
	}
	l.mu.Unlock()
}

// begin marks the lease as handed out. It reports false when a cut came first.
func (l *Lease) begin() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.open = !l.closed
	return l.open
}

// settle gives the lease a new decision. It reports false when the lease is closed already.
func (l *Lease) settle(d *Decision, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.decision.Store(d)
	if d.Until.IsZero() {
		l.until.Store(0)
	} else {
		l.until.Store(d.Until.UnixNano())
	}
	l.checked.Store(now.UnixNano())
	return true
}
