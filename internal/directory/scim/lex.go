package scim

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of filters and paths, which come from outside.
const (
	maxFilter = 16 << 10 // bytes
	maxTerms  = 500
	maxNested = 32
)

// token is a piece of a filter or a path. Its kind is '(', ')', '[', ']', 'w' for a word, 's' for a string or 0 for the end.
type token struct {
	kind byte
	text string // of a word, or a string without quotes
}

// lexer cuts filters and paths into tokens.
type lexer struct {
	rest string
	wrong
}

// wrong says what is wrong with a filter or a path.
type wrong struct{ scimType string }

func (w wrong) errorf(format string, args ...any) error {
	what := "filter"
	if w.scimType == InvalidPath {
		what = "path"
	}
	return bad(w.scimType, "The %s cannot be used: %s", what, fmt.Sprintf(format, args...))
}

func newLexer(s, scimType string) (*lexer, error) {
	l := &lexer{s, wrong{scimType}}
	switch {
	case len(s) > maxFilter:
		return nil, l.errorf("It has %d bytes; at most %d are taken.", len(s), maxFilter)
	case !utf8.ValidString(s) || strings.IndexByte(s, 0) >= 0:
		return nil, l.errorf("It is not text.")
	}
	return l, nil
}

const (
	blanks     = " \t\r\n"
	separators = blanks + `()[]"`
)

// peek is the next token, which next then takes.
func (l *lexer) peek() (token, error) {
	saved := l.rest
	t, err := l.next()
	l.rest = saved
	return t, err
}

func (l *lexer) next() (token, error) {
	l.rest = strings.TrimLeft(l.rest, blanks)
	if l.rest == "" {
		return token{}, nil
	}
	switch c := l.rest[0]; c {
	case '(', ')', '[', ']':
		l.rest = l.rest[1:]
		return token{kind: c}, nil
	case '"':
		return l.quoted()
	}
	end := strings.IndexAny(l.rest, separators)
	if end < 0 {
		end = len(l.rest)
	}
	t := token{'w', l.rest[:end]}
	l.rest = l.rest[end:]
	return t, nil
}

// quoted takes a JSON string. Where what follows a backslash is no escape of JSON, both stand for themselves: names with one
// come as DOMAIN\name.
func (l *lexer) quoted() (token, error) {
	end := 1
	for ; end < len(l.rest) && l.rest[end] != '"'; end++ {
		if l.rest[end] == '\\' {
			end++
		}
	}
	if end >= len(l.rest) {
		return token{}, l.errorf("A string does not end: %q.", short(l.rest))
	}
	raw := l.rest[:end+1]
	l.rest = l.rest[end+1:]
	var s string
	if json.Unmarshal([]byte(raw), &s) != nil {
		s = strings.NewReplacer(`\"`, `"`, `\\`, `\`).Replace(raw[1 : len(raw)-1])
	}
	if strings.IndexByte(s, 0) >= 0 {
		return token{}, l.errorf("A string contains the character U+0000.")
	}
	return token{'s', s}, nil
}

// quote writes a string so that the lexer reads it back.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a Builder takes everything
	return strings.TrimSuffix(b.String(), "\n")
}

func isName(s string) bool {
	for i := range len(s) {
		c := s[i] | 0x20
		if (c < 'a' || c > 'z') && s[i] != '$' && (i == 0 || (s[i] < '0' || s[i] > '9') && s[i] != '-' && s[i] != '_') {
			return false
		}
	}
	return s != ""
}

func isURN(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}
