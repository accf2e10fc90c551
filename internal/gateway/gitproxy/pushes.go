package gitproxy

import (
	"sync"

	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/problem"
)

// maxPushes is how many pushes of one session may be under way. Each holds its list of refs in memory, up to maxCommands;
// without a bound one workspace could take the server's.
const maxPushes = 16

// pushes counts those under way by session.
type pushes struct {
	mu  sync.Mutex
	now map[identity.SessionID]int
}

// begin takes a place; whoever gets one calls end.
func (p *pushes) begin(s identity.SessionID) (end func(), err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.now[s] >= maxPushes {
		return nil, problem.New(problem.Unavailable, "%d pushes of this workspace are under way, which is the most there may be; wait until one has ended.", maxPushes)
	}
	if p.now == nil {
		p.now = map[identity.SessionID]int{}
	}
	p.now[s]++
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.now[s]--; p.now[s] == 0 {
			delete(p.now, s)
		}
	}, nil
}
