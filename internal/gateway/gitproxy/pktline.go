package gitproxy

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Packet lines (gitprotocol-common): four hexadecimal digits that count themselves and what follows, or one of the
// special lengths 0 to 2, which carry nothing.
const (
	maxPacket = 65520 // Git's LARGE_PACKET_MAX, the length included

	flushPacket = "0000"
	packetHead  = 4
)

// Channels of a side band: the first byte of a packet's content.
const (
	bandData     = 1
	bandProgress = 2
	bandError    = 3 // the last packet of its answer
)

// errPack says that instead of a packet a pack begins, as the oldest protocol sends it.
var errPack = errors.New("a pack without side band begins")

var errPacket = errors.New("not a packet line")

// packets reads whole packets, and holds one at a time.
type packets struct {
	r   *bufio.Reader
	buf []byte // maxPacket long
}

func newPackets(r io.Reader, buf []byte) *packets {
	return &packets{r: bufio.NewReaderSize(r, maxPacket), buf: buf[:maxPacket]}
}

// next returns the next packet, its length included; it is valid until the next call. io.EOF means that the stream
// ended between packets. On errPack nothing was consumed.
func (p *packets) next() ([]byte, error) {
	head, err := p.r.Peek(packetHead)
	if err != nil {
		if len(head) > 0 && errors.Is(err, io.EOF) {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	if string(head) == "PACK" {
		return nil, errPack
	}
	n, err := packetLength(head)
	if err != nil {
		return nil, err
	}
	if n < packetHead { // special, and its digits are all there is
		n = packetHead
	}
	if _, err := io.ReadFull(p.r, p.buf[:n]); err != nil {
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		return nil, err
	}
	return p.buf[:n], nil
}

// packetLength parses a packet's length: 0 to 2 are special, 3 is nothing.
func packetLength(head []byte) (int, error) {
	n := 0
	for _, c := range head[:packetHead] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return 0, fmt.Errorf("%w: length %q", errPacket, head[:packetHead])
		}
	}
	if n == 3 || n > maxPacket {
		return 0, fmt.Errorf("%w: length %d", errPacket, n)
	}
	return n, nil
}

// appendPacket appends a packet with this content, which is cut to what fits.
func appendPacket(to []byte, content string) []byte {
	if len(content) > maxPacket-packetHead {
		content = content[:maxPacket-packetHead]
	}
	return fmt.Appendf(to, "%04x%s", len(content)+packetHead, content)
}

// appendBand appends content on a channel of a side band, in as many packets as it needs. Packets stay under the
// 1000 bytes of the oldest side band, so that every client reads them.
func appendBand(to []byte, band byte, content string) []byte {
	const most = 1000 - packetHead - 1
	for len(content) > 0 {
		n := min(len(content), most)
		to = appendPacket(to, string(band)+content[:n])
		content = content[n:]
	}
	return to
}
