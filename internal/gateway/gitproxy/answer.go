package gitproxy

import (
	"bufio"
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

// answer forwards an upstream's answer packet by packet, so that after a cut its last words stand between packets.
// One goroutine uses it.
type answer struct {
	w     *bufio.Writer
	flush func() error
	phase phase
	over  bool // the upstream's answer was forwarded whole
}

// buffers are what one answer needs: the memory of a clone does not depend on its size.
type buffers struct {
	packet []byte
	writer *bufio.Writer
}

var pool = sync.Pool{New: func() any {
	return &buffers{packet: make([]byte, maxPacket), writer: bufio.NewWriterSize(nil, maxPacket)}
}}

func newAnswer(w http.ResponseWriter, b *buffers) *answer {
	b.writer.Reset(w)
	return &answer{w: b.writer, flush: http.NewResponseController(w).Flush}
}

var errDownstream = errors.New("the client is gone")

// forward copies packets from the upstream until its answer ends. Its error says which side failed.
func (a *answer) forward(from *packets, count func(int64)) error {
	for {
		packet, err := from.next()
		switch {
		case errors.Is(err, io.EOF):
			a.over = true
			return a.push()
		case errors.Is(err, errPack):
			a.phase = raw
			return a.copyRaw(from.r, count)
		case err != nil:
			return err
		}
		a.follow(packet)
		if _, err := a.w.Write(packet); err != nil {
			return fmt.Errorf("%w: %w", errDownstream, err)
		}
		count(int64(len(packet)))
		if from.waiting() {
			if err := a.push(); err != nil {
				return err
			}
		}
	}
}

// follow learns from a packet what the next ones are. Channels are told from text by their byte: no text line begins
// with a control character.
func (a *answer) follow(packet []byte) {
	content := packet[packetHead:]
	if len(content) == 0 || a.phase == banded {
		return
	}
	if c := content[0]; c >= bandData && c <= bandError || string(content) == "packfile\n" {
		a.phase = banded
	}
}

func (a *answer) copyRaw(from io.Reader, count func(int64)) error {
	if err := a.push(); err != nil {
		return err
	}
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, err := a.w.Write(buf[:n]); err != nil {
				return fmt.Errorf("%w: %w", errDownstream, err)
			}
			count(int64(n))
			if err := a.push(); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			a.over = true
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// push sends what is buffered.
func (a *answer) push() error {
	if err := a.w.Flush(); err != nil {
		return fmt.Errorf("%w: %w", errDownstream, err)
	}
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
