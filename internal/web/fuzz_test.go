package web

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

func FuzzLocalPath(f *testing.F) {
	for _, s := range []string{"/", "/x?y=1", "//evil.example.test", "/\\evil.example.test", "/\t/evil.example.test", "/#x", "/%2f/x", "/%5cevil", "http:/x", "/x:y", "/..//evil", "/;@evil"} {
		f.Add(s)
	}
	base, err := url.Parse("https://lanyard.example.test/login")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, s string) {
		path, err := LocalPath(s)
		if err != nil {
			return
		}
		to, err := base.Parse(path)
		if err != nil || to.Host != base.Host || to.Scheme != base.Scheme || to.User != nil {
			t.Fatalf("%q leads to %v (%v)", s, to, err)
		}
		// Browsers read a backslash as a slash, and leave tabs and line ends out (WHATWG URL, section 4.4).
		seen := strings.NewReplacer("\\", "/", "\t", "", "\n", "", "\r", "").Replace(path)
		if strings.HasPrefix(seen, "//") || strings.ContainsAny(path, "\x00\r\n\t\\") {
			t.Fatalf("%q gives %q", s, path)
		}
	})
}

func FuzzOrigin(f *testing.F) {
	f.Add("POST", "https://lanyard.example.test", "", "")
	f.Add("GET", "https://evil.example.test", "Upgrade", "websocket")
	f.Add("GET", "", "keep-alive,UPGRADE", "")
	const own = "https://lanyard.example.test"
	f.Fuzz(func(t *testing.T, method, origin, connection, upgrade string) {
		r := httptest.NewRequest(http.MethodGet, own+"/", nil)
		r.Method = method
		r.Header = http.Header{"Origin": {origin}, "Connection": {connection}, "Upgrade": {upgrade}}
		if err := GuardOrigin(r, own); err == nil && origin != own {
			if m := strings.ToUpper(method); m == "POST" || m == "PUT" || m == "DELETE" || m == "PATCH" || upgrade != "" {
				t.Fatalf("%s from %q passes (%q, %q)", method, origin, connection, upgrade)
			}
		}
	})
}
