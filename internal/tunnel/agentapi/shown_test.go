package agentapi

import (
	"bytes"
	"testing"
)

func TestAttack31ShownTextDoesNotAct(t *testing.T) {
	for in, want := range map[string]string{
		"plain\tténèbres 界\r\n":                                    "plain\tténèbres 界\r\n",
		"\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mrgb\x1b[m":          "\x1b[1;31mred\x1b[0m \x1b[38:2::1:2:3mrgb\x1b[m",
		"a\x1b]52;c;cm0gLXJm\x07b":                                 "ab",
		"a\x1b]0;title\x1b\\b":                                     "ab",
		"a\x1b]8;;https://evil.example.test\x1b\\link\x1b]8;;":     "alink",
		"a\x1bP$qm\x1b\\b":                                         "ab",
		"a\x1b[6n\x1b[c\x1b[>4m\x1b[?1049h\x1b[2J\x1b[1A\x1b[21tb": "ab",
		"a\x1bZ\x1bc\x1b(0\x1b#8b":                                 "ab",
		"a\x05\x07\x08\x00\x7fb":                                   "ab",
		"a\u009b6nb\u009d0;x\u009c":                                "a6nb0;x",
		"a\x9bb\x90c":                                              "abc",
		"a\x1b]0;never ends\nnext":                                 "a\nnext",
		"a\x1b[1\x1b[31mb":                                         "a\x1b[31mb",
		"a\x1b]x\x1b[31mb":                                         "a\x1b[31mb",
		"half\x1b[3":                                               "half",
	} {
		var whole, pieces bytes.Buffer
		if n, err := Shown(&whole).Write([]byte(in)); err != nil || n != len(in) {
			t.Fatal(n, err)
		}
		w := Shown(&pieces)
		for i := range len(in) {
			_, _ = w.Write([]byte{in[i]})
		}
		if whole.String() != want || pieces.String() != want {
			t.Errorf("%q: %q, in pieces %q; want %q", in, whole.String(), pieces.String(), want)
		}
	}
}
