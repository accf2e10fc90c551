package project

import (
	"net/url"
	"strings"
	"testing"
)

// FuzzAppPath: how a path's segments are encoded makes no difference to the rules, and neither does what follows a **.
func FuzzAppPath(f *testing.F) {
	f.Add("/admin/**", "/admin/x/y")
	f.Add("/a/*/c", "/a/%62/c/")
	f.Add("/", "/")
	f.Fuzz(func(t *testing.T, pattern, path string) {
		if checkAppPath(pattern) != "" || !strings.HasPrefix(path, "/") || strings.Contains(path, "//") {
			return
		}
		p := AppPath(pattern)
		got := p.match(path)
		segments := strings.Split(path, "/")
		for i, s := range segments {
			decoded, err := url.PathUnescape(s)
			if err != nil || strings.ContainsAny(decoded, "/%") {
				return // refused before it comes to rules
			}
			segments[i] = ""
			for _, b := range []byte(decoded) {
				segments[i] += "%" + string("0123456789ABCDEF"[b>>4]) + string("0123456789ABCDEF"[b&15])
			}
		}
		if again := p.match(strings.Join(segments, "/")); again != got {
			t.Errorf("%s and %s: %d, encoded %d", pattern, path, got, again)
		}
		if strings.HasSuffix(pattern, "/**") && got == matches && p.match(strings.TrimSuffix(path, "/")+"/more") != matches {
			t.Errorf("%s matches %s and not what is below", pattern, path)
		}
	})
}
