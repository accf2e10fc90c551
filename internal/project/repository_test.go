package project

import (
	"strings"
	"testing"
)

func TestCanonicalRepository(t *testing.T) {
	for raw, want := range map[string]string{
		"https://git.example.test/payments/api":                 "https://git.example.test/payments/api",
		"https://git.example.test/payments/api.git":             "https://git.example.test/payments/api",
		"https://git.example.test/payments/api.git/":            "https://git.example.test/payments/api",
		"https://git.example.test/payments/api.git.git":         "https://git.example.test/payments/api",
		"HTTPS://Git.Example.TEST:443/payments/API/":            "https://git.example.test/payments/API",
		"https://git.example.test:8443/a":                       "https://git.example.test:8443/a",
		"https://dev.azure.com/contoso/payments/_git/api":       "https://dev.azure.com/contoso/payments/_git/api",
		"https://git.example.test/~someone/a.b_c-d":             "https://git.example.test/~someone/a.b_c-d",
		"https://xn--grn-hoa.example.test/a":                    "https://xn--grn-hoa.example.test/a",
		"https://127.0.0.1:3000/a":                              "https://127.0.0.1:3000/a",
		"https://git.example.test/" + strings.Repeat("a/", 900): "https://git.example.test/" + strings.Repeat("a/", 899) + "a",
	} {
		got, err := CanonicalRepository(raw)
		if err != nil || got != want {
			t.Errorf("%s: got %q, %v; want %q", raw, got, err, want)
		}
	}
}

func refused(t *testing.T, raw, why string) {
	t.Helper()
	got, err := CanonicalRepository(raw)
	if err == nil || !strings.Contains(err.Error(), why) {
		t.Errorf("%q: got %q, %v; want an error that says %q", raw, got, err, why)
	}
	if err != nil && strings.Contains(err.Error(), "hunter2") {
		t.Errorf("%q: the password is in the error %v", raw, err)
	}
}

func TestRefusedRepositories(t *testing.T) {
	for raw, why := range map[string]string{
		"":                                                      "empty",
		"http://git.example.test/payments/api":                  "must begin with https://, not http://",
		"ftp://git.example.test/payments/api":                   "must begin with https://",
		"git@git.example.test:payments/api.git":                 "only https is spoken",
		"ssh://git@git.example.test/payments/api.git":           "only https is spoken",
		"file:///etc/passwd":                                    "must begin with https://",
		"/etc/passwd":                                           "must begin with https://",
		"ext::sh -c id":                                         "must begin with https://",
		"https://git.example.test":                              "no repository",
		"https://git.example.test/":                             "no repository",
		"https://git.example.test/.git":                         ".git",
		"https:///payments/api":                                 "host",
		"https://git_example/payments":                          "not a host name",
		"https://git.example.test./a":                           "not a host name",
		"https://[::1]/a":                                       "not a host name",
		"https://git.example.test:0/a":                          "not a port",
		"https://git.example.test:0443/a":                       "not a port",
		"https://git.example.test:99999/a":                      "not a port",
		"https://git.example.test:/a":                           "not a port",
		"https://user@git.example.test/a":                       "without user name",
		"https://user:hunter2@git.example.test/a":               "without user name",
		"https://git.example.test/a?x=1":                        "without user name, query",
		"https://git.example.test/a#x":                          "without user name, query and fragment",
		"https://git.exämple.test/a":                            "xn--",
		"https://git.example.test/a b":                          "space or a control",
		"https://git.example.test/a\n":                          "space or a control",
		"https://git.example.test/a\x00":                        "space or a control",
		"https://git.example.test/payments/a:b":                 "other characters",
		"https://git.example.test/" + strings.Repeat("a", 3000): "longer than",
	} {
		refused(t, raw, why)
	}
}

