package source

import (
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v4"
)

// MaxSize is how long a file that a person writes may be, in bytes.
const MaxSize = 1 << 20

// Reader reads one YAML file strictly and collects what is wrong in it.
type Reader struct {
	File     string
	Findings Findings
}

// Report notes what is wrong at v.
func (r *Reader) Report(v Value, format string, args ...any) {
	f := Finding{File: r.File, Message: fmt.Sprintf(format, args...)}
	if v.node != nil {
		f.Line, f.Column = v.node.Line, v.node.Column
	}
	r.Findings = append(r.Findings, f)
}

// Document reads text, which must be one YAML mapping. ok is false when nothing in it can be read; the reason is
// then among the findings.
func (r *Reader) Document(text string) (m Mapping, ok bool) {
	if len(text) > MaxSize {
		r.Report(Value{}, "the file is longer than %d KiB", MaxSize>>10)
		return Mapping{}, false
	}
	loader, err := yaml.NewLoader(strings.NewReader(text), yaml.WithUniqueKeys(false)) // Mapping reports duplicates itself, with both places
	if err != nil {
		r.Report(Value{}, "cannot be read as YAML: %v", err)
		return Mapping{}, false
	}
	var root, more yaml.Node
	if err := loader.Load(&root); err != nil {
		if errors.Is(err, io.EOF) {
			r.Report(Value{}, "the file is empty")
			return Mapping{}, false
		}
		r.syntax(err)
		return Mapping{}, false
	}
	if err := loader.Load(&more); err == nil {
		r.Report(Value{r: r, node: &more}, "a second YAML document begins here; write one document a file")
		return Mapping{}, false
	} else if !errors.Is(err, io.EOF) {
		r.syntax(err)
		return Mapping{}, false
	}
	node := &root
	if node.Kind == yaml.DocumentNode && len(node.Content) == 1 {
		node = node.Content[0]
	}
	before := len(r.Findings)
	r.refuseAliases(node)
	if len(r.Findings) > before {
		return Mapping{}, false
	}
	return Value{r: r, node: node}.Mapping()
}

func (r *Reader) syntax(err error) {
	var one *yaml.LoadError
	if errors.As(err, &one) {
		r.Findings = append(r.Findings, Finding{File: r.File, Line: one.Mark.Line, Column: one.Mark.Column, Message: "not valid YAML: " + one.Message})
		return
	}
	r.Report(Value{}, "not valid YAML: %v", err)
}

// refuseAliases keeps every value where it is read: what an alias stands for would be judged at another place, and
// a few nested ones grow without bound.
func (r *Reader) refuseAliases(n *yaml.Node) {
	v := Value{r: r, node: n}
	switch {
	case n.Kind == yaml.AliasNode:
		r.Report(v, "aliases (*%s) are not read here; write the value out", n.Value)
		return
	case n.Anchor != "":
		r.Report(v, "anchors (&%s) are not read here; write the value where it is used", n.Anchor)
		return
	}
	for _, c := range n.Content {
		r.refuseAliases(c)
	}
}

// Value is a value with its place. The zero Value has no place.
type Value struct {
	r    *Reader
	node *yaml.Node
}

// Place is the value's line and column.
func (v Value) Place() (line, column int) {
	if v.node == nil {
		return 0, 0
	}
	return v.node.Line, v.node.Column
}

// Report notes what is wrong with v.
func (v Value) Report(format string, args ...any) { v.r.Report(v, format, args...) }

