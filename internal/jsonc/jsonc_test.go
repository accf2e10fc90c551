package jsonc

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/tailscale/hujson"
)

// TestAttack27NestedJSON: whatever hides the brackets from who looks for them, the parser is not let near so many.
func TestAttack27NestedJSON(t *testing.T) {
	many := strings.Repeat("[", 2_000_000)
	for _, text := range []string{
		many,
		`{"x":` + strings.Repeat(`{"x":`, 1_000_000),
		`{/*"*/"x":` + many,
		"{//\"\n\"x\":" + many,
		`{"\"":` + many,
		`{"\\":` + many,
		`{"//":` + many,
		`{"/*":` + many + `*/`,
		`{"x":/**/` + many,
		`{"x":/*/*/` + many,
		"{\"a\nb\":" + many, // no text, yet the parser reads on to its end
		"[" + strings.Repeat("[],", 10) + many,
	} {
		if _, err := Parse([]byte(text)); !errors.Is(err, ErrDeep) {
			t.Errorf("%.20s…: %v", text, err)
		}
		if _, err := Standardize([]byte(text)); !errors.Is(err, ErrDeep) {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
	for _, text := range []string{`/*` + many + `*/1`, `"` + many + `"`, "//" + many + "\n1", "1 //" + many, strings.Repeat("[", Deepest) + strings.Repeat("]", Deepest), "[" + strings.Repeat("[],", 10_000) + "]"} {
		if _, err := Parse([]byte(text)); err != nil {
			t.Errorf("%.20s…: %v", text, err)
		}
	}
}

// deep is how far the parser went into what it read.
func deep(v hujson.Value) int {
	most := 0
	switch in := v.Value.(type) {
	case *hujson.Object:
		for _, m := range in.Members {
			most = max(most, deep(m.Name), deep(m.Value))
		}
		return most + 1
	case *hujson.Array:
		for _, e := range in.Elements {
			most = max(most, deep(e))
		}
		return most + 1
	}
	return 0
}

func FuzzNesting(f *testing.F) {
	for _, text := range []string{`{/*"*/"x":[[]]}`, "[//\"\n[[1,],],]", `["\"[",[[{"a\\":[]}]]]`, `{"/*":[[`, `]]][[[`, `{"a":{"b":[`, "\"a\nb\"", `[/`, `[/*`, `["`, `[{]}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 1<<10 {
			t.Skip("larger ones say nothing more")
		}
		found := nests(text)
		v, err := hujson.Parse(append(bytes.Clone(text), '\n'))
		if err == nil && deep(v) != found {
			t.Fatalf("the parser goes %d deep, and %d were found", deep(v), found)
		}
		if err == nil {
			return
		}
		// Where it gives up it was inside all that could be closed to make it end: no closing of more makes it good.
		for n := range text {
			if closed := close(text[:n+1]); closed != nil {
				if v, err := hujson.Parse(closed); err == nil && deep(v) > found {
					t.Fatalf("up to byte %d the parser goes %d deep, and %d were found", n, deep(v), found)
				}
			}
		}
	})
}

// close ends what stands open in text, if it ends with what may stand before an end.
func close(text []byte) []byte {
	var open []byte
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			open = append(open, '}')
		case '[':
			open = append(open, ']')
		case '}', ']':
			if len(open) == 0 || open[len(open)-1] != text[i] {
				return nil
			}
			open = open[:len(open)-1]
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
	closed := bytes.Clone(text)
	for i := len(open) - 1; i >= 0; i-- {
		closed = append(closed, open[i])
	}
	return append(closed, '\n')
}
