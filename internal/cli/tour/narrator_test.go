package tour

import (
	"strings"
	"testing"
	"time"
)

func TestScreen(t *testing.T) {
	for in, want := range map[string]string{
		"plain\r\n": "plain\n",
		"Receiving:  10%\rReceiving: 100%, done.\r\nnext": "Receiving: 100%, done.\nnext",
		"\x1b[31mred\x1b[0m \x1b]0;title\x07end":          "red end",
		"\x1b[?2004hapi:/workspace/api$ ":                 "api:/workspace/api$ ",
	} {
		if got := screen(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestTranscript(t *testing.T) {
	var b strings.Builder
	n := narrator{&b, func(s string) string { return strings.ReplaceAll(s, "\x1b", `\x1b`) }}
	n.title("%d. Begin", 1)
	n.took(1500*time.Microsecond, "quick")
	n.took(-time.Millisecond, "quicker")
	n.typed("ada", "ls", "a\r\nb  \n\n"+strings.Repeat("word ", 30)+"end")
	n.tell("evil \x1b[2J")
	lines := strings.Split(b.String(), "\n")
	if len(lines[2]) != column || !strings.HasSuffix(lines[2], "  1.5 ms") || !strings.HasPrefix(lines[2], "   quick  ") {
		t.Errorf("%q", lines[2])
	}
	if !strings.Contains(lines[3], "before the answer was read") || !strings.HasSuffix(lines[3], "-1.0 ms") {
		t.Errorf("%q", lines[3])
	}
	want := "   ada$ ls\n   │ a\n   │ b\n   │ " + strings.TrimSpace(strings.Repeat("word ", 22)) + "\n   │   " + strings.Repeat("word ", 8) + "end\n   evil \\x1b[2J\n"
	if got := strings.Join(lines[4:], "\n"); got != want {
		t.Errorf("%s", got)
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct{ line, first, rest string }{
		{"short", "short", ""}, {"aaaa bbbb cccc", "aaaa bbbb", "cccc"}, {"aaaaaaaaaaaaaaa", "aaaaaaaaaaaaaaa", ""}, {"éééé éééé x", "éééé éééé", "x"},
	} {
		if first, rest := fold(c.line, 10); first != c.first || rest != c.rest {
			t.Errorf("%q: %q, %q", c.line, first, rest)
		}
	}
}
