package httpproxy

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/access"
)

// However a header is spelt that tells an app who is calling, it is not passed on.
func FuzzHeaderName(f *testing.F) {
	for _, s := range []string{"Lanyard-Assertion", "lanyard_assertion", "LANYARD.ASSERTION", "X_Forwarded-For", "Remote_User", "Accept", "X-Real_IP", "Content_Length", "Traceparent"} {
		f.Add(s)
	}
	fold := func(s string) string {
		return strings.Map(func(r rune) rune {
			switch {
			case r >= 'A' && r <= 'Z':
				return r + 'a' - 'A'
			case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
				return r
			}
			return '-'
		}, s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		for i := range len(name) { // only tokens are names (RFC 9110 section 5.6.2), and net/http refuses others
			if c := name[i]; c <= ' ' || c >= 0x7f || strings.IndexByte("\"(),/:;<=>?@[\\]{}", c) >= 0 {
				return
			}
		}
		canonical := http.CanonicalHeaderKey(name)
		passed := ordinary(canonical) || !(hopByHop(canonical) || foreign(canonical))
		folded := fold(name)
		if passed && (strings.HasPrefix(folded, "lanyard-") || strings.HasPrefix(folded, "x-forwarded-") || folded == "authorization" || folded == "remote-user" || folded == "cookie" || folded == "forwarded") {
			t.Fatalf("%q is passed on", name)
		}
	})
}

// Events are given out whole, and nothing is lost or added unless the stream was cut.
func FuzzEvents(f *testing.F) {
	f.Add([]byte("data: a\n\ndata: b\n\n"), false)
	f.Add([]byte("data: a\r\n\r\ndata: half"), true)
	f.Add([]byte("\n\n\r\r"), true)
	f.Fuzz(func(t *testing.T, b []byte, cut bool) {
		e := &events{from: io.NopCloser(bytes.NewReader(b)), reason: func() access.Reason {
			if cut {
				return access.Reason{Code: access.Revoked, Text: "it was\nrevoked"}
			}
			return access.Reason{}
		}}
		got, err := io.ReadAll(e)
		if !cut && (err != nil || !bytes.Equal(got, b)) {
			t.Fatalf("%q became %q (%v)", b, got, err)
		}
		if cut {
			before, last, found := bytes.Cut(got, []byte("event: lanyard-closed\ndata: "))
			if err == nil || !found && !bytes.Contains(b, []byte("event: lanyard-closed")) || !bytes.HasPrefix(b, before) || bytes.Count(last, []byte("\n")) < 2 {
				t.Fatalf("%q became %q (%v)", b, got, err)
			}
		}
	})
}

// However the bytes of a WebSocket come, the same places are found between its frames.
func FuzzWebSocketFrames(f *testing.F) {
	f.Add([]byte{0x81, 0x02, 'h', 'i', 0x88, 0x00}, 1)
	f.Add([]byte{0x82, 126, 0, 1, 'x', 0x81, 0x81, 1, 2, 3, 4, 'y'}, 3)
	f.Add([]byte{0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0}, 2)
	f.Fuzz(func(t *testing.T, b []byte, step int) {
		var whole, parts frames
		whole.pass(b)
		step = max(1, min(step, 64))
		for rest := b; len(rest) > 0; {
			n := min(step, len(rest))
			parts.pass(rest[:n])
			rest = rest[n:]
		}
		if whole.left != parts.left || whole.have != parts.have || whole.closed != parts.closed {
			t.Fatalf("%x in steps of %d: %+v and %+v", b, step, whole, parts)
		}
	})
}
