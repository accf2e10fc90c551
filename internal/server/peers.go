package server

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/store"
)

// peers are the other replicas, as far as this one knows. A workspace's tunnel ends at the replica of its node; what
// people ask of it elsewhere is decided there, under a lease there, and passed on to that replica, which decides nothing.
type peers struct {
	own      string // where others reach this replica; empty: nowhere
	listener net.Listener
	client   *http.Transport

	mu     sync.Mutex
	byNode map[string]store.Replica
	passed map[identity.WorkspaceID]int // requests for workspaces here that other replicas pass on now
}

func (p *peers) address() string { return p.own }

// learn takes over who is there.
func (p *peers) learn(all []store.Replica) {
	byNode := make(map[string]store.Replica, len(all))
	for _, r := range all {
		byNode[r.Node] = r
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.byNode = byNode
}

// of is the replica that runs a node's workspaces.
func (p *peers) of(node string) (store.Replica, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	r, ok := p.byNode[node]
	return r, ok
}

// inUse reports whether another replica has somebody in a workspace of this one.
func (p *peers) inUse(id identity.WorkspaceID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed[id] > 0
}

// use counts a request that another replica passes on, until done is called.
func (p *peers) use(id identity.WorkspaceID) (done func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.passed == nil {
		p.passed = map[identity.WorkspaceID]int{}
	}
	p.passed[id]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.passed[id]--; p.passed[id] == 0 {
			delete(p.passed, id)
		}
	}
}

// makePeers prepares to pass on to other replicas. Both sides prove that they have the installation's encryption key.
func (s *Server) makePeers() {
	s.peers.own, s.peers.listener = s.options.ReplicaAddress, s.options.Replicas
	s.peers.client = &http.Transport{
		TLSClientConfig: betweenReplicas(s.sealer), TLSHandshakeTimeout: 5 * time.Second, IdleConnTimeout: time.Minute, MaxIdleConnsPerHost: 16,
		DialContext: (&net.Dialer{Timeout: 3 * time.Second}).DialContext,
	}
}

// reach leads to the agents of workspaces, here or at another replica.
type reach struct{ s *Server }

// Client implements terminal.Hub.
func (r reach) Client(id identity.WorkspaceID) http.RoundTripper {
	node := r.s.elsewhere(id)
	if node == "" {
		return r.s.hub.Client(id)
	}
	return passed{r.s, id, node}
}

// passed sends requests for a workspace to its own replica.
type passed struct {
	s    *Server
	id   identity.WorkspaceID
	node string
}

// RoundTrip implements http.RoundTripper.
func (p passed) RoundTrip(r *http.Request) (*http.Response, error) {
	peer, ok := p.s.peers.of(p.node)
	switch {
	case !ok:
		return nil, problem.New(problem.Unavailable, "The workspace %s lives at the replica of node %s, which does not run now.", p.id, p.node)
	case peer.Address == "":
		return nil, problem.New(problem.Unavailable,
			"The workspace %s lives at another replica (node %s), which the others cannot reach: its configuration has no listen_replicas.", p.id, p.node)
	}
	out := r.Clone(r.Context())
	out.URL.Scheme, out.URL.Host, out.Host = "https", peer.Address, peer.Address
	out.URL.Path = "/" + string(p.id) + r.URL.Path
	out.URL.RawPath = ""
	answer, err := p.s.peers.client.RoundTrip(out)
	if err != nil {
		return nil, problem.Wrap(err, problem.Unavailable, "The replica that workspace %s lives at (node %s) cannot be reached.", p.id, p.node)
	}
	return answer, nil
}

// fromReplicas serves what other replicas pass on.
func (s *Server) fromReplicas() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		label, path, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/"), "/")
		id := identity.WorkspaceID(label)
		if row, ok := s.workspaces.Get(id); !ok || row.Node != s.replica.node {
			problem.Write(w, problem.New(problem.NotFound, "There is no workspace %s here.", id))
			return
		}
		defer s.peers.use(id)()
		pass := httputil.ReverseProxy{
			Transport: s.hub.Client(id), FlushInterval: -1,
			Rewrite: func(r *httputil.ProxyRequest) { r.Out.URL.Path, r.Out.URL.RawPath = "/"+path, "" },
			ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
				if !errors.Is(err, context.Canceled) {
					problem.Write(w, problem.Wrap(err, problem.Unavailable, "The workspace %s is not connected.", id))
				}
			},
		}
		pass.ServeHTTP(w, r)
	})
}
