package server

import (
	"sync"

	"github.com/lanyardhq/lanyard/internal/store"
)

// peers are the other replicas, as far as this one knows.
type peers struct {
	own string // where others reach this replica; empty: nowhere

	mu   sync.Mutex
	byNode map[string]store.Replica
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
