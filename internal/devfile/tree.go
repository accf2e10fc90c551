package devfile

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/lanyardhq/lanyard/internal/source"
)

// kind is what a value is, in YAML as in JSON.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	object
)

var kindNames = [...]string{"empty", "true or false", "a number", "a text", "a list", "a mapping"}

// node is a value of either format with its place.
type node struct {
	kind    kind
	text    string // of a text; of a number or boolean, as it is written
	items   []node
	entries []entry
	at      Place
}

type entry struct {
	key   string
	at    Place
	value node
}

// find finds a key of an object.
func (n node) find(key string) (entry, bool) {
	for _, e := range n.entries {
		if e.key == key {
			return e, true
		}
	}
	return entry{}, false
}

// reader collects what is said of one file.
type reader struct {
	file     string
	findings source.Findings
	notes    []Note
	// lenient makes a refusal a note: what an image says of itself may hold without what it wishes.
	lenient bool
	// from goes before each note: who says it, where it is not the file.
	from string
}

func (r *reader) report(at Place, format string, args ...any) {
	r.findings = append(r.findings, source.Finding{File: r.file, Line: at.Line, Column: at.Column, Message: shown(fmt.Sprintf(format, args...))})
}

func (r *reader) note(key string, at Place, format string, args ...any) {
	r.notes = append(r.notes, Note{Key: shown(r.from + key), Text: shown(fmt.Sprintf(format, args...)), At: at})
}

// shown is a text that may hold words of the file, without what a terminal would obey.
func shown(s string) string {
	return strings.Map(func(c rune) rune {
		if unicode.IsPrint(c) || c == '\n' {
			return c
		}
		return '\uFFFD'
	}, s)
}

// refuse names what a repository may not ask for.
func (r *reader) refuse(key string, at Place, format string, args ...any) {
	if r.lenient {
		r.note(key, at, "is not given: "+format, args...)
		return
	}
	r.report(at, "`%s` is refused: %s", key, fmt.Sprintf(format, args...))
}

func (r *reader) wrong(key string, n node, want string) {
	r.report(n.at, "`%s` is %s where %s is wanted", key, kindNames[n.kind], want)
}

// text reads a text; one that is not there, or null, is empty.
func (r *reader) text(key string, n node) string {
	switch n.kind {
	case text:
		return n.text
	case null:
	default:
		r.wrong(key, n, "a text")
	}
	return ""
}

// words reads a text, a number or a boolean as the text that it is written as: values of variables and options.
func (r *reader) words(key string, n node) string {
	switch n.kind {
	case text, number, boolean:
		return n.text
	case null:
	default:
		r.wrong(key, n, "a text")
	}
	return ""
}

func (r *reader) bool(key string, n node) bool {
	if n.kind != boolean && n.kind != null {
		r.wrong(key, n, "true or false")
	}
	return n.kind == boolean && n.text == "true"
}

// whole reads a whole number that is not negative.
func (r *reader) whole(key string, n node) int64 {
	if n.kind != number {
		r.wrong(key, n, "a number")
		return 0
	}
	f, err := strconv.ParseFloat(n.text, 64)
	if err != nil || f < 0 || f != math.Trunc(f) || f >= 1<<62 {
		r.report(n.at, "`%s` is %s where a whole number is wanted", key, n.text)
		return 0
	}
	return int64(f)
}

// mostEntries bounds a list and a mapping: what follows compares their entries with each other.
const mostEntries = 2000

func (r *reader) list(key string, n node) []node {
	if n.kind != list && n.kind != null {
		r.wrong(key, n, "a list")
	}
	if len(n.items) > mostEntries {
		r.report(n.at, "`%s` has more than %d entries", key, mostEntries)
		return nil
	}
	return n.items
}

func (r *reader) texts(key string, n node) []string {
	var out []string
	for _, one := range r.list(key, n) {
		if s := r.text(key, one); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func (r *reader) object(key string, n node) []entry {
	if n.kind != object && n.kind != null {
		r.wrong(key, n, "a mapping")
	}
	if len(n.entries) > mostEntries {
		r.report(n.at, "`%s` has more than %d entries", key, mostEntries)
		return nil
	}
	return n.entries
}

// unknown names a key that nobody reads.
func (r *reader) unknown(e entry, prefix string, known []string) {
	if near := source.Nearest(e.key, known); near != "" {
		r.note(prefix+e.key, e.at, "is not known and has no effect; did you mean `%s`?", near)
		return
	}
	r.note(prefix+e.key, e.at, "is not known and has no effect")
}
