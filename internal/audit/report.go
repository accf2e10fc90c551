package audit

import (
	"encoding/json"
	"fmt"
	"strings"
)

// FindingKind says what is wrong with a log.
type FindingKind string

const (
	Changed    FindingKind = "changed"    // an event's bytes are not those that were signed
	Dropped    FindingKind = "dropped"    // an event inside the log is missing
	Swapped    FindingKind = "swapped"    // an event stands where another one was signed
	Truncated  FindingKind = "truncated"  // events at the end that were signed are missing
	Rewritten  FindingKind = "rewritten"  // events and hashes fit each other, but not what was signed
	HashWrong  FindingKind = "hash"       // a stored hash is wrong; the events are intact
	IndexWrong FindingKind = "index"      // what an event is found by is not what it says
	BadSign    FindingKind = "checkpoint" // a stored checkpoint's signature or content is bad
	BadCopy    FindingKind = "copy"       // the copy cannot be used, or signs another log
	Unsigned   FindingKind = "unsigned"   // events that no checkpoint covers
)

// Finding is one thing that is wrong. From and To are positions of events, both included; for a checkpoint, both are
// its size.
type Finding struct {
	Kind   FindingKind `json:"kind"`
	From   int64       `json:"from"`
	To     int64       `json:"to"`
	Detail string      `json:"detail"`
}

// maxFindings bounds a report; the rest is counted.
const maxFindings = 200

// Report is what Verify found.
type Report struct {
	Origin      string    `json:"origin"`
	Size        int64     `json:"size"`          // events that were checked
	Root        string    `json:"root"`          // of the tree that they make
	Checkpoints int       `json:"checkpoints"`   // of the database, with good signatures
	Copied      int       `json:"copied"`        // of the copy, with good signatures
	Complete    int64     `json:"complete"`      // the first so many events are proven to be all; 0 without a copy
	Incomplete  int       `json:"cut_in_copy"`   // notes in the copy that an interrupted write left behind
	Pending     int       `json:"pending"`       // durable events that are not in the log yet and that nothing protects; counted up to a bound
	Findings    []Finding `json:"findings"`      // empty when nothing is wrong
	More        int       `json:"more,omitzero"` // findings beyond those
}

// OK reports whether nothing is wrong with what could be checked.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// Conclusion is the report in one sentence.
func (r Report) Conclusion() string {
	switch {
	case !r.OK():
		return fmt.Sprintf("not intact: %s", count(len(r.Findings)+r.More, "finding"))
	case r.Complete == 0:
		return "consistent, completeness unproven (without a copied checkpoint, events cut off the end and a log signed anew do not show)"
	case r.Complete < r.Size:
		return fmt.Sprintf("consistent; complete up to event %d by the copied checkpoint, completeness of the %s after it unproven",
			r.Complete-1, count(int(r.Size-r.Complete), "event"))
	default:
		return "consistent and complete"
	}
}

// String is the report for a person.
func (r Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "log         %s\n", r.Origin)
	fmt.Fprintf(&b, "events      %d", r.Size)
	if r.Pending > 0 {
		fmt.Fprintf(&b, ", and %d not in the log yet", r.Pending)
	}
	fmt.Fprintf(&b, "\nroot        %s\n", r.Root)
	fmt.Fprintf(&b, "checkpoints %d, copied ones %d", r.Checkpoints, r.Copied)
	if r.Incomplete > 0 {
		fmt.Fprintf(&b, ", and %d cut short by an interrupted write", r.Incomplete)
	}
	b.WriteByte('\n')
	for _, f := range r.Findings {
		fmt.Fprintf(&b, "WRONG       %s\n", f.Detail)
	}
	if r.More > 0 {
		fmt.Fprintf(&b, "WRONG       and %d more\n", r.More)
	}
	fmt.Fprintf(&b, "conclusion  %s\n", r.Conclusion())
	return b.String()
}

// MarshalJSON adds the conclusion.
func (r Report) MarshalJSON() ([]byte, error) {
	type fields Report
	if r.Findings == nil {
		r.Findings = []Finding{}
	}
	return json.Marshal(struct {
		OK         bool   `json:"ok"`
		Conclusion string `json:"conclusion"`
		fields
	}{r.OK(), r.Conclusion(), fields(r)})
}

func (r *Report) add(kind FindingKind, from, to int64, format string, args ...any) {
	if len(r.Findings) >= maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{kind, from, to, fmt.Sprintf(format, args...)})
}

// events names positions: "event 3", "events 3 to 5".
func events(from, to int64) string {
	if from == to {
		return fmt.Sprintf("event %d", from)
	}
	return fmt.Sprintf("events %d to %d", from, to)
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	if strings.HasSuffix(of, "sh") {
		of += "e"
	}
	return fmt.Sprintf("%d %ss", n, of)
}
