package agent

import (
	"encoding/json"
	"net/http"
	"reflect"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/tunnel/agentapi"
)

// shared are the addresses that both the server, over the tunnel, and the commands in the workspace reach.
func (a *Agent) shared(mux *http.ServeMux) {
	mux.HandleFunc("GET /v1/tasks", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.work.states()) })
	mux.HandleFunc("GET /v1/tasks/{id}/log", a.serveTaskLog)
	mux.HandleFunc("POST /v1/tasks/{id}/stop", a.serveTaskStop)
	mux.HandleFunc("GET /v1/ports", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.ports()) })
	mux.HandleFunc("GET /v1/watch", a.serveWatch)
	mux.HandleFunc("GET /v1/figures", func(w http.ResponseWriter, _ *http.Request) { answer(w, a.figures.measure(a)) })
	mux.HandleFunc("POST /v1/sync/{name}", a.serveSyncDone)
	mux.HandleFunc("GET /v1/sync/{name}", a.serveSyncAwait)
}

func answer(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(v) // who asked is gone if this fails
}

func (a *Agent) serveTaskLog(w http.ResponseWriter, r *http.Request) {
	j, log, _ := a.work.job(r.PathValue("id"))
	if j == nil {
		refuse(w, http.StatusNotFound, "There is no task "+printable(r.PathValue("id"))+"; `lanyard tasks list` shows those that there are.")
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if log != nil {
		_, _ = w.Write(replayable(log())) // who asked is gone if this fails
	}
}

func (a *Agent) serveTaskStop(w http.ResponseWriter, r *http.Request) {
	j, _, stop := a.work.job(r.PathValue("id"))
	if j == nil {
		refuse(w, http.StatusNotFound, "There is no task "+printable(r.PathValue("id"))+"; `lanyard tasks list` shows those that there are.")
		return
	}
	if stop != nil {
		a.change(func() { j.ended = true })
		stop()
	}
	w.WriteHeader(http.StatusNoContent)
}

// lookForPorts is how often somebody who watches is told of ports.
const lookForPorts = time.Second

// serveWatch answers with a line of agentapi.Now at once, and one whenever it is another.
func (a *Agent) serveWatch(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/x-ndjson")
	flusher, encoder := http.NewResponseController(w), json.NewEncoder(w)
	tick := time.NewTicker(lookForPorts)
	defer tick.Stop()
	var last *agentapi.Now
	for {
		changed := a.changes.wait()
		now := a.now()
		if last == nil || !reflect.DeepEqual(*last, now) {
			last = &now
			if encoder.Encode(now) != nil || flusher.Flush() != nil {
				return
			}
		}
		select {
		case <-r.Context().Done():
			return
		case <-changed:
		case <-tick.C:
		}
	}
}

func (a *Agent) now() agentapi.Now {
	a.mu.Lock()
	ready := a.done
	a.mu.Unlock()
	return agentapi.Now{Ready: ready, Tasks: a.work.states(), Ports: a.ports(), Terminals: a.terminals.names()}
}

// maxSyncs bounds the names that processes may wait for.
const maxSyncs = 1000

// syncs are the names that processes wait for.
type syncs struct {
	mu    sync.Mutex
	names map[string]chan struct{}
}

// of is closed when the name is done; nil where there are too many.
func (s *syncs) of(name string) chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.names[name]
	if c == nil && len(s.names) < maxSyncs {
		if s.names == nil {
			s.names = map[string]chan struct{}{}
		}
		c = make(chan struct{})
		s.names[name] = c
	}
	return c
}

func (s *syncs) done(name string) bool {
	c := s.of(name)
	if c == nil {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-c:
	default:
		close(c)
	}
	return true
}

const tooManySyncs = "There are too many names to wait for in this workspace."

func (a *Agent) serveSyncDone(w http.ResponseWriter, r *http.Request) {
	if !a.syncs.done(r.PathValue("name")) {
		refuse(w, http.StatusTooManyRequests, tooManySyncs)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (a *Agent) serveSyncAwait(w http.ResponseWriter, r *http.Request) {
	c := a.syncs.of(r.PathValue("name"))
	if c == nil {
		refuse(w, http.StatusTooManyRequests, tooManySyncs)
		return
	}
	select {
	case <-c:
		w.WriteHeader(http.StatusNoContent)
	case <-r.Context().Done():
	}
}
