package gitproxy

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// phase is what the packets of an answer are at this point of it.
type phase uint8

const (
	plain  phase = iota // packets of text: refs, acknowledgements, a report
	banded              // packets whose first byte is a channel
	raw                 // a pack without packets
)

// answer forwards an upstream's answer so that it always stands between two packets, where the last words of a cut fit.
// It reads into one large buffer, looks at the packets' heads there, and writes what is whole: a pack's bytes are
// neither copied nor written packet by packet. One goroutine uses it.
type answer struct {
	w     http.ResponseWriter
	flush func() error
	buf   []byte
	most  int64 // bytes that the answer may have; 0: no bound
	sent  int64
	phase phase
	over  bool // the upstream's answer was forwarded whole
}

const (
	// answerBuffer is the memory that one answer needs, whatever its size. A packet that is not whole yet is moved to its
	// beginning when less than readRoom is left; the larger it is, the less is moved.
	answerBuffer = 256 << 10
	readRoom     = 64 << 10
	// passesThrough is how much Go's server does not keep back when it is written at once: its buffer of 2 KiB for an
	// answer and of 4 KiB for a connection are passed by then. Less is flushed.
	passesThrough = 16 << 10
)

var pool = sync.Pool{New: func() any {
	b := make([]byte, answerBuffer)
	return &b
}}

func newAnswer(w http.ResponseWriter, buf []byte) *answer {
	return &answer{w: w, flush: http.NewResponseController(w).Flush, buf: buf}
}

var (
	errDownstream = errors.New("the client is gone")
	errEndless    = errors.New("the answer is longer than any that is passed on")
)

// forward passes on what the upstream sends until its answer ends. Its error says which side failed.
func (a *answer) forward(from io.Reader, count func(int64)) error {
	begin, end := 0, 0 // what is in the buffer and not passed on
	for {
		n, err := from.Read(a.buf[end:])
		end += n
		whole, wrong := a.scan(a.buf[begin:end])
		if whole > 0 {
			if err := a.pass(a.buf[begin:begin+whole], count); err != nil {
				return err
			}
			begin += whole
		}
		switch {
		case wrong != nil:
			return wrong
		case errors.Is(err, io.EOF) && begin < end:
			return io.ErrUnexpectedEOF
		case errors.Is(err, io.EOF):
			a.over = true
			return nil
		case err != nil:
			return err
		}
		if begin == end {
			begin, end = 0, 0
		} else if len(a.buf)-end < readRoom {
			begin, end = 0, copy(a.buf, a.buf[begin:end])
		}
	}
}

// scan returns how many of the bytes are whole packets, and learns from them what the next ones are.
func (a *answer) scan(b []byte) (whole int, err error) {
	for a.phase != raw && len(b)-whole >= packetHead {
		head := b[whole : whole+packetHead]
		if string(head) == "PACK" { // as the oldest protocol sends it
			a.phase = raw
			break
		}
		n, err := packetLength(head)
		if err != nil {
			return whole, err
		}
		n = max(n, packetHead) // a special one's digits are all there is
		if len(b)-whole < n {
			return whole, nil
		}
		a.follow(b[whole+packetHead : whole+n])
		whole += n
	}
	if a.phase == raw {
		return len(b), nil
	}
	return whole, nil
}

// follow learns from a packet's content what the next ones are. Channels are told from text by their byte: no text
// line begins with a control character.
func (a *answer) follow(content []byte) {
	if len(content) == 0 || a.phase == banded {
		return
	}
	if c := content[0]; c >= bandData && c <= bandError || string(content) == "packfile\n" {
		a.phase = banded
	}
}

func (a *answer) pass(b []byte, count func(int64)) error {
	if a.sent += int64(len(b)); a.most > 0 && a.sent > a.most {
		return errEndless
	}
	if _, err := a.w.Write(b); err != nil {
		return fmt.Errorf("%w: %w", errDownstream, err)
	}
	count(int64(len(b)))
	if len(b) >= passesThrough {
		return nil
	}
	return a.push()
}

// push sends what is buffered.
func (a *answer) push() error {
	if err := a.flush(); err != nil {
		return fmt.Errorf("%w: %w", errDownstream, err)
	}
	return nil
}

// last says why the answer ends here, in the form that a client takes at this point of it. A raw pack has no place
// for words.
func (a *answer) last(text string) {
	var packet []byte
	switch a.phase {
	case plain:
		packet = appendPacket(nil, "ERR "+text)
	case banded:
		packet = appendBand(nil, bandError, text)
	case raw:
		return
	}
	if _, err := a.w.Write(packet); err == nil {
		_ = a.push() // a client that is gone needs no words
	}
}
