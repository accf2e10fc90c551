package audit

import (
	"encoding/json"
	"fmt"
	"slices"
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
	ClearWrong FindingKind = "personal"   // personal values beside an event are not those that it commits to, or are gone unrecorded
	BadPruning FindingKind = "pruning"    // a statement about removed events is not signed by this log, or of another tree
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
	Pending     int64     `json:"pending"`       // durable events that no checkpoint covers yet and that nothing protects
	Pruned      int64     `json:"pruned"`        // of the first events: removed because of their age, by signed statements; their hashes fit the tree
	Erased      int64     `json:"erased"`        // events whose personal values were erased, as the log itself records
	Skipped     int64     `json:"skipped"`       // of the first events: not in the export; only its tree hashes vouch for them
	KeyFrom     string    `json:"key_from"`      // where the public key comes from that signatures were checked with
	Key         string    `json:"key"`           // that key's name and hash
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

// Where the public key may come from.
const (
	KeyFromDatabase = "database" // the one that is verified
	KeyGiven        = "given"
)

// KeyNote says where the key comes from.
func (r Report) KeyNote() string {
	if r.KeyFrom == KeyFromDatabase {
		return "taken from the same database, where who changes the log can put another; give the one that you keep with --key"
	}
	return r.KeyFrom
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
	if r.Key != "" {
		fmt.Fprintf(&b, "key         %s (%s)\n", r.Key, r.KeyNote())
	}
	if r.Skipped > 0 {
		fmt.Fprintf(&b, "begins      at event %d; what was before is taken from the export's tree hashes\n", r.Skipped)
	}
	if r.Pruned > 0 {
		fmt.Fprintf(&b, "removed     %s because of their age, by signed statement; their hashes fit\n", events(0, r.Pruned-1))
	}
	if r.Erased > 0 {
		fmt.Fprintf(&b, "erased      personal values of %s, as the log records\n", count(int(r.Erased), "event"))
	}
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

func (r *Report) has(kind FindingKind) bool {
	return slices.ContainsFunc(r.Findings, func(f Finding) bool { return f.Kind == kind })
}

func (r *Report) add(kind FindingKind, from, to int64, format string, args ...any) {
	if len(r.Findings) >= maxFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, Finding{kind, from, to, fmt.Sprintf(format, args...)})
}

// them is "it" or "them", for the same positions as events names.
func them(from, to int64) string {
	if from == to {
		return "it"
	}
	return "them"
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