// Attack 13: one resource, several spellings. What could be read in two ways is refused, not repaired.
func TestAttack13AmbiguousEncodings(t *testing.T) {
	for raw, why := range map[string]string{
		"https://git.example.test/payments%2fapi":       "percent",
		"https://git.example.test/payments/%2e%2e/api":  "percent",
		"https://git.example.test/payments/api%00":      "percent",
		"https://git.example.test/payments/api%20x":     "percent",
		"https://git.example.test/payments%5capi":       "percent",
		"https://git.example.test/payments\\api":        "holds",
		"https://git.example.test//payments/api":        "empty path segment",
		"https://git.example.test/payments//api":        "empty path segment",
		"https://git.example.test/payments/api//":       "empty path segment",
		"https://git.example.test/payments/./api":       `segment "."`,
		"https://git.example.test/payments/../api":      `segment ".."`,
		"https://git.example.test/payments/..;/api":     "other characters",
		"https://git.example.test/payments/api;x=1":     "other characters",
		"https://git.example.test/payments/.GIT/config": "segment .git",
		"https://git.example.test/payments/.git":        "segment .git",
		"https:/\\git.example.test/payments/api":        "must begin with https://",
		"https://git.example.test\t/payments/api":       "space or a control",
	} {
		refused(t, raw, why)
	}
	for _, ref := range []string{"a%2fb", "a%5Cb", "%2e%2e/x", "a%252fb", "a%00b", "a;b", "a//b", "a%", "a%zz", "a\\b", "a%0Ab"} {
		if _, got, err := ParseContextURL("https://git.example.test/payments/api/tree/" + ref); err == nil {
			t.Errorf("ref %q was read as %q", ref, got)
		}
	}
}

// Attack 29: what reaches Git's command line must never be taken for an option.
func TestAttack29LeadingDash(t *testing.T) {
	for raw, why := range map[string]string{
		"--upload-pack=touch /tmp/x":                       "dash",
		"-oProxyCommand=x":                                 "dash",
		"https://-x.example.test/a":                        "not a host name",
		"https://git.example.test/-x/a":                    "dash",
		"https://git.example.test/payments/--upload-pack":  "dash",
		"https://git.example.test/payments/-":              "dash",
		"https://git.example.test/--upload-pack=id/api":    "dash",
		"https://git.example.test:-1/a":                    "not a port",
		"https://git.example.test/payments/api --upload-x": "space",
	} {
		refused(t, raw, why)
	}
	for _, s := range []string{
		"https://git.example.test/payments/api/tree/--upload-pack=id",
		"https://git.example.test/payments/api/tree/-x",
		"https://git.example.test/payments/api/tree/%2Dx",
		"https://git.example.test/payments/api/commit/--help",
	} {
		if repo, ref, err := ParseContextURL(s); err == nil {
			t.Errorf("%s: read as %q %q", s, repo, ref)
		}
	}
}

