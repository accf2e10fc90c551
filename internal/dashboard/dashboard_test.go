package dashboard

import (
	"compress/gzip"
	"html"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/lanyardhq/lanyard/internal/problem"
	"github.com/lanyardhq/lanyard/internal/web"
)

// bundle stands in for what `make build` makes: its content does not matter here.
func bundle() fstest.MapFS {
	files := fstest.MapFS{"dist/.keep": {}}
	for _, name := range needed {
		files["dist/"+name] = &fstest.MapFile{Data: []byte("/* " + name + " */")}
	}
	return files
}

func newDashboard(t *testing.T, files fstest.MapFS) *Dashboard {
	d, err := New(Config{
		URL: "https://lanyard.example.test", Provider: "Contoso", SignOut: func() string { return "https://tenant.example.test" },
		Workspace: func(*http.Request) Workspace {
			return Workspace{Name: `<script>alert(1)</script>`, Repository: "https://git.example.test/payments/api"}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if d.assets, err = readAssets(files, "dist"); err != nil {
		t.Fatal(err)
	}
	return d
}

// get asks the pages' routes.
func get(t *testing.T, d *Dashboard, path string, headers ...string) *http.Response {
	t.Helper()
	site := web.Site{Name: "pages", Routes: d.Routes(), Headers: Headers, Fail: d.Fail}
	h, err := site.Handler(web.Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return ask(t, h, path, headers...)
}

func ask(t *testing.T, h http.Handler, path string, headers ...string) *http.Response {
	t.Helper()
	r := httptest.NewRequest("GET", "https://lanyard.example.test"+path, nil)
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

var inline = regexp.MustCompile(`(?i)<script>|<style|<[^>]*\s(style|on[a-z]+)=|javascript:`)

// checkPage fails where a page could run or show what is not Lanyard's own.
func checkPage(t *testing.T, r *http.Response) string {
	t.Helper()
	csp := r.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "script-src 'self';", "base-uri 'none'", "frame-ancestors 'none'"} {
		if !strings.Contains(csp+";", want) {
			t.Errorf("the policy %q lacks %q", csp, want)
		}
	}
	for _, never := range []string{"unsafe", "*", "http:", "data: 'self'; script"} {
		if strings.Contains(csp, never) {
			t.Errorf("the policy %q holds %q", csp, never)
		}
	}
	if r.Header.Get("X-Frame-Options") != "DENY" || r.Header.Get("X-Content-Type-Options") != "nosniff" {
		t.Error("headers:", r.Header)
	}
	page := body(t, r)
	if found := inline.FindString(page); found != "" {
		t.Errorf("the page holds %q", found)
	}
	return page
}

func TestShell(t *testing.T) {
	d := newDashboard(t, bundle())
	r := get(t, d, "/")
	page := checkPage(t, r)
	if r.StatusCode != 200 || !strings.Contains(page, `data-provider="Contoso"`) {
		t.Error(r.StatusCode, page)
	}
	if csp := r.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https://tenant.example.test;") || !strings.Contains(csp, "connect-src 'self'") {
		t.Error(csp)
	}
}

func TestAssets(t *testing.T) {
	d := newDashboard(t, bundle())
	r := get(t, d, d.assets.path("dashboard.js"))
	if r.StatusCode != 200 || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/javascript") || !strings.Contains(r.Header.Get("Cache-Control"), "immutable") {
		t.Error(r.StatusCode, r.Header)
	}
	if got := body(t, r); got != "/* dashboard.js */" {
		t.Error(got)
	}
	r = get(t, d, d.assets.path("terminal.css"), "Accept-Encoding", "gzip")
	z, err := gzip.NewReader(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != "/* terminal.css */" {
		t.Error(string(got), err)
	}
	for _, path := range []string{d.assets.path(".keep"), "/assets/0000/dashboard.js", d.assets.path("../dashboard.go"), d.assets.path("nothing.js")} {
		if r := get(t, d, path); r.StatusCode == 200 {
			t.Errorf("%s: %d", path, r.StatusCode)
		}
	}
	other := bundle()
	other["dist/dashboard.js"] = &fstest.MapFile{Data: []byte("changed")}
	if newDashboard(t, other).assets.version == d.assets.version {
		t.Error("the address stays the same although the content changed")
	}
}

func TestWhatWasNotBuiltSaysHow(t *testing.T) {
	d := newDashboard(t, fstest.MapFS{"dist/.keep": {}})
	r := get(t, d, "/")
	if page := checkPage(t, r); r.StatusCode != 200 || !strings.Contains(page, "make build") {
		t.Error(r.StatusCode, page)
	}
}

func TestTerminalPage(t *testing.T) {
	d := newDashboard(t, bundle())
	first, second := ask(t, d.TerminalPage(), "/"), ask(t, d.TerminalPage(), "/")
	page := checkPage(t, first)
	if !strings.Contains(page, "&lt;script&gt;alert(1)") {
		t.Error("the name of a workspace is not escaped:", page)
	}
	nonce := regexp.MustCompile(`data-nonce="([^"]+)"`).FindStringSubmatch(page)
	if nonce == nil || !strings.Contains(first.Header.Get("Content-Security-Policy"), "style-src 'self' 'nonce-"+html.UnescapeString(nonce[1])+"';") {
		t.Error("the nonce of the page is not the policy's:", nonce, first.Header)
	}
	if first.Header.Get("Content-Security-Policy") == second.Header.Get("Content-Security-Policy") {
		t.Error("two answers have the same nonce")
	}
}

func TestErrors(t *testing.T) {
	d := newDashboard(t, bundle())
	fail := func(path, accept string, err error) *http.Response {
		r := httptest.NewRequest("GET", "https://lanyard.example.test"+path, nil)
		r.Header.Set("Accept", accept)
		w := httptest.NewRecorder()
		d.Fail(w, r, err)
		return w.Result()
	}
	denied := problem.New(problem.Denied, "Not allowed: %s.", `<b onload="x">`)
	r := fail("/open", "text/html,*/*", denied)
	if page := checkPage(t, r); r.StatusCode != 403 || !strings.Contains(page, "Not allowed: &lt;b") || !strings.Contains(page, "https://lanyard.example.test/") {
		t.Error(r.StatusCode, page)
	}
	r = fail("/open", "text/html", problem.New(problem.SignInNeeded, "Sign in first."))
	if page := checkPage(t, r); r.StatusCode != 401 || !strings.Contains(page, "/login") {
		t.Error(r.StatusCode, page)
	}
	for path, accept := range map[string]string{"/api/v1/me": "text/html", "/": "application/problem+json"} {
		if r := fail(path, accept, denied); r.StatusCode != 403 || r.Header.Get("Content-Type") != "application/problem+json" {
			t.Error(path, r.StatusCode, r.Header)
		}
	}
	r = fail("/x", "text/html", io.ErrUnexpectedEOF)
	if page := checkPage(t, r); r.StatusCode != 500 || strings.Contains(page, "EOF") {
		t.Error("an internal error shows its cause:", page)
	}
}
