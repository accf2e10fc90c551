package observe

import (
	"math/rand/v2"
	"sync/atomic"
)

// stripes is over how many cache lines a counter is spread, a power of two. Two requests rarely meet on one of them.
const stripes = 8

// stripe fills a cache line, and the one that processors fetch along with it.
type stripe struct {
	n atomic.Int64
	_ [120]byte
}

// Counter counts events. The zero Counter is ready; it takes no lock.
type Counter struct{ parts [stripes]stripe }

// Add counts n more.
func (c *Counter) Add(n int64) { c.parts[rand.Uint32()%stripes].n.Add(n) }

// Value is what was counted so far. Events that are counted meanwhile may or may not be in it.
func (c *Counter) Value() int64 {
	var sum int64
	for i := range c.parts {
		sum += c.parts[i].n.Load()
	}
	return sum
}