func TestParseContextURL(t *testing.T) {
	const repo = "https://git.example.test/payments/api"
	sha := strings.Repeat("0123456789", 4)
	for s, want := range map[string][2]string{
		repo:                                              {repo, ""},
		repo + ".git":                                     {repo, ""},
		repo + "/":                                        {repo, ""},
		repo + "/tree/main":                               {repo, "main"},
		repo + "/tree/main/":                              {repo, "main"},
		repo + "/tree/feature/with/slash":                 {repo, "feature/with/slash"},
		repo + "/-/tree/main":                             {repo, "main"},
		repo + "/tree/gr%C3%BCn":                          {repo, "grün"},
		repo + "/tree/fix%2342":                           {repo, "fix#42"},
		repo + "/tree/tree/commit":                        {repo, "tree/commit"},
		repo + "/commit/" + sha:                           {repo, sha},
		repo + "/-/commit/" + sha:                         {repo, sha},
		"https://git.example.test/payments/tree":          {"https://git.example.test/payments/tree", ""},
		"https://git.example.test/tree/main/api/tree/x":   {"https://git.example.test/tree/main/api", "x"},
		"https://git.example.test/a/b/c/d/e/tree/main":    {"https://git.example.test/a/b/c/d/e", "main"},
		"https://git.example.test/pull/api":               {"https://git.example.test/pull/api", ""},
		"https://dev.azure.com/contoso/payments/_git/api": {"https://dev.azure.com/contoso/payments/_git/api", ""},
	} {
		got, ref, err := ParseContextURL(s)
		if err != nil || got != want[0] || ref != want[1] {
			t.Errorf("%s: got %q %q %v", s, got, ref, err)
		}
	}
	for s, why := range map[string]string{
		"":                                         "empty",
		"payments/api":                             "must begin with https://",
		"FOO=bar,LD_PRELOAD=x/" + repo:             "LD_PRELOAD",
		"imagebuild/" + repo:                       "`imagebuild/` does not exist here",
		"snapshot/1234/" + repo:                    "by its ID alone",
		"open-prebuild/1/" + repo:                  "`open-prebuild/`",
		"x" + repo:                                 "must begin with https://",
		repo + "/tree/a\x1b[31m":                   "control characters",
		repo + "\r\nx":                             "control characters",
		repo + "/tree/a\u202eb":                    "control characters",
		repo + "/tree/a..b":                        "not the name of a branch",
		repo + "/tree/a.lock":                      "not the name of a branch",
		repo + "/tree/.a":                          "not the name of a branch",
		repo + "/tree/a@{1}":                       "not the name of a branch",
		repo + "/tree/a b":                         "characters that no branch has",
		repo + "/tree/a%20b":                       "characters that no branch has",
		repo + "/tree/a:b":                         "characters that no branch has",
		repo + "/commit/abc123":                    "full ID",
		repo + "/issues/7":                         "issues",
		repo + "/blob/main/x.go":                   "blob",
		repo + "?autostart=true":                   "query",
		repo + "/tree/" + strings.Repeat("a", 300): "longer than 255",
	} {
		why = strings.ReplaceAll(why, "`pull`", `"pull"`)
		got, ref, err := ParseContextURL(s)
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: got %q %q %v; want %q", s, got, ref, err, why)
		}
	}
}

func FuzzCanonicalRepository(f *testing.F) {
	for _, s := range []string{"https://git.example.test/payments/api.git", "https://a:443/b/", "https://a/%2e%2e/b", "--upload-pack",
		"https://a/.git", "https://a//b", "HTTPS://A/B.GIT", "https://a/b.git.git/", "git@a:b", "https://a:1/b;c"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := CanonicalRepository(s)
		if err != nil {
			return
		}
		if again, err := CanonicalRepository(got); err != nil || again != got {
			t.Fatalf("%q became %q, which becomes %q, %v", s, got, again, err)
		}
		if strings.ContainsAny(got[len("https://"):], "%?#@\\;\"' \t\r\n\x00") || strings.Contains(got[8:], "//") ||
			strings.Contains(got, "/-") || strings.Contains(got, "/../") || strings.HasSuffix(got, "/..") {
			t.Fatalf("%q became %q", s, got)
		}
	})
}

func FuzzParseContextURL(f *testing.F) {
	for _, s := range []string{"https://git.example.test/payments/api/tree/a/b", "https://a/b/-/tree/c", "https://a/b/commit/" + strings.Repeat("a", 40),
		"X=1/https://a/b", "https://a/b/tree/%2e%2e", "https://a/b/tree/%C3%BC", "referrer:x/https://a/b", "https://a/tree/tree/tree"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		repo, ref, err := ParseContextURL(s)
		if err != nil {
			return
		}
		if again, err := CanonicalRepository(repo); err != nil || again != repo {
			t.Fatalf("%q gave the repository %q: %q %v", s, repo, again, err)
		}
		if ref != "" && CheckRef(ref) != nil {
			t.Fatalf("%q gave the ref %q", s, ref)
		}
	})
}
