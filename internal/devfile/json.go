package devfile

import (
	"encoding/json"
	"errors"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/tailscale/hujson"

	"github.com/lanyardhq/lanyard/internal/jsonc"
)

// jsonTree reads JSON with comments and trailing commas.
func (r *reader) jsonTree(content string) (node, bool) {
	if strings.TrimSpace(content) == "" {
		r.report(Place{}, "the file is empty")
		return node{}, false
	}
	value, err := jsonc.Parse([]byte(content))
	if err != nil {
		r.jsonError(err)
		return node{}, false
	}
	t := jsonText{text: content, line: 1, column: 1}
	return t.node(r, value), true
}

// hujson says where it stopped in words only.
var hujsonPlace = regexp.MustCompile(`^hujson: line (\d+), column (\d+): (.*)$`)

func (r *reader) jsonError(err error) {
	m := hujsonPlace.FindStringSubmatch(err.Error())
	if errors.Is(err, jsonc.ErrDeep) {
		r.report(Place{}, "the file's values nest too much")
		return
	}
	if m == nil {
		r.report(Place{}, "not valid JSON: %s", strings.TrimPrefix(err.Error(), "hujson: "))
		return
	}
	line, _ := strconv.Atoi(m[1])
	column, _ := strconv.Atoi(m[2])
	r.report(Place{line, column}, "not valid JSON: %s", m[3])
}

// jsonText knows the line and column of an offset. Offsets are asked for in their order, so that a long line is read once.
type jsonText struct {
	text                 string
	offset, line, column int
}

func (t *jsonText) place(offset int) Place {
	for offset = min(offset, len(t.text)); t.offset < offset; {
		c, size := utf8.DecodeRuneInString(t.text[t.offset:])
		t.offset += size
		t.column++
		if c == '\n' {
			t.line++
			t.column = 1
		}
	}
	return Place{Line: t.line, Column: t.column}
}

func (t *jsonText) node(r *reader, v hujson.Value) node {
	n := node{at: t.place(v.StartOffset)}
	switch value := v.Value.(type) {
	case *hujson.Object:
		n.kind = object
		seen := make(map[string]int, len(value.Members))
		for _, m := range value.Members {
			name, _ := m.Name.Value.(hujson.Literal)
			e := entry{key: name.String(), at: t.place(m.Name.StartOffset)}
			e.value = t.node(r, m.Value)
			if i, twice := seen[e.key]; twice {
				r.note(e.key, e.at, "stands here a second time and replaces the one on line %d", n.entries[i].at.Line)
				n.entries[i] = e
				continue
			}
			seen[e.key] = len(n.entries)
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
