package cli

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// clean makes what came from elsewhere fit to be shown on a terminal: control characters (C0, DEL, C1), characters
// that turn the direction of writing, and bytes that are no UTF-8 are shown as escapes, so that a name or a message
// can neither command the terminal nor look like another line.
func clean(s string) string {
	if !strings.ContainsFunc(s, commanding) && utf8.ValidString(s) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\t':
			b.WriteString(`\t`)
		case r < 0x100 && commanding(r):
			fmt.Fprintf(&b, `\x%02x`, r)
		case commanding(r):
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			b.WriteRune(r)
		}
		i += n
	}
	return b.String()
}

func commanding(r rune) bool {
	switch {
	case r < 0x20, r >= 0x7f && r < 0xa0:
		return true
	case r == 0x061c, r >= 0x200e && r <= 0x200f, r >= 0x2028 && r <= 0x202e, r >= 0x2066 && r <= 0x2069:
		return true
	}
	return false
}
