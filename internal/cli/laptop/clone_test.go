package laptop

import (
	"slices"
	"strings"
	"testing"
)

func TestCanonical(t *testing.T) {
	for remote, want := range map[string]string{
		"https://git.example.test/payments/api":          "https://git.example.test/payments/api",
		"https://Git.Example.test/payments/api.git":      "https://git.example.test/payments/api",
		"https://ada@git.example.test/payments/api/":     "https://git.example.test/payments/api",
		"https://git.example.test:8443/payments/api":     "https://git.example.test:8443/payments/api",
		"git@github.com:contoso/api.git":                 "https://github.com/contoso/api",
		"github.com:contoso/api":                         "https://github.com/contoso/api",
		"ssh://git@github.com/contoso/api.git":           "https://github.com/contoso/api",
		"http://git.example.test/payments/api":           "",
		"file:///srv/git/api":                            "",
		"/srv/git/api":                                   "",
		"../api":                                         "",
		"https://git.example.test":                       "",
		"lanyard::https://lanyard.example.test/git/x/y":  "",
		"ext::sh -c true":                                "",
		`C:\src\api`:                                     "",
		"https://evil.example.test/@git.example.test/x/": "https://evil.example.test/@git.example.test/x",
	} {
		if got := Canonical(remote); got != want && !(want == "" && !strings.HasPrefix(got, "https://git.example.test/")) {
			t.Errorf("%s: %q, not %q", remote, got, want)
		}
	}
}

func TestAddress(t *testing.T) {
	address, err := Address("https://lanyard.example.test", "https://git.example.test/payments/api/")
	if err != nil || address != "lanyard::https://lanyard.example.test/git/git.example.test/payments/api" {
		t.Fatal(address, err)
	}
	server, path, err := Split(strings.TrimPrefix(address, Scheme))
	if err != nil || server != "https://lanyard.example.test" || path != "/git/git.example.test/payments/api" {
		t.Error(server, path, err)
	}
	for _, bad := range []string{"", "https://lanyard.example.test/r/ledger", "https://ada:secret@lanyard.example.test/git/x/y", "/git/x/y", "--upload-pack=x"} {
		if server, path, err := Split(bad); err == nil {
			t.Errorf("%q: %s %s", bad, server, path)
		}
	}
	if address, err := Address("https://lanyard.example.test", "https://ada:secret@git.example.test/x"); err == nil {
		t.Errorf("a password went into %s", address)
	}
}

func TestWithGitConfig(t *testing.T) {
	got := WithGitConfig([]string{"A=b", "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=c.d", "GIT_CONFIG_VALUE_0=e"}, []Setting{{"f.g", "h"}})
	want := []string{"A=b", "GIT_CONFIG_KEY_0=c.d", "GIT_CONFIG_VALUE_0=e", "GIT_CONFIG_KEY_1=f.g", "GIT_CONFIG_VALUE_1=h", "GIT_CONFIG_COUNT=2", "GIT_TERMINAL_PROMPT=0"}
	if !slices.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if got := configText(Setting{`http.http://127.0.0.1:1/a"\.extraHeader`, "X: y"}); got != "[http \"http://127.0.0.1:1/a\\\"\\\\\"]\n\textraHeader = \"X: y\"\n" {
		t.Errorf("%q", got)
	}
}
