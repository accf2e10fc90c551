package source

import (
	"strings"
	"testing"
)

// walk reads a value in every way that a file's reader may.
func walk(v Value, depth int) {
	v.Text()
	v.Bool()
	v.Number()
	v.Duration()
	v.Texts()
	if depth > 20 {
		return
	}
	if list, ok := v.List(); ok {
		for _, one := range list {
			walk(one, depth+1)
		}
	}
	if m, ok := v.Mapping(); ok {
		m.Keys([]string{"known"}, map[string]string{"later": "is not there yet"})
		m.Need("needed")
		for _, e := range m.Entries {
			walk(e.Value, depth+1)
		}
	}
}

func FuzzDocument(f *testing.F) {
	for _, s := range []string{
		"a: 1\nb: [x, 2m, true]\nc: {d: null}\n", "a: &x [1]\nb: *x\n", "a: 1\na: 2\n", "? {a: b}\n: c\n", "a: !!binary aGk=\n", "---\na: 1\n---\nb: 2\n",
		"a: |\n  text\n", "\xff\xfe", "a: 0x1f\nb: .inf\nc: .nan\n", "<<: {a: 1}\n", "a: 2026-11-23\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r := &Reader{File: "f.yaml"}
		m, ok := r.Document(text)
		if !ok {
			if len(r.Findings) == 0 {
				t.Fatalf("%q is refused without a word", text)
			}
			return
		}
		for _, e := range m.Entries {
			walk(e.Value, 0)
		}
		lines := strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u2028") + strings.Count(text, "\u2029") + strings.Count(text, "\u0085") + 2
		for _, finding := range r.Findings {
			if finding.Line < 0 || finding.Line > lines {
				t.Fatalf("%q: %v stands nowhere", text, finding)
			}
		}
	})
}
