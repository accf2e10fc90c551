package source

import (
	"strings"
	"testing"
)

func TestPlacesInYAML(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"empty", "", "f.yaml: the file is empty"},
		{"comment only", "# nothing\n", "f.yaml: the file is empty"},
		{"not a mapping", "- a\n", "f.yaml:1:1: is a list where a mapping (key: value) is wanted"},
		{"unclosed", "a: [1,\nb: 2\n", "f.yaml:"},
		{"tab", "a:\n\tb: 1\n", "f.yaml:2:1: not valid YAML"},
		{"twice", "a: x\nbb: y\na: z\n", "f.yaml:3:1: `a` stands here a second time; it is already on line 1"},
		{"unknown", "a: x\n  \nfoo: y\n", "f.yaml:3:1: unknown key `foo`; known here: a, bb"},
		{"near", "a: x\nbbb: y\n", "f.yaml:2:1: unknown key `bbb`; did you mean `bb`?"},
		{"second document", "a: x\n---\na: y\n", "f.yaml:2:1: a second YAML document begins here; write one document a file"},
		{"anchor", "a: &x y\nbb: *x\n", "f.yaml:1:4: anchors (&x) are not read here"},
		{"merge", "bb: {}\n<<: {a: x}\n", "f.yaml:2:1: unknown key `<<`"},
		{"number", "a: 12\n", "f.yaml:1:4: is a number where a text is wanted; put it in quotes"},
		{"null", "a:\n", "f.yaml:1:"},
		{"too long", "a: " + strings.Repeat("x", MaxSize), "f.yaml: the file is longer than 1024 KiB"},
		{"bomb", "a: &a [x,x]\nb: &b [*a,*a,*a]\nc: &c [*b,*b,*b]\n", "f.yaml:1:4: anchors (&a) are not read here"},
		{"deep", strings.Repeat("[", 100000), "f.yaml:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := &Reader{File: "f.yaml"}
			if m, ok := r.Document(c.text); ok {
				m.Keys([]string{"a", "bb"}, nil)
				if e, ok := m.Find("a"); ok {
					e.Value.Text()
				}
			}
			if got := r.Findings.Error(); !strings.HasPrefix(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestNearest(t *testing.T) {
	for word, want := range map[string]string{"sesions": "sessions", "lisen": "listen", "zzz": "", "polices": "policies"} {
		if got := Nearest(word, []string{"sessions", "listen", "policies"}); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}

func TestPosition(t *testing.T) {
	line, column := Position("äö\nxü?", strings.Index("äö\nxü?", "?"))
	if line != 2 || column != 3 {
		t.Errorf("got %d:%d, want 2:3", line, column)
	}
}
