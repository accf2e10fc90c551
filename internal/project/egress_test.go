package project

import "testing"

func TestEgressRules(t *testing.T) {
	for _, c := range []struct {
		rule, to string
		want     bool
	}{
		{"pypi.org", "pypi.org:443", true},
		{"pypi.org", "PyPI.org.:80", true},
		{"pypi.org", "pypi.org:22", false},
		{"pypi.org", "files.pypi.org:443", false},
		{"pypi.org", "evilpypi.org:443", false},
		{"*.example.com", "a.example.com:443", true},
		{"*.example.com", "a.b.example.com:443", true},
		{"*.example.com", "example.com:443", false},
		{"*.example.com", "evilexample.com:443", false},
		{"*.example.com", ".example.com:443", false},
		{"git.example.com:22", "git.example.com:22", true},
		{"git.example.com:22", "git.example.com:443", false},
		{"*.example.com:8443", "a.example.com:8443", true},
		{"*", "anything.example:443", true},
		{"*", "anything.example:25", false},
		{"*", "[2001:db8::1]:443", true},
		{"[2001:db8::1]:8080", "[2001:DB8:0::1]:8080", true},
		{"192.0.2.7", "192.0.2.7:443", true},
	} {
		rule, ok := parseEgressRule(c.rule)
		if !ok {
			t.Errorf("%s is no rule", c.rule)
			continue
		}
		host, port, ok := SplitEgress(c.to)
		got := ok && rule.matches(host, port)
		if got != c.want {
			t.Errorf("%s for %s: %v", c.rule, c.to, got)
		}
	}
}

// What one program takes for an address and another for a name leads nowhere.
func TestAttack21HostsThatAreReadDifferently(t *testing.T) {
	for _, s := range []string{
		"127.1:80", "0x7f.0.0.1:80", "2130706433:80", "017700000001:80", "1.2.3.4.5:80", "a..b:80", "a b:80", "a%2eb:80", "a/b:80", "a@b:80",
		"a:0", "a:080", "a:65536", "a:-1", "a:", ":80", "", "[::1%25lo]:80", "[::1:80", "::1]:80", "[a]:80", "fe80::1%lo", "ä.example:80", "a\x00b:80", "-a:80",
	} {
		if host, port, ok := SplitEgress(s); ok {
			t.Errorf("%q is read as %s port %d", s, host, port)
		}
	}
}