// Finding makes a finding at v without noting it.
func (v Value) Finding(format string, args ...any) Finding {
	line, column := v.Place()
	return Finding{File: v.r.File, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

func (v Value) kind() string {
	switch v.node.Kind {
	case yaml.MappingNode:
		return "a mapping"
	case yaml.SequenceNode:
		return "a list"
	}
	switch v.node.ShortTag() {
	case "!!str":
		return "a text"
	case "!!bool":
		return "true or false"
	case "!!int", "!!float":
		return "a number"
	case "!!null":
		return "empty"
	default:
		return "a " + v.node.ShortTag()
	}
}

// Text reads a string. Numbers and the like want quotes, so that nothing is read as something else.
func (v Value) Text() (string, bool) {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!str" {
		if v.node.Kind == yaml.ScalarNode && v.node.ShortTag() != "!!null" {
			v.Report("is %s where a text is wanted; put it in quotes", v.kind())
		} else {
			v.Report("is %s where a text is wanted", v.kind())
		}
		return "", false
	}
	if v.node.Value == "" {
		v.Report("is empty")
		return "", false
	}
	return v.node.Value, true
}

// Number reads a number, whole or with a fraction.
func (v Value) Number() (float64, bool) {
	if v.node.Kind == yaml.ScalarNode && (v.node.ShortTag() == "!!int" || v.node.ShortTag() == "!!float") {
		if n, err := strconv.ParseFloat(v.node.Value, 64); err == nil && !math.IsNaN(n) && !math.IsInf(n, 0) {
			return n, true
		}
	}
	v.Report("is %s where a number is wanted", v.kind())
	return 0, false
}

// IsText reports whether the value is a string.
func (v Value) IsText() bool { return v.node.Kind == yaml.ScalarNode && v.node.ShortTag() == "!!str" }

// IsMapping reports whether the value is a mapping.
func (v Value) IsMapping() bool { return v.node.Kind == yaml.MappingNode }

// Bool reads true or false.
func (v Value) Bool() (bool, bool) {
	if v.node.Kind != yaml.ScalarNode || v.node.ShortTag() != "!!bool" {
		v.Report("is %s where true or false is wanted", v.kind())
		return false, false
	}
	return strings.EqualFold(v.node.Value, "true"), true
}

// Duration reads a positive duration such as 30m or 12h.
func (v Value) Duration() (time.Duration, bool) {
	if v.node.Kind != yaml.ScalarNode {
		v.Report("is %s where a duration such as 30m is wanted", v.kind())
		return 0, false
	}
	d, err := time.ParseDuration(v.node.Value)
	if err != nil || d <= 0 {
		v.Report("%q is not a duration; write a number and a unit, such as 90s, 30m or 12h", v.node.Value)
		return 0, false
	}
	return d, true
}

// List reads a list.
func (v Value) List() ([]Value, bool) {
	if v.node.Kind != yaml.SequenceNode {
		v.Report("is %s where a list is wanted", v.kind())
		return nil, false
	}
	out := make([]Value, len(v.node.Content))
	for i, n := range v.node.Content {
		out[i] = Value{r: v.r, node: n}
	}
	return out, true
}

// Mapping reads a mapping; each key may stand once.
func (v Value) Mapping() (Mapping, bool) {
	if v.node.Kind != yaml.MappingNode {
		v.Report("is %s where a mapping (key: value) is wanted", v.kind())
		return Mapping{}, false
	}
	m := Mapping{Value: v}
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		k, val := v.node.Content[i], v.node.Content[i+1]
		key := Entry{Key: k.Value, At: Value{r: v.r, node: k}, Value: Value{r: v.r, node: val}}
		if k.Kind != yaml.ScalarNode {
			key.At.Report("a key must be a word")
			continue
		}
		if first, twice := m.Find(k.Value); twice {
			key.At.Report("`%s` stands here a second time; it is already on line %d", k.Value, first.At.node.Line)
			continue
		}
		m.Entries = append(m.Entries, key)
	}
	return m, true
}

// Entry is a key of a mapping with its value.
type Entry struct {
	Key   string
	At    Value // the key's own place
	Value Value
}

// Mapping is a mapping with its keys in the file's order.
type Mapping struct {
	Value
	Entries []Entry
}

// Find finds a key.
func (m Mapping) Find(key string) (Entry, bool) {
	for _, e := range m.Entries {
		if e.Key == key {
			return e, true
		}
	}
	return Entry{}, false
}

// Keys refuses, by name, every key but the known ones. later holds keys that somebody may well write although they
// are not read, with what to say of them; empty says that they are not supported yet.
func (m Mapping) Keys(known []string, later map[string]string) {
	for _, e := range m.Entries {
		if slices.Contains(known, e.Key) {
			continue
		}
		if instead, planned := later[e.Key]; planned {
			if instead == "" {
				instead = "is not supported yet; remove it"
			}
			e.At.Report("`%s` %s", e.Key, instead)
			continue
		}
		if near := Nearest(e.Key, known); near != "" {
			e.At.Report("unknown key `%s`; did you mean `%s`?", e.Key, near)
			continue
		}
		e.At.Report("unknown key `%s`; known here: %s", e.Key, strings.Join(known, ", "))
	}
}

// Need finds a key and reports when it is missing.
func (m Mapping) Need(key string) (Entry, bool) {
	e, ok := m.Find(key)
	if !ok {
		m.Report("`%s` is missing", key)
	}
	return e, ok
}

// Located reads a text with its place.
func (v Value) Located() (Located, bool) {
	s, ok := v.Text()
	line, column := v.Place()
	return Located{Text: s, File: v.r.File, Line: line, Column: column}, ok
}

// Texts reads a list of texts; what is not a text is reported and left out.
func (v Value) Texts() []Located {
	list, _ := v.List()
	var out []Located
	for _, one := range list {
		if l, ok := one.Located(); ok {
			out = append(out, l)
		}
	}
	return out
}
