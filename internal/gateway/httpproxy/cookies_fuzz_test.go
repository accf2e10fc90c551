package httpproxy

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
)

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
