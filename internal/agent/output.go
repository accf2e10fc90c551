package agent

import (
	"errors"
	"io"
	"os"
	"time"
)

const (
	// outputGrace is how long output is still waited for after a process has ended: what it left in the background
	// may hold its output open for ever.
	outputGrace = 250 * time.Millisecond
	// outputRest is how much is still read then; more than a pipe or a terminal can hold, so the process's own
	// last words are always among it.
	outputRest = 1 << 20
)

// lastWords says that the process which wrote to f has ended.
func lastWords(f *os.File) { _ = f.SetReadDeadline(time.Now().Add(outputGrace)) }

// output reads what a process writes. After lastWords it goes on while there is something to read at once: whoever
// takes the output may be slow, and what is in the pipe must not be lost to the deadline.
type output struct {
	f      *os.File
	ending bool
	rest   int
}

func newOutput(f *os.File) *output { return &output{f: f, rest: outputRest} }

func (o *output) Read(p []byte) (int, error) {
	for {
		if o.ending {
			if o.rest <= 0 {
				return 0, io.EOF
			}
			_ = o.f.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
		}
		n, err := o.f.Read(p)
		if o.ending {
			o.rest -= n
		}
		switch {
		case n > 0:
			return n, nil
		case errors.Is(err, os.ErrDeadlineExceeded) && !o.ending:
			o.ending = true
		case errors.Is(err, os.ErrDeadlineExceeded):
			return 0, io.EOF
		default:
			return 0, err
		}
	}
}
