package telemetry

import (
	"crypto/rand"
	"encoding/hex"
	"net/http"

	"github.com/lanyardhq/lanyard/internal/observe"
)

// Sink is where requests' records go. Either part may be nil.
type Sink struct {
	Records *Records
	Traces  *Traces
	// Inside reports whether a request came through a workspace's tunnel.
	Inside func(*http.Request) bool
}

// Begin implements observe.Sink.
func (s Sink) Begin(q *observe.Request, r *http.Request) {
	var id [12]byte
	rand.Read(id[:])
	q.ID = hex.EncodeToString(id[:])
	if s.Traces != nil {
		s.Traces.begin(q, r, s.Inside(r))
	}
}

// End implements observe.Sink.
func (s Sink) End(q *observe.Request) {
	if s.Traces != nil {
		s.Traces.end(q)
	}
	if s.Records != nil {
		s.Records.add(q)
	}
}
