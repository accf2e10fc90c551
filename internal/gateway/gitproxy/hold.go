package gitproxy

import (
	"errors"
	"io"
	"sync/atomic"
)

// heldBody is the body of a push. The last bytes that were read are held until more have come or the body has ended,
// and at the end they go out only if the lease is still open. A cut before that leaves the upstream with a pack that
// is not whole, which it refuses: so "not pushed" is true when it is said.
type heldBody struct {
	from  io.Reader
	live  func() bool
	last  func() error // asked before the last bytes go out
	ready []byte       // to be given out
	held  []byte
	bufs  [2][]byte
	next  int
	err   error
	whole atomic.Bool // everything was given out
	// denied is what last answered.
	denied atomic.Pointer[error]
}

const holdSize = 32 << 10

func newHeldBody(from io.Reader, live func() bool, last func() error) *heldBody {
	return &heldBody{from: from, live: live, last: last, bufs: [2][]byte{make([]byte, holdSize), make([]byte, holdSize)}}
}

var errCut = errors.New("the push was closed")

// Read implements io.Reader.
func (b *heldBody) Read(p []byte) (int, error) {
	for len(b.ready) == 0 {
		if b.err != nil {
			return 0, b.err
		}
		b.fill()
	}
	n := copy(p, b.ready)
	b.ready = b.ready[n:]
	return n, nil
}

// fill makes the bytes held so far ready and holds those read now. It is called when none are ready, so the buffer
// it reads into is free.
func (b *heldBody) fill() {
	buf := b.bufs[b.next]
	n, err := b.from.Read(buf)
	if !b.live() {
		b.err = errCut
		return
	}
	if n > 0 {
		b.ready, b.held = b.held, buf[:n]
		b.next = 1 - b.next
	}
	if err == nil {
		return
	}
	if errors.Is(err, io.EOF) {
		if denied := b.last(); denied != nil {
			b.denied.Store(&denied)
			b.err = errCut
			return
		}
	}
	b.err = err
	if errors.Is(err, io.EOF) {
		b.whole.Store(true)
		b.ready = append(b.ready[:len(b.ready):len(b.ready)], b.held...)
		b.held = nil
	}
}

// Close implements io.Closer. The client's side stays open: after a cut the rest is still read, so that the client
// reads the answer before it meets a closed connection.
func (b *heldBody) Close() error { return nil }
