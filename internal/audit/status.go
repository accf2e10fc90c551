package audit

import "time"

// Status is how the log is doing, for the operations site.
type Status struct {
	Leading bool
	Size    int64 // of the tree, as far as this process knows
	Lag     int64 // events that were given and are not in the index yet, when this process last looked
	Dropped int64 // events given to Later that could not be kept
	Exports []ExportStatus
	Problem string // why the log is not written, or a copy is not; empty when all is well
}

// ExportStatus is how far a receiver has come.
type ExportStatus struct {
	Name     string
	Position int64 // of the next event that it has not surely got
	Lag      int64 // events that it has not surely got
	Since    time.Time
	Problem  string // why it gets nothing; empty when all is well
}

// Status reports how the log is doing.
func (l *Log) Status() Status {
	s := Status{Leading: l.leader.leading.Load(), Size: l.leader.known.Load(), Dropped: l.later.dropped.Load()}
	if sizes := l.sizes.Load(); sizes != nil {
		s.Lag = max(0, sizes.Given-sizes.Indexed)
	}
	for _, e := range l.exports {
		s.Exports = append(s.Exports, e.status())
	}
	l.failing.Range(func(_, text any) bool {
		s.Problem = text.(string)
		return false
	})
	if p := l.leader.copies.problem(); s.Problem == "" && p != "" {
		s.Problem = p
	}
	return s
}
