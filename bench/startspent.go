package main

import (
	"slices"
	"time"

	"github.com/lanyardhq/lanyard/api"
)

// spent is where the time of starts goes: after each line that a start says, until the next one.
type spent struct {
	lines []string // in the order in which they are said
	took  map[string][]float64
}

// add notes one start: what it said, and when its terminal had its prompt.
func (s *spent) add(lines []api.Progress, ended time.Time) {
	if s.took == nil {
		s.took = map[string][]float64{}
	}
	for i, l := range lines {
		until := ended
		if i+1 < len(lines) {
			until = lines[i+1].At
		}
		if !slices.Contains(s.lines, l.Text) {
			s.lines = append(s.lines, l.Text)
		}
		s.took[l.Text] = append(s.took[l.Text], ms(until.Sub(l.At)))
	}
}

// tell says the medians.
func (s *spent) tell(what string) {
	tell("  where the time of %s goes, in ms:", what)
	for _, text := range s.lines {
		tell("  %8.1f  after %q", median(s.took[text]), text[:min(len(text), 100)])
	}
}
