package provisioning

import (
	"context"
	"errors"
	"time"
)

// State is how a provisioning job stands.
type State string

// The states of a job.
const (
	Idle        State = "Idle"
	Quarantined State = "Quarantine" // tried once a day
	Disabled    State = "Disabled"   // after four weeks of quarantine, until Restart
)

// Times of Entra's service.
const (
	Interval         = 40 * time.Minute // between cycles
	quarantineRetry  = 24 * time.Hour
	quarantineLength = 28 * 24 * time.Hour
	// A cycle in which this many objects failed, and no fewer than four in ten, leads to quarantine.
	manyFailures = 40
)

// Status says how the job stands.
type Status struct {
	State     State
	Since     time.Time // of the state
	LastCycle time.Time // end of the last cycle
	LastError string    // of the last cycle as a whole
	Cycles    int
	Changes   int // of the last cycle, or on demand since
	Failures  int // of the last cycle
}

// Status says how the job stands.
func (s *Service) Status() Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.status
}

// finished takes a cycle's end over into the status. s.mu is held.
func (s *Service) finished(looked int, err error) {
	now := s.now()
	s.status.LastCycle, s.status.LastError = now, ""
	s.status.Cycles++
	if err != nil {
		s.status.LastError = err.Error()
	}
	bad := err != nil || s.status.Failures >= manyFailures && s.status.Failures*10 >= looked*4
	switch {
	case !bad && s.status.State != Idle:
		s.status.State, s.status.Since = Idle, now
	case bad && s.status.State == Idle:
		s.status.State, s.status.Since = Quarantined, now
	case bad && s.status.State == Quarantined && now.Sub(s.status.Since) >= quarantineLength:
		s.status.State, s.status.Since = Disabled, now
	}
}

// Due is how long it is until the next cycle of [Service.Run]; never when the job is disabled.
func (s *Service) Due() (in time.Duration, ever bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	wait := Interval
	switch s.status.State {
	case Disabled:
		return 0, false
	case Quarantined:
		wait = quarantineRetry
	}
	return max(0, s.status.LastCycle.Add(wait).Sub(s.now())), s.settings.TenantURL != ""
}

// Run runs cycles when they are due, until ctx ends.
func (s *Service) Run(ctx context.Context) {
	const look = 5 * time.Second // settings come in between
	for {
		if in, ever := s.Due(); ever && in == 0 {
			if err := s.Cycle(ctx); err != nil && !errors.Is(err, context.Canceled) {
				s.log.Warn("a provisioning cycle failed", "error", err)
			}
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return
		}
	}
}
