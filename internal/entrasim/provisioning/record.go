package provisioning

import (
	"slices"
	"time"
)

// Action is what a record says was done.
type Action string

// The actions of the provisioning log.
const (
	Create  Action = "Create"
	Update  Action = "Update"
	Disable Action = "Disable"
	Delete  Action = "Delete"
	Other   Action = "Other"
)

// Outcome is how it went.
type Outcome string

// The outcomes of the provisioning log.
const (
	Success Outcome = "Success"
	Failure Outcome = "Failure"
	Skipped Outcome = "Skipped"
)

// Record is a line of the provisioning log.
type Record struct {
	Time    time.Time
	Action  Action
	Outcome Outcome
	Kind    string // User or Group
	Source  string // object ID
	Target  string // ID at the endpoint
	Name    string
	Changes []string // attribute paths
	Detail  string   // why it was skipped or failed
}

// recordsKept bounds the log.
const recordsKept = 10_000

// note adds a record, and keeps what failed for another time.
func (s *Service) note(r Record) {
	r.Time = s.now()
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) == recordsKept {
		s.records = slices.Delete(s.records, 0, recordsKept/10)
	}
	s.records = append(s.records, r)
	switch r.Outcome {
	case Failure:
		s.retry[r.Source] = struct{}{}
		s.status.Failures++
		s.log.Warn("provisioning failed", "action", r.Action, "kind", r.Kind, "object", r.Source, "error", r.Detail)
	case Success:
		s.status.Changes++
	}
}

// Log is the provisioning log, the oldest first; it is bounded.
func (s *Service) Log() []Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.records)
}
