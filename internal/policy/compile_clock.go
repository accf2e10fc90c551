package policy

import (
	"errors"
	"math"

	"github.com/cedar-policy/cedar-go/types"
	"github.com/cedar-policy/cedar-go/x/exp/ast"
)

// never is the moment of what time does not change, in milliseconds as all moments here.
const never = math.MaxInt64

// span is a moment, a duration or a count of time units as it is now and as it goes on: it changes by slope with
// every millisecond, up to (and not including) the moment until, where it jumps.
type span struct{ value, slope, until int64 }

type clockKind uint8

const (
	aMoment clockKind = iota
	aDuration
	aCount
)

// clock is a value of a condition that may depend on time.
type clock struct {
	kind clockKind
	eval func(*view) (span, error)
}

var (
	errNoSignIn = errors.New("the context has no attribute `signedIn`")
	errOverflow = errors.New("integer overflow")
)

func fixed(kind clockKind, value int64) clock {
	return clock{kind, func(*view) (span, error) { return span{value, 0, never}, nil }}
}

func (c compiler) clock(n ast.IsNode) (clock, bool) {
	switch n := n.(type) {
	case ast.NodeValue:
		switch value := n.Value.(type) {
		case types.Long:
			return fixed(aCount, int64(value)), true
		case types.Datetime:
			return fixed(aMoment, value.Milliseconds()), true
		case types.Duration:
			return fixed(aDuration, value.ToMilliseconds()), true
		}
	case ast.NodeTypeAccess:
		if !isNamed(n.Arg, "context") {
			return clock{}, false
		}
		switch n.Value {
		case "now":
			return clock{aMoment, func(v *view) (span, error) { return span{v.now(), 1, never}, nil }}, true
		case "signedIn":
			return clock{aMoment, func(v *view) (span, error) {
				if at := v.in.Context.SignedIn; !at.IsZero() {
					return span{at.UnixMilli(), 0, never}, nil
				}
				return span{}, errNoSignIn
			}}, true
		}
	case ast.NodeTypeExtensionCall:
		return c.clockCall(n)
	}
	return clock{}, false
}

// units are the counts that a duration can be asked for, in milliseconds.
var units = map[types.Path]int64{"toSeconds": 1000, "toMinutes": 60_000, "toHours": 3_600_000, "toDays": day}

const day = 86_400_000

func (c compiler) clockCall(n ast.NodeTypeExtensionCall) (clock, bool) {
	if at, ok := literal(n, "datetime", types.ParseDatetime); ok {
		return fixed(aMoment, at.Milliseconds()), true
	}
	if d, ok := literal(n, "duration", types.ParseDuration); ok {
		return fixed(aDuration, d.ToMilliseconds()), true
	}
	var args []clock
	for _, a := range n.Args {
		one, ok := c.clock(a)
		if !ok {
			return clock{}, false
		}
		args = append(args, one)
	}
	of := func(kinds ...clockKind) bool {
		if len(args) != len(kinds) {
			return false
		}
		for i, k := range kinds {
			if args[i].kind != k {
				return false
			}
		}
		return true
	}
	switch n.Name {
	case "offset":
		if of(aMoment, aDuration) {
			return combine(aMoment, args, 1), true
		}
	case "durationSince":
		if of(aMoment, aMoment) {
			return combine(aDuration, args, -1), true
		}
	case "toDate":
		if of(aMoment) {
			return stepped(aMoment, args[0], day, func(s span) span { return span{s.value - s.value%day, 0, s.until} }), true
		}
	case "toTime":
		if of(aMoment) {
			return stepped(aDuration, args[0], day, func(s span) span { return span{s.value % day, s.slope, s.until} }), true
		}
	case "toMilliseconds":
		if of(aDuration) {
			return clock{aCount, args[0].eval}, true
		}
	default:
		if unit := units[n.Name]; unit > 0 && of(aDuration) {
			return stepped(aCount, args[0], unit, func(s span) span { return span{s.value / unit, 0, s.until} }), true
		}
	}
	return clock{}, false
}

// combine adds or subtracts two spans.
func combine(kind clockKind, args []clock, sign int64) clock {
	left, right := args[0].eval, args[1].eval
	return clock{kind, func(v *view) (span, error) {
		a, err := left(v)
		if err != nil {
			return span{}, err
		}
		b, err := right(v)
		if err != nil {
			return span{}, err
		}
		value, ok := a.value+b.value, true
		if sign > 0 {
			ok = (value > a.value) == (b.value > 0)
		} else {
			value = a.value - b.value
			ok = (value > a.value) == (b.value < 0)
		}
		if !ok {
			return span{}, errOverflow
		}
		return span{value, a.slope + sign*b.slope, min(a.until, b.until)}, nil
	}}
}

// stepped is what shape makes of a span; it jumps whenever the span comes to another multiple of unit.
func stepped(kind clockKind, of clock, unit int64, shape func(span) span) clock {
	return clock{kind, func(v *view) (span, error) {
		s, err := of.eval(v)
		if err != nil {
			return span{}, err
		}
		if s.slope != 0 {
			s.until = min(s.until, after(v.now(), ceil(step(s.value, s.slope, unit), abs(s.slope))))
		}
		return shape(s), nil
	}}
}

// step is how far a value may go in the direction of slope before value/unit or value%unit jumps. Both are rounded
// towards zero, so what goes towards zero passes a multiple by one before it jumps.
func step(value, slope, unit int64) int64 {
	rest := abs(value % unit)
	if value >= 0 == (slope > 0) {
		return unit - rest
	}
	return rest + 1
}
