package scim

import (
	"encoding/json"
	"strings"
	"time"
)

const present = "pr"

// comparisons are the operators with a value, on text.
var comparisons = map[string]func(have, want string) bool{
	"eq": func(have, want string) bool { return have == want },
	"ne": func(have, want string) bool { return have == want }, // and then the opposite
	"co": strings.Contains,
	"sw": strings.HasPrefix,
	"ew": strings.HasSuffix,
	"gt": func(have, want string) bool { return have > want },
	"ge": func(have, want string) bool { return have >= want },
	"lt": func(have, want string) bool { return have < want },
	"le": func(have, want string) bool { return have <= want },
}

// compare is an attribute with an operator and a value.
type compare struct {
	ref
	op    string
	value any       // string, bool, nil for null; json.Number only of what no schema knows
	time  time.Time // of a dateTime
}

// match is true when any of the attribute's values compares so. "ne" is the opposite of "eq": also what is not there is not
// equal.
func (c compare) match(o map[string]any) bool {
	found := false
	c.each(o, func(v any) bool {
		found = c.matchOne(v)
		return !found
	})
	switch {
	case c.op == present || c.value != nil && c.op != "ne":
		return found
	case c.value == nil: // found says that there is a value
		return found == (c.op == "ne")
	}
	return !found
}

func (c compare) matchOne(v any) bool {
	if c.op == present || c.value == nil {
		return !isEmpty(v)
	}
	want, isText := c.value.(string)
	if !isText {
		return v == c.value
	}
	have, isText := v.(string)
	switch {
	case !isText:
		return false
	case c.last().Type == typeDateTime:
		at, err := timeOf(have)
		if err != nil {
			return false
		}
		if c.op == "co" || c.op == "sw" || c.op == "ew" {
			return comparisons[c.op](have, want)
		}
		return comparisons[c.op](at.UTC().Format(sortable), c.time.UTC().Format(sortable))
	case !c.last().CaseExact:
		have, want = Fold(have), Fold(want)
	}
	return comparisons[c.op](have, want)
}

// sortable writes a time so that text sorts as time does.
const sortable = "2006-01-02T15:04:05.000000000"

func timeOf(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }

func isEmpty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// equality is the comparison as one that a store can look up.
func (c compare) equality() (Equality, bool) {
	value, ok := c.value.(string)
	if c.op != "eq" || !ok || c.attr == nil || c.last().Type == typeDateTime {
		return Equality{}, false
	}
	return Equality{Attribute: c.text, Value: value, CaseExact: c.last().CaseExact}, true
}

func (c compare) write(b *strings.Builder) {
	b.WriteString(c.text)
	b.WriteByte(' ')
	b.WriteString(c.op)
	if c.op == present {
		return
	}
	b.WriteByte(' ')
	switch v := c.value.(type) {
	case string:
		b.WriteString(quote(v))
	case bool:
		if v {
			b.WriteString("true")
		} else {
			b.WriteString("false")
		}
	case json.Number:
		b.WriteString(string(v))
	default:
		b.WriteString("null")
	}
}
