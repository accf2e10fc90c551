package gitserver

import (
	"errors"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// slowed writes an answer no faster than a rate that may change meanwhile.
type slowed struct {
	http.ResponseWriter
	rate *atomic.Int64
	done <-chan struct{}
}

const slice = 20 * time.Millisecond

var errGone = errors.New("the client is gone")

// Write implements io.Writer. It answers with an error when the client is gone, which ends the process behind it.
func (s *slowed) Write(p []byte) (written int, err error) {
	for len(p) > 0 {
		rate := s.rate.Load()
		if rate <= 0 {
			n, err := s.ResponseWriter.Write(p)
			return written + n, err
		}
		part := min(len(p), max(int(rate*int64(slice)/int64(time.Second)), 1))
		n, err := s.ResponseWriter.Write(p[:part])
		written += n
		if err != nil {
			return written, err
		}
		if err := http.NewResponseController(s.ResponseWriter).Flush(); err != nil {
			return written, err
		}
		p = p[part:]
		select {
		case <-s.done:
			return written, errGone
		case <-time.After(slice):
		}
	}
	return written, nil
}

// Unwrap lets http.ResponseController reach what the connection can do.
func (s *slowed) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// slowedBody reads a request no faster than the same rate: a push takes its time too.
type slowedBody struct {
	io.ReadCloser
	rate *atomic.Int64
	done <-chan struct{}
}

// Read implements io.Reader.
func (s slowedBody) Read(p []byte) (int, error) {
	rate := s.rate.Load()
	if rate <= 0 {
		return s.ReadCloser.Read(p)
	}
	n, err := s.ReadCloser.Read(p[:min(len(p), max(int(rate*int64(slice)/int64(time.Second)), 1))])
	select {
	case <-s.done:
		return n, errGone
	case <-time.After(slice):
	}
	return n, err
}
