package gitread

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Packet lines (gitprotocol-common): four hexadecimal digits that count themselves and what follows, or a special length.
const (
	packetHead = 4
	maxPacket  = 65520
)

// Special lengths.
const (
	isFlush = iota
	isDelimiter
	isEnd
	isContent = packetHead
)

var errProtocol = errors.New("it does not speak version 2 of Git's protocol as it is written")

type packets struct{ from *bufio.Reader }

func newPackets(from io.Reader) packets { return packets{bufio.NewReaderSize(from, maxPacket)} }

// next returns the content of the next packet, or which special one it is.
func (p packets) next() (content []byte, kind int, err error) {
	var head [packetHead]byte
	if _, err := io.ReadFull(p.from, head[:]); err != nil {
		return nil, 0, err
	}
	n := 0
	for _, c := range head {
		digit := strings.IndexByte("0123456789abcdef", c|0x20)
		if digit < 0 {
			return nil, 0, errProtocol
		}
		n = n<<4 | digit
	}
	switch {
	case n < packetHead:
		return nil, n, nil
	case n > maxPacket:
		return nil, 0, errProtocol
	}
	content = make([]byte, n-packetHead)
	if _, err := io.ReadFull(p.from, content); err != nil {
		return nil, 0, fmt.Errorf("read a packet: %w", err)
	}
	return content, isContent, nil
}

// line is next for packets of text. ok is false at a special packet.
func (p packets) line() (text string, ok bool, err error) {
	content, kind, err := p.next()
	if err == nil && kind == isContent && strings.HasPrefix(string(content), "ERR ") {
		err = refusal{string(content[4:])}
	}
	return strings.TrimSuffix(string(content), "\n"), kind == isContent, err
}

// refusal is what the upstream's Git says instead of an answer.
type refusal struct{ text string }

// unknown reports whether it says that there is no object of that name, as Git and JGit do.
func (r refusal) unknown() bool {
	return strings.Contains(r.text, "not our ref") || strings.HasPrefix(strings.TrimSpace(r.text), "want ") && strings.Contains(r.text, "not valid")
}

func (r refusal) Error() string { return "the Git server says: " + printable(r.text) }

// band reads what travels on the first channel of a side band, until its flush packet.
type band struct {
	from packets
	rest []byte
}

// Read implements io.Reader.
func (b *band) Read(to []byte) (int, error) {
	for len(b.rest) == 0 {
		content, kind, err := b.from.next()
		switch {
		case err != nil:
			return 0, err
		case kind != isContent:
			return 0, io.EOF
		case len(content) == 0:
			return 0, errProtocol
		}
		switch content[0] {
		case 1:
			b.rest = content[1:]
		case 2: // progress
		case 3:
			return 0, refusal{string(content[1:])}
		default:
			return 0, errProtocol
		}
	}
	n := copy(to, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

func packet(content string) string {
	return fmt.Sprintf("%04x%s\n", len(content)+packetHead+1, content)
}

// printable keeps of a server's words what can be shown in one line.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, strings.TrimSpace(s))
	return s[:min(len(s), 300)]
}
