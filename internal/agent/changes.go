package agent

import "sync"

// changes wakes those who watch what goes on in the workspace. The zero value is ready.
type changes struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next change
}

// tell says that something may be different now.
func (c *changes) tell() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next != nil {
		close(c.next)
		c.next = nil
	}
}

// wait returns what is closed by the next change.
func (c *changes) wait() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.next == nil {
		c.next = make(chan struct{})
	}
	return c.next
}
