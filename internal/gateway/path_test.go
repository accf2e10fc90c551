package gateway

import (
	"path"
	"strings"
	"testing"
)

// TestAttack13AmbiguousPathIsRefused: a path that two programs could read differently reaches nobody.
func TestAttack13AmbiguousPathIsRefused(t *testing.T) {
	for _, raw := range []string{
		"", "r/ledger", "*", "http://ledger/x",
		"/r/ledger/a%2fb", "/r/ledger/a%2Fb", "/r/ledger/a%5cb", `/r/ledger/a\b`,
		"/r/ledger/../x", "/r/ledger/..", "/r/ledger/./x", "/r/ledger/..;/x", "/r/ledger/..;a=b/x", "/r/ledger/.;/x",
		"/r/ledger/%2e%2e/x", "/r/ledger/.%2E/x", "/r/ledger/%2e/x", "/r/ledger/..%3b/x",
		"/r/ledger//x", "//r/ledger/x", "/r/ledger/x//",
		"/r/ledger/a%00b", "/r/ledger/a%0ab", "/r/ledger/a%7f", "/r/ledger/a\x00b", "/r/ledger/a\tb", "/r/ledger/a b",
		"/r/ledger/a%252fb", "/r/ledger/%252e%252e/x", "/r/ledger/a%255cb", "/r/ledger/a%2500",
		"/r/ledger/a%zz", "/r/ledger/a%2", "/r/ledger/a%", "/r/ledger/a#b",
		"/r/ledger/%c0%af", "/r/ledger/\xc3\xa9", "/r/ledger/a\"b", "/r/ledger/a<b",
	} {
		if checkPath(raw) == "" {
			t.Errorf("%q passed", raw)
		}
	}
	for _, raw := range []string{
		"/", "/r/ledger", "/r/ledger/", "/r/ledger/entries/42", "/r/ledger/a%20b", "/r/ledger/%C3%A9", "/r/ledger/100%25",
		"/r/ledger/a.b/..c/c..", "/r/ledger/a;b=c", "/r/ledger/a+b", "/r/ledger/@x:y,z!$&'()*=~",
		"/r/ledger/50%25off",
	} {
		if why := checkPath(raw); why != "" {
			t.Errorf("%q was refused because %s", raw, why)
		}
	}
}

func FuzzPath(f *testing.F) {
	f.Add("/r/ledger/a%20b")
	f.Add("/r/..;/x")
	f.Fuzz(func(t *testing.T, raw string) {
		if checkPath(raw) != "" {
			return
		}
		// What passes has one reading: cleaning it changes nothing.
		if c := cleaned(raw); c != raw {
			t.Errorf("%q passed but is read as %q", raw, c)
		}
	})
}

func cleaned(raw string) string {
	c := path.Clean(raw)
	if strings.HasSuffix(raw, "/") && c != "/" {
		c += "/"
	}
	return c
}

// TestAttack13DeepEncodingTakesNoTime: a name that was encoded thousands of times over is refused after a few.
func TestAttack13DeepEncodingTakesNoTime(t *testing.T) {
	looked := testing.Benchmark(func(b *testing.B) {
		deep := "/git/%" + strings.Repeat("25", 4000) + "2e"
		for b.Loop() {
			if checkPath(deep) == "" {
				b.Fatal("taken")
			}
		}
	})
	if allocated := looked.AllocedBytesPerOp(); allocated > 1<<20 { // what it takes grows with what it allocates
		t.Errorf("%d bytes for a path of 8000", allocated)
	}
	if checkPath("/git/100%2525") != "" {
		t.Error("a percent sign in a name is refused")
	}
}
