package tunnel

import (
	"bytes"
	"io"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/yamux"
)

// told is a connection on which a peer has said everything already.
type told struct{ *bytes.Reader }

func (told) Write(b []byte) (int, error)      { return len(b), nil }
func (told) Close() error                     { return nil }
func (told) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (told) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (told) SetDeadline(time.Time) error      { return nil }
func (told) SetReadDeadline(time.Time) error  { return nil }
func (told) SetWriteDeadline(time.Time) error { return nil }

// What comes from a workspace before anything is known of it: a hello is read to its end and not a byte further.
func FuzzHello(f *testing.F) {
	for _, s := range []string{`{"protocol":2,"build":"x","start":"y"}` + "\nrest", "{\"protocol\":1}\n", "\n", "{", `{"protocol":1e99}` + "\n", strings.Repeat("x", helloBytes+1) + "\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := told{bytes.NewReader(b)}
		h, err := hear(c, "test", 2)
		end := bytes.IndexByte(b, '\n')
		if read := len(b) - c.Len(); read > helloBytes || end >= 0 && read > end+1 {
			t.Fatalf("%d bytes were read of %q", read, b)
		}
		if err == nil && (h.Protocol != 1 && h.Protocol != 2 || end < 0) {
			t.Fatalf("%q is accepted as %+v", b, h)
		}
	})
}

// Frames that a workspace sends instead of its agent's end the tunnel, or are streams that end; nothing hangs, and memory
// is bounded by the window.
func FuzzFrames(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0})                         // a window update that opens a stream
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff})             // data of 4 GB
	f.Add([]byte{0, 2, 0, 1, 0, 0, 0, 0, 0, 0, 0, 7, 0, 3, 0, 0, 0, 0, 0, 0}) // ping, go away
	f.Add([]byte{1, 0, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := yamux.Server(told{bytes.NewReader(b)}, yamuxConfig(slog.New(slog.DiscardHandler)))
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		for {
			stream, err := s.Accept()
			if err != nil {
				return
			}
			_ = stream.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = io.Copy(io.Discard, io.LimitReader(stream, 1<<20)) // what it says is not looked at
			stream.Close()
		}
	})
}
