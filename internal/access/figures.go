package access

import "github.com/lanyardhq/lanyard/internal/observe"

// codes are all codes of a denial, for counting them without a map.
var codes = [...]Code{
	NotSignedIn, SessionEnded, AccountGone, Disabled, StaleDirectory, StaleReplica, OutsideProject, NoRole, NotPermitted, StepUpNeeded,
	ApprovalNeeded, NotDelegated, PolicyError, Revoked, Shutdown, "other",
}

// figures are what an engine counts. The zero value is ready; counting takes no lock.
type figures struct {
	allowed [2]observe.Counter                        // [1]: from the cache
	refused [Approval + 1][len(codes)]observe.Counter // by effect and code
	cuts    [len(codes)]observe.Counter
	closing observe.Histogram
}

func codeIndex(c Code) int {
	for i := range codes {
		if codes[i] == c {
			return i
		}
	}
	return len(codes) - 1
}

// decided counts a decision that somebody asked for.
func (f *figures) decided(d *Decision, cached bool) {
	switch {
	case d.Effect != Allow:
		f.refused[min(d.Effect, Approval)][codeIndex(d.Code)].Add(1)
	case cached:
		f.allowed[1].Add(1)
	default:
		f.allowed[0].Add(1)
	}
}

// Figures are an engine's counts since its start.
type Figures struct {
	Allowed, Cached int64 // Cached are those of Allowed that needed no evaluation
	Refused         []Refusals
	Cuts            map[Code]int64 // leases that were closed
	Closing         observe.Totals // from a cut to the end of its connections, the goodbye included
	Defects         int64          // leases that only the recheck closed
	Open            map[Open]int64 // leases that are open now
}

// Refusals are how often a decision was not to allow.
type Refusals struct {
	Effect, Code string
	Count        int64
}

// Open is a kind of open lease.
type Open struct{ Action, Principal string }

// Figures adds up what was counted. It looks at every open lease, so it is for the operations site alone.
func (e *Engine) Figures() Figures {
	f := Figures{
		Allowed: e.figures.allowed[0].Value() + e.figures.allowed[1].Value(), Cached: e.figures.allowed[1].Value(),
		Cuts: map[Code]int64{}, Open: map[Open]int64{}, Closing: e.figures.closing.Totals(), Defects: e.Defects(),
	}
	for effect := range e.figures.refused {
		for i, c := range codes {
			if n := e.figures.refused[effect][i].Value(); n > 0 {
				f.Refused = append(f.Refused, Refusals{Effect(effect).String(), string(c), n})
			}
		}
	}
	for i, c := range codes {
		if n := e.figures.cuts[i].Value(); n > 0 {
			f.Cuts[c] = n
		}
	}
	for l := range e.Leases {
		f.Open[Open{string(l.Request.Action), l.Request.Principal.Kind.String()}]++
	}
	return f
}
