package devfile

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"
)

// jsonTree reads JSON with comments and trailing commas.
func (r *reader) jsonTree(content string) (node, bool) {
	if nests(content) > deepest {
		r.report(Place{}, "the file's values nest too much")
		return node{}, false
	}
	if strings.TrimSpace(content) == "" {
		r.report(Place{}, "the file is empty")
		return node{}, false
	}
	value, err := hujson.Parse([]byte(content + "\n")) // a comment in the last line wants its end
	if err != nil {
		r.jsonError(err)
		return node{}, false
	}
	t := jsonText{text: content}
	for i, c := range []byte(content) {
		if c == '\n' {
			t.lines = append(t.lines, i+1)
		}
	}
	return t.node(r, value), true
}

// hujson says where it stopped in words only.
var hujsonPlace = regexp.MustCompile(`^hujson: line (\d+), column (\d+): (.*)$`)

func (r *reader) jsonError(err error) {
	m := hujsonPlace.FindStringSubmatch(err.Error())
	if m == nil {
		r.report(Place{}, "not valid JSON: %s", strings.TrimPrefix(err.Error(), "hujson: "))
		return
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	r.report(Place{line, column}, "not valid JSON: %s", m[3])
}

// nests is how deep brackets go, those in texts too: a bound, so that reading recurses no deeper than it.
func nests(content string) int {
	depth, most, quoted := 0, 0, false
	for i := 0; i < len(content); i++ {
		switch c := content[i]; {
		case quoted && c == '\\':
			i++
		case c == '"' || c == '\n':
			quoted = c == '"' && !quoted
		case quoted:
		case c == '{' || c == '[':
			depth++
			most = max(most, depth)
		case c == '}' || c == ']':
			depth--
		}
	}
	return most
}

// jsonText knows where lines begin.
type jsonText struct {
	text  string
	lines []int
}

func (t jsonText) place(offset int) Place {
	i := sort.SearchInts(t.lines, offset+1)
	start := 0
	if i > 0 {
		start = t.lines[i-1]
	}
	return Place{Line: i + 1, Column: utf8.RuneCountInString(t.text[start:min(offset, len(t.text))]) + 1}
}

func (t jsonText) node(r *reader, v hujson.Value) node {
	n := node{at: t.place(v.StartOffset)}
	switch value := v.Value.(type) {
	case *hujson.Object:
		n.kind = object
		for _, m := range value.Members {
			name, _ := m.Name.Value.(hujson.Literal)
			e := entry{key: name.String(), at: t.place(m.Name.StartOffset), value: t.node(r, m.Value)}
			if first, twice := n.find(e.key); twice {
				r.note(e.key, e.at, "stands here a second time and replaces the one on line %d", first.at.Line)
				n.entries = slices.DeleteFunc(n.entries, func(old entry) bool { return old.key == e.key })
			}
			n.entries = append(n.entries, e)
		}
	case *hujson.Array:
		n.kind = list
		for _, one := range value.Elements {
			n.items = append(n.items, t.node(r, one))
		}
	case hujson.Literal:
		switch value.Kind() {
		case '"':
			n.kind, n.text = text, value.String()
		case 't', 'f':
			n.kind, n.text = boolean, string(value)
		case '0':
			n.kind, n.text = number, string(value)
		}
	}
	return n
}

// raw writes a value as JSON again.
func (n node) raw() any {
	switch n.kind {
	case object:
		m := map[string]any{}
		for _, e := range n.entries {
			m[e.key] = e.value.raw()
		}
		return m
	case list:
		out := make([]any, len(n.items))
		for i, one := range n.items {
			out[i] = one.raw()
		}
		return out
	case text:
		return n.text
	case number:
		return json.Number(n.text)
	case boolean:
		return n.text == "true"
	}
	return nil
}

// json writes a value as JSON text.
func (n node) json() string {
	out, err := json.Marshal(n.raw())
	if err != nil { // a number that YAML knows and JSON does not
		return n.text
	}
	return string(out)
}
