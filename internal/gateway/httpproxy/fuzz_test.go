package httpproxy

import (
	"encoding/binary"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// FuzzSocketFrames: where a WebSocket's frames end does not depend on how their bytes come.
func FuzzSocketFrames(f *testing.F) {
	f.Add([]byte{0x81, 2, 'h', 'i', 0x88, 0}, uint8(1))
	f.Add(append([]byte{0x82, 126, 1, 0}, make([]byte, 300)...), uint8(7))
	f.Add(binary.BigEndian.AppendUint64([]byte{0x82, 0xff}, 1<<63), uint8(3))
	f.Fuzz(func(t *testing.T, stream []byte, step uint8) {
		var whole, parts frames
		whole.pass(stream)
		for rest := stream; len(rest) > 0; {
			n := min(int(step)+1, len(rest))
			parts.pass(rest[:n])
			rest = rest[n:]
		}
		if whole != parts {
			t.Errorf("%x: %+v at once, %+v in parts of %d", stream, whole, parts, int(step)+1)
		}
	})
}

// FuzzCookies: whatever a browser sends as cookies, no cookie of Lanyard's goes on; whatever an app sets, it sets none of
// them and none for another host.
func FuzzCookies(f *testing.F) {
	f.Add("__Host-lanyard=secret; a=b")
	f.Add("a=\"; __host-Lanyard-x=secret\"; Domain=example.test")
	f.Fuzz(func(t *testing.T, text string) {
		r := http.Request{Header: http.Header{"Cookie": {othersCookies([]string{text})}}}
		for _, c := range r.Cookies() {
			if ownCookie(c.Name) {
				t.Errorf("%q leaves %q", text, c.Name)
			}
		}
		x := &exchange{}
		x.app.URL = &url.URL{Scheme: "http", Host: "app.example.test", Path: "/base"}
		set := http.Header{}
		x.setCookies(set, []string{text})
		for _, line := range set["Set-Cookie"] {
			c, err := http.ParseSetCookie(line)
			if err != nil {
				continue // nor does a browser read it
			}
			if ownCookie(c.Name) || c.Domain != "" || strings.Contains(strings.ToLower(line), ";domain=") {
				t.Errorf("%q sets %q", text, line)
			}
		}
	})
}
