package observe

import "time"

// Site counts the requests of one site.
type Site struct {
	Name      string
	outcomes  [Outcomes]Counter
	durations Histogram
}

// Done counts a request that has ended. On a nil Site it does nothing.
func (s *Site) Done(o Outcome, took time.Duration) {
	if s == nil || o >= Outcomes {
		return
	}
	s.outcomes[o].Add(1)
	s.durations.Observe(took)
}

// Requests is how many requests ended so.
func (s *Site) Requests(o Outcome) int64 { return s.outcomes[o].Value() }

// Durations are how long requests took, from their first line to the end of the answer.
func (s *Site) Durations() Totals { return s.durations.Totals() }
