// Package stepup tests that what takes a stronger sign-in is refused with a link, that the link lifts that one thing and
// nothing else, and that its time ends, with the whole program.
package stepup

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// demand puts a policy in force by which the actions take the authentication context c1; the first is one on what on names.
func demand(w *harness.World, on string, actions ...string) {
	w.T.Helper()
	var text strings.Builder
	for _, a := range actions {
		fmt.Fprintf(&text, "@id(\"c1-%s\") @step_up(\"c1\") forbid (principal, action == Action::%q, resource)\nunless { context.contexts.contains(\"c1\") };\n",
			strings.ReplaceAll(a, ":", "-"), a)
	}
	folder := filepath.Join(w.Data, "policies")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		w.T.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "c1.cedar"), []byte(text.String()), 0o644); err != nil {
		w.T.Fatal(err)
	}
	w.Eventually("the policy is in force", func() bool {
		why, err := w.As("ada").Why(w.Context(), actions[0], on, "")
		return err == nil && why.Decision == "step up"
	})
}

var link = regexp.MustCompile(`http://lanyard\.localhost:[0-9]+/step-up\?code=[A-Z-]+`)

// linkIn is the link that a refusal gave.
func linkIn(t *testing.T, refusal string) string {
	t.Helper()
	found := link.FindString(refusal)
	if found == "" {
		t.Fatalf("no link to step up with in: %s", refusal)
	}
	return found
}

// person is somebody's browser.
type person struct {
	w    *harness.World
	name string
	http *http.Client
}

func as(w *harness.World, name string) *person {
	return &person{w, name, w.As(name).Browser.HTTP()}
}

// open opens a page, which says what it says.
func (p *person) open(address string) (int, string) {
	p.w.T.Helper()
	r, err := http.NewRequestWithContext(p.w.Context(), http.MethodGet, address, nil)
	if err != nil {
		p.w.T.Fatal(err)
	}
	r.Header.Set("Accept", "text/html")
	return p.send(r)
}

func (p *person) send(r *http.Request) (int, string) {
	p.w.T.Helper()
	answer, err := p.http.Do(r)
	if err != nil {
		p.w.T.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		p.w.T.Fatal(err)
	}
	if form := signInForm.FindSubmatch(body); form != nil {
		return p.password(answer.Request.URL, string(form[1]))
	}
	return answer.StatusCode, string(body)
}

var signInForm = regexp.MustCompile(`<form method="post" action="([^"]*)"[^>]*id="signin-form"`)

// password answers the tenant, which asks for it once more.
func (p *person) password(page *url.URL, action string) (int, string) {
	p.w.T.Helper()
	to, err := page.Parse(html.UnescapeString(action))
	if err != nil {
		p.w.T.Fatal(err)
	}
	return p.post(to, url.Values{"action": {"signin"}, "username": {p.name}, "password": {"lanyard-" + p.name}})
}

func (p *person) post(to *url.URL, fields url.Values) (int, string) {
	p.w.T.Helper()
	r, err := http.NewRequestWithContext(p.w.Context(), http.MethodPost, to.String(), strings.NewReader(fields.Encode()))
	if err != nil {
		p.w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", to.Scheme+"://"+to.Host)
	r.Header.Set("Accept", "text/html")
	return p.send(r)
}

// confirm presses a button of a link's page: on for signing in again, no for "it was not me".
func (p *person) confirm(link, button string) (int, string) {
	p.w.T.Helper()
	u, err := url.Parse(link)
	if err != nil {
		p.w.T.Fatal(err)
	}
	q := u.Query()
	return p.post(&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}, url.Values{"code": q["code"], "return": q["return"], "go": {button}})
}
