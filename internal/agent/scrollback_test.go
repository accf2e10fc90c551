package agent

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestScrollbackKeepsTheEnd(t *testing.T) {
	var s scrollback
	var all []byte
	random := rand.New(rand.NewPCG(1, 2))
	for len(all) < 3*scrollbackBytes {
		p := bytes.Repeat([]byte{byte('a' + random.IntN(26))}, random.IntN(40000))
		s.write(p)
		all = append(all, p...)
		from := max(0, len(all)-random.IntN(scrollbackBytes+1000))
		got := make([]byte, 50000)
		n, next := s.read(int64(from), got)
		from = max(from, len(all)-scrollbackBytes)
		want := all[from:min(len(all), from+len(got))]
		if !bytes.Equal(got[:n], want) || next != int64(from+len(want)) {
			t.Fatalf("read %d bytes up to %d; want %d up to %d", n, next, len(want), from+len(want))
		}
	}
}

func TestHistoryBeginsWhole(t *testing.T) {
	var s scrollback
	s.write([]byte("short"))
	if p, next := s.history(); string(p) != "short" || next != 5 {
		t.Errorf("%q %d", p, next)
	}
	var lines scrollback
	lines.write([]byte(strings.Repeat("a line of text\n", 40000)))
	if p, _ := lines.history(); !strings.HasPrefix(string(p), "a line of text\n") {
		t.Errorf("begins with %q", p[:20])
	}
	var one scrollback
	one.write([]byte("x" + strings.Repeat("€", scrollbackBytes)))
	if p, _ := one.history(); !utf8.Valid(p) {
		t.Errorf("begins with %q", p[:4])
	}
}

// A terminal's history must not ask the terminal that shows it again, whose answer would be typed into the shell.
func TestAttack31HistoryDoesNotAct(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"text and colours":   {"a\x1b[1;32mgreen\x1b[0m €\r\n\x1b(B\x1b=", "a\x1b[1;32mgreen\x1b[0m €\r\n\x1b(B\x1b="},
		"cursor, screens":    {"\x1b[?1049h\x1b[2J\x1b[10;20H\x1b[?25l\x1b[4 q", "\x1b[?1049h\x1b[2J\x1b[10;20H\x1b[?25l\x1b[4 q"},
		"device attributes":  {"a\x1b[cb\x1b[>cc\x1b[=0cd\x1bZe", "abcde"},
		"reports":            {"a\x1b[6nb\x1b[?6nc\x1b[5nd\x1b[18te\x1b[21tf\x1b[xg", "abcdefg"},
		"modes, version":     {"a\x1b[?2026$pb\x1b[>qc\x1b[>0qd\x1b[?ue", "abcde"},
		"title is kept":      {"\x1b]0;title\x07x\x1b]2;other\x1b\\y", "\x1b]0;title\x07x\x1b]2;other\x1b\\y"},
		"link is kept":       {"\x1b]8;;https://example.test\x1b\\x\x1b]8;;\x1b\\", "\x1b]8;;https://example.test\x1b\\x\x1b]8;;\x1b\\"},
		"clipboard":          {"a\x1b]52;c;ZXZpbA==\x07b\x1b]52;c;?\x1b\\c", "abc"},
		"colour questions":   {"a\x1b]10;?\x07b\x1b]4;1;?\x1b\\c\x1b]11;?\x07", "abc"},
		"DCS":                {"a\x1bP$qm\x1b\\b\x1bP+q544e\x1b\\c", "abc"},
		"APC, PM, SOS":       {"a\x1b_Gi=1;AAAA\x1b\\b\x1b^x\x1b\\c\x1bXy\x1b\\d", "abcd"},
		"ENQ and bell":       {"a\x05b\x07c", "abc"},
		"unfinished CSI":     {"a\x1b[12", "a"},
		"unfinished OSC":     {"a\x1b]0;ti", "a"},
		"lone escape":        {"a\x1b", "a"},
		"hidden in a string": {"a\x1b]0;x\x1b[cb", "ab"},
		"control inside":     {"a\x1b\x05[cb\x1b[\x05cd", "a[cbcd"},
		"one character CSI":  {"a\u009bcb\xc2\x05\x9bcd", "acbcd"},
		"one character OSC":  {"a\u009d52;c;?\u009cb\x1b]0;x\u009bc\x07d", "a52;c;?bd"},
		"character sets":     {"\x1b(0lqk\x1b(B\x1b%G\x1b7\x1b8", "\x1b(0lqk\x1b(B\x1b%G\x1b7\x1b8"},
		"broken CSI":         {"a\x1b[1\r\nb", "a\r\nb"},
	} {
		if got := string(replayable([]byte(c.in))); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

// acting matches what a replayed history must not contain: written down apart from the filter.
var acting = regexp.MustCompile("(?s)\x05|\x1b\\[[0-?]*[ -/]*[cnxt]|\x1b\\[[0-?]*\\$p|\x1b\\[>[0-?]*q|\x1b[PX^_Z]|\x1b\\](4|1[0-9]|52);|\x1b[^ -~]|\x1b$")

func FuzzReplayable(f *testing.F) {
	f.Add([]byte("a\x1b[c\x1b]0;x\x07\x1bPq\x1b\\"))
	f.Add([]byte("\x1b(\x1b[\x1b[6n\xc2\x9bc\x1b]52;c;?\x07"))
	f.Fuzz(func(t *testing.T, p []byte) {
		once := replayable(p)
		if len(once) > len(p) {
			t.Fatalf("%q became %q", p, once)
		}
		for i := 1; i < len(once); i++ {
			if once[i-1] == 0xc2 && once[i] >= 0x80 && once[i] < 0xa0 {
				t.Fatalf("%q became %q", p, once)
			}
		}
		// Only an ESC that ends a string sequence (ST) may stand before a backslash and inside one.
		if acting.Match(once) {
			t.Fatalf("%q became %q", p, once)
		}
	})
}
