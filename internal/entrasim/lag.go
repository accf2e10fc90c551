package entrasim

import (
	"slices"
	"time"
)

// moment says up to which number the directory had changed before a time.
type moment struct {
	Before int64
	At     time.Time
}

// noteMoment remembers when a change was made while deltas lag behind. t.mu is held.
func (t *Tenant) noteMoment(before int64) {
	if lag := t.faults.lag(); lag > 0 {
		now := t.now()
		t.moments = slices.DeleteFunc(t.moments, func(m moment) bool { return !m.At.After(now.Add(-lag)) })
		t.moments = append(t.moments, moment{before, now})
	}
}

// horizon is the number of the last change that a delta query tells of by now. t.mu is held.
func (t *Tenant) horizon() int64 {
	lag := t.faults.lag()
	if lag == 0 {
		t.moments = nil
		return t.dir.Seq
	}
	for _, m := range t.moments {
		if m.At.After(t.now().Add(-lag)) {
			return m.Before
		}
	}
	return t.dir.Seq
}

func (at *faults) lag() time.Duration {
	return at.seconds(func(f Faults) float64 { return f.DeltaLagSeconds })
}

// replication is how long new objects are unknown.
func (at *faults) replication() time.Duration {
	return at.seconds(func(f Faults) float64 { return f.ReplicationLagSeconds })
}

func (at *faults) signInLog() time.Duration {
	return at.seconds(func(f Faults) float64 { return f.SignInLogLagSeconds })
}

func (at *faults) seconds(of func(Faults) float64) time.Duration {
	if !at.active.Load() {
		return 0
	}
	at.mu.Lock()
	defer at.mu.Unlock()
	return time.Duration(of(at.set) * float64(time.Second))
}
