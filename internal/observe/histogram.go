package observe

import (
	"math/rand/v2"
	"sync/atomic"
	"time"
)

// Bounds are the upper bounds of a Histogram's buckets; one more takes what is above them all.
var Bounds = [...]time.Duration{
	50 * time.Microsecond, 100 * time.Microsecond, 250 * time.Microsecond, 500 * time.Microsecond,
	time.Millisecond, 2500 * time.Microsecond, 5 * time.Millisecond, 10 * time.Millisecond, 25 * time.Millisecond,
	50 * time.Millisecond, 100 * time.Millisecond, 250 * time.Millisecond, 500 * time.Millisecond,
	time.Second, 2500 * time.Millisecond, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 10 * time.Minute,
}

// Histogram counts durations by how long they were. The zero Histogram is ready; it takes no lock.
type Histogram struct {
	parts [stripes]struct {
		buckets [len(Bounds) + 1]atomic.Int64
		sum     atomic.Int64 // nanoseconds
		_       [80]byte     // the stripes end where cache lines do
	}
}

// Observe counts one duration.
func (h *Histogram) Observe(d time.Duration) {
	i := 0
	for i < len(Bounds) && d > Bounds[i] {
		i++
	}
	p := &h.parts[rand.Uint32()%stripes]
	p.buckets[i].Add(1)
	p.sum.Add(int64(d))
}

// Totals are what a Histogram holds: Below[i] is how many were at most Bounds[i].
type Totals struct {
	Count int64
	Sum   time.Duration
	Below [len(Bounds)]int64
}

// Totals adds up what was counted so far.
func (h *Histogram) Totals() Totals {
	var t Totals
	for s := range h.parts {
		for i := range Bounds {
			t.Below[i] += h.parts[s].buckets[i].Load()
		}
		t.Count += h.parts[s].buckets[len(Bounds)].Load()
		t.Sum += time.Duration(h.parts[s].sum.Load())
	}
	var upTo int64
	for i := range t.Below {
		upTo += t.Below[i]
		t.Below[i] = upTo
	}
	t.Count += upTo
	return t
}
