package agent

import (
	"bytes"
	"unicode/utf8"
)

// scrollbackBytes is how much of a terminal's output is kept for those who attach later.
const scrollbackBytes = 256 << 10

// scrollback keeps the last bytes of a terminal's output. Positions count from the terminal's first byte.
type scrollback struct {
	ring  [scrollbackBytes]byte
	begin int64 // position of the oldest byte kept
	end   int64 // position after the newest
}

func (s *scrollback) write(p []byte) {
	for len(p) > 0 {
		n := copy(s.ring[s.end%scrollbackBytes:], p)
		s.end += int64(n)
		p = p[n:]
	}
	s.begin = max(s.begin, s.end-scrollbackBytes)
}

// read copies bytes from position on into p; 0 when there are none yet. A position that is no longer kept reads from
// the oldest byte on; next is the position after what was read.
func (s *scrollback) read(position int64, p []byte) (n int, next int64) {
	position = max(position, s.begin)
	for n < len(p) && position < s.end {
		i := position % scrollbackBytes
		k := copy(p[n:], s.ring[i:min(scrollbackBytes, i+s.end-position)])
		n += k
		position += int64(k)
	}
	return n, position
}

// history returns all that is kept, and the position after it. What was cut off at its beginning is cut further, to
// the next line or at least to the next character, so that no half of one is shown.
func (s *scrollback) history() ([]byte, int64) {
	p := make([]byte, s.end-s.begin)
	n, next := s.read(s.begin, p)
	p = p[:n]
	if s.begin == 0 {
		return p, next
	}
	if i := bytes.IndexByte(p, '\n'); i >= 0 && i < len(p)/2 {
		return p[i+1:], next
	}
	for len(p) > 0 && !utf8.RuneStart(p[0]) {
		p = p[1:]
	}
	return p, next
}
