package agentapi

import (
	"io"
	"unicode/utf8"
)

// Shown returns a Writer that passes to w what may be shown at somebody's terminal of text that a repository's programs wrote:
// the text, and its colours (SGR). What else acts on a terminal does not pass: questions, whose answers would arrive as if typed,
// titles, the clipboard, links, and what moves the cursor over other lines. ECMA-48 gives the forms. A sequence may be cut
// between writes.
func Shown(w io.Writer) io.Writer { return &shown{to: w} }

// shownState is where in a sequence the text is.
type shownState int

const (
	inText         shownState = iota
	inEscape                  // after ESC, and what stands between it and its last character
	inControl                 // after CSI
	inString                  // of OSC, DCS, SOS, PM or APC
	inStringEscape            // after ESC in one, which ends it
)

// maxColour bounds the parameters of SGR, in bytes; longer ones are no colours.
const maxColour = 64

type shown struct {
	to         io.Writer
	state      shownState
	parameters []byte // of a control sequence
	part       []byte // of a character
}

func (s *shown) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p))
	for _, b := range p {
		out = s.next(out, b)
	}
	if len(out) > 0 {
		if _, err := s.to.Write(out); err != nil {
			return 0, err
		}
	}
	return len(p), nil
}

// next appends to out what b lets pass.
func (s *shown) next(out []byte, b byte) []byte {
	if b == 0x1b && s.state != inString {
		s.state, s.parameters, s.part = inEscape, s.parameters[:0], s.part[:0]
		return out
	}
	switch s.state {
	case inString:
		switch b {
		case 0x1b:
			s.state = inStringEscape
		case 0x07, 0x18, 0x1a:
			s.state = inText
		case '\n': // no such string has lines: one without an end hides no more than its own
			s.state = inText
			return append(out, b)
		}
		return out
	case inEscape, inStringEscape:
		first := len(s.parameters) == 0
		switch {
		case s.state == inStringEscape && b == '\\':
			s.state = inText
		case first && b == '[':
			s.state = inControl
		case first && (b == ']' || b == 'P' || b == 'X' || b == '^' || b == '_'):
			s.state = inString
		case b >= 0x20 && b < 0x30:
			s.state, s.parameters = inEscape, append(s.parameters[:0], b)
		case b < 0x20:
			s.state = inText
			return s.text(out, b)
		default:
			s.state = inText
		}
		return out
	case inControl:
		switch {
		case b >= 0x40 && b <= 0x7e:
			s.state = inText
			if b == 'm' && colour(s.parameters) {
				out = append(append(append(out, 0x1b, '['), s.parameters...), 'm')
			}
		case b >= 0x20 && b < 0x40:
			if len(s.parameters) <= maxColour {
				s.parameters = append(s.parameters, b)
			}
		default:
			s.state = inText
			return s.text(out, b)
		}
		return out
	}
	return s.text(out, b)
}

// text appends a character once it is whole, unless it is a control. U+0080 to U+009F are controls, too.
func (s *shown) text(out []byte, b byte) []byte {
	if b < utf8.RuneSelf {
		s.part = s.part[:0]
		if b >= 0x20 && b != 0x7f || b == '\n' || b == '\r' || b == '\t' {
			out = append(out, b)
		}
		return out
	}
	if utf8.RuneStart(b) {
		s.part = s.part[:0]
	}
	s.part = append(s.part, b)
	if !utf8.FullRune(s.part) {
		return out
	}
	if c, _ := utf8.DecodeRune(s.part); c != utf8.RuneError && c > 0x9f {
		out = append(out, s.part...)
	}
	s.part = s.part[:0]
	return out
}

// colour reports whether the parameters of a sequence that ends in m are SGR's, and not another one's, as in CSI > 4 m.
func colour(parameters []byte) bool {
	if len(parameters) > maxColour {
		return false
	}
	for _, b := range parameters {
		if (b < '0' || b > '9') && b != ';' && b != ':' {
			return false
		}
	}
	return true
}
