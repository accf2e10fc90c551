package problem

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"
)

// JSON encodes v so that no character of it can move a terminal's cursor or turn the direction of text: names come
// from directories and repositories, and answers are read with curl. encoding/json leaves DEL, C1 and the direction
// marks as they are. Outside of strings JSON has none of them, so the value stays the same.
func JSON(v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	if bytes.IndexFunc(plain, invisible) < 0 {
		return plain, nil
	}
	escaped := make([]byte, 0, len(plain)+64)
	for len(plain) > 0 {
		c, size := utf8.DecodeRune(plain)
		if invisible(c) {
			escaped = fmt.Appendf(escaped, `\u%04x`, c)
		} else {
			escaped = append(escaped, plain[:size]...)
		}
		plain = plain[size:]
	}
	return escaped, nil
}

func invisible(c rune) bool {
	switch {
	case c < 0x20, c >= 0x7f && c <= 0x9f: // C0, DEL, C1
	case c >= 0x200b && c <= 0x200f, c >= 0x2028 && c <= 0x202e, c >= 0x2060 && c <= 0x2069, c == 0xfeff:
	default:
		return false
	}
	return true
}
