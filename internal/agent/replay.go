package agent

import "bytes"

// replayable returns a terminal's history without what must not happen again when it is shown once more: questions to
// the terminal, whose answers would arrive as typed input at a shell that did not ask (device attributes, status
// and position reports, OSC and DCS queries), writing to the clipboard, and the bell. ECMA-48 gives the forms:
// CSI … final byte, and OSC, DCS, SOS, PM, APC up to ST.
func replayable(history []byte) []byte {
	out := make([]byte, 0, len(history))
	for i := 0; i < len(history); {
		b := history[i]
		switch {
		case b == 0x05 || b == 0x07: // ENQ asks; BEL rings
			i++
		case b >= 0x80 && b < 0xa0 && len(out) > 0 && out[len(out)-1] == 0xc2:
			out = out[:len(out)-1] // U+0080 to U+009F are the same controls in one character
			i++
		case b != 0x1b:
			out = append(out, b)
			i++
		default:
			n, keep := escape(history[i:])
			if keep {
				out = append(out, history[i:i+n]...)
			}
			i += n
		}
	}
	return out
}

// escape measures the sequence that p begins with, and says whether it may be repeated. A sequence without an end is
// dropped whole: its end may come with the output that follows, which then is plain text.
func escape(p []byte) (n int, keep bool) {
	if len(p) < 2 {
		return len(p), false
	}
	switch p[1] {
	case '[':
		for i := 2; i < len(p); i++ {
			switch b := p[i]; {
			case b >= 0x40 && b <= 0x7e:
				return i + 1, !asks(p[2:i], b)
			case b < 0x20 || b > 0x7e: // not a part of any sequence
				return i, false
			}
		}
		return len(p), false
	case ']':
		n, body := untilST(p)
		kind, rest, _ := bytes.Cut(body, []byte{';'})
		switch string(kind) {
		case "0", "1", "2", "7", "8", "133": // title, folder, link, prompt mark
			return n, n > len(body)+2 && !bytes.HasSuffix(rest, []byte{'?'}) && plain(body)
		}
		return n, false
	case 'P', 'X', '^', '_':
		n, _ := untilST(p)
		return n, false
	case 'Z': // DECID asks
		return 2, false
	}
	n = 1
	for n < len(p) && p[n] >= 0x20 && p[n] < 0x30 { // intermediates, as in the choice of a character set
		n++
	}
	if n < len(p) && p[n] >= 0x30 && p[n] < 0x7f {
		return n + 1, true
	}
	return n, false
}

// plain reports whether a string sequence's body holds no control of either form.
func plain(body []byte) bool {
	for i, b := range body {
		if b < 0x20 || b == 0x7f || b >= 0x80 && b < 0xa0 && i > 0 && body[i-1] == 0xc2 {
			return false
		}
	}
	return true
}

// asks reports whether a control sequence makes the terminal answer: DA (c), DSR (n), DECREQTPARM (x), window reports
// (t), DECRQM ($p), XTVERSION (>q), the keyboard protocol's question (?u).
func asks(parameters []byte, final byte) bool {
	switch final {
	case 'c', 'n', 'x', 't':
		return true
	case 'p':
		return bytes.HasSuffix(parameters, []byte{'$'})
	case 'q':
		return bytes.HasPrefix(parameters, []byte{'>'})
	case 'u':
		return bytes.HasPrefix(parameters, []byte{'?'})
	}
	return false
}

// untilST measures a string sequence with its terminator (ST, or BEL as xterm allows); body is what stands between.
func untilST(p []byte) (n int, body []byte) {
	for i := 2; i < len(p); i++ {
		switch {
		case p[i] == 0x07 || p[i] == 0x9c && p[1] != ']': // a UTF-8 title may contain 0x9c
			return i + 1, p[2:i]
		case p[i] == 0x1b:
			if i+1 < len(p) && p[i+1] == '\\' {
				return i + 2, p[2:i]
			}
			return i, p[2:i] // another sequence cancels this one
		}
	}
	return len(p), p[2:]
}
