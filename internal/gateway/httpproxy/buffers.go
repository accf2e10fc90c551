package httpproxy

import "sync"

// bufferSize is how much of an answer is held at a time.
const bufferSize = 32 << 10

// buffers are what answers are copied with.
type buffers struct{ pool sync.Pool }

func (b *buffers) get() *[bufferSize]byte {
	if buf, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return buf
	}
	return new([bufferSize]byte)
}

func (b *buffers) put(buf *[bufferSize]byte) { b.pool.Put(buf) }
