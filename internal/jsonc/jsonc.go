// Package jsonc reads JSON with comments and trailing commas (JWCC, https://nigeltao.github.io/blog/2021/json-with-commas-comments.html)
// that strangers wrote. The parser behind it recurses as deep as values nest, and a Go program whose stack is full cannot go on: so how
// deep they nest is looked at first.
package jsonc

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/tailscale/hujson"
)

// Deepest is how far values may nest.
const Deepest = 200

// ErrDeep says that they nest more.
var ErrDeep = errors.New("the values nest too much")

// Parse is hujson.Parse for text of any kind. A comment in the last line wants no end.
func Parse(text []byte) (hujson.Value, error) {
	if nests(text) > Deepest {
		return hujson.Value{}, ErrDeep
	}
	return hujson.Parse(append(bytes.Clone(text), '\n'))
}

// Standardize gives the same as JSON.
func Standardize(text []byte) ([]byte, error) {
	v, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("read JSON with comments: %w", err)
	}
	v.Standardize()
	return v.Pack(), nil
}

// nests is how deep the parser goes into text, whether or not it can be parsed: up to where the parser gives up, texts and comments end
// here where they end for it. Beyond that the figure says nothing.
func nests(text []byte) int {
	depth, most := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{', '[':
			depth++
			most = max(most, depth)
		case '}', ']':
			depth--
		case '"':
			for i++; i < len(text) && text[i] != '"'; i++ {
				if text[i] == '\\' {
					i++
				}
			}
		case '/':
			i += comment(text[i:])
		}
	}
	return most
}

// comment is how many bytes follow the first one of a comment, 0 where none begins.
func comment(text []byte) int {
	for _, c := range [...]struct{ start, end string }{{"//", "\n"}, {"/*", "*/"}} {
		if rest, begins := bytes.CutPrefix(text, []byte(c.start)); begins {
			if n := bytes.Index(rest, []byte(c.end)); n >= 0 {
				return len(c.start) + n + len(c.end) - 1
			}
			return len(text) - 1
		}
	}
	return 0
}
