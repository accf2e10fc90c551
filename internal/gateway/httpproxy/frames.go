package httpproxy

import (
	"encoding/binary"
	"strings"
	"unicode/utf8"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/gateway"
)

// frames follows the frames of a WebSocket (RFC 6455 section 5.2) that go by, to know where one more may be put in:
// between two of them.
type frames struct {
	head   [14]byte
	have   int    // of head
	left   uint64 // of the frame's payload
	closed bool   // a close frame went by, after which nothing more may be said
}

// pass notes bytes that went by.
func (f *frames) pass(p []byte) {
	for len(p) > 0 {
		if f.left > 0 {
			n := min(f.left, uint64(len(p)))
			f.left -= n
			p = p[n:]
			continue
		}
		f.head[f.have] = p[0]
		f.have++
		p = p[1:]
		f.begin()
	}
}

// begin reads the frame's head once it is whole.
func (f *frames) begin() {
	if f.have < 2 {
		return
	}
	need, short := 2, f.head[1]&0x7f
	switch short {
	case 126:
		need += 2
	case 127:
		need += 8
	}
	if f.head[1]&0x80 != 0 { // the key that it is masked with
		need += 4
	}
	if f.have < need {
		return
	}
	switch short {
	case 126:
		f.left = uint64(binary.BigEndian.Uint16(f.head[2:]))
	case 127:
		f.left = binary.BigEndian.Uint64(f.head[2:])
	default:
		f.left = uint64(short)
	}
	f.closed = f.closed || f.head[0]&0x0f == opClose
	f.have = 0
}

// whole reports whether another frame may follow now.
func (f *frames) whole() bool { return f.left == 0 && f.have == 0 && !f.closed }

const (
	opClose         = 0x8
	policyViolation = 1008 // RFC 6455 section 7.4.1
	maxCloseReason  = 123  // bytes; a control frame has at most 125
)

// closeFrame says why a WebSocket was cut.
func closeFrame(r access.Reason) []byte {
	text := strings.ReplaceAll(gateway.Printable("Lanyard closed this: "+r.Text), "\n", " ")
	for len(text) > maxCloseReason {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	frame := append([]byte{0x80 | opClose, byte(2 + len(text))}, binary.BigEndian.AppendUint16(nil, policyViolation)...)
	return append(frame, text...)
}
