// Package badinput gives Lanyard what it must not take: from browsers, workspaces, files, other tenants and the machine.
// Each is refused with words that help, nothing is lost and nothing is allowed.
package badinput

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/test/harness"
)

func TestMain(m *testing.M) { harness.Main(m) }

const payments = "https://git.example.test/payments/api"

// request is one HTTP request, as no well-behaved program sends it.
type request struct {
	method, url string
	body        string
	header      map[string]string
}

// send sends it and returns the status and the body. Redirects are not followed.
func (r request) send(t *testing.T, client *http.Client) (int, string) {
	t.Helper()
	var body io.Reader
	if r.body != "" {
		body = strings.NewReader(r.body)
	}
	out, err := http.NewRequest(r.method, r.url, body)
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range r.header {
		if name == "Host" {
			out.Host = value
			continue
		}
		out.Header.Set(name, value)
	}
	c := *client
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	resp, err := c.Do(out)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// refused sends it and checks the answer: its status, and words in it.
func (r request) refused(t *testing.T, client *http.Client, status int, words ...string) {
	t.Helper()
	got, body := r.send(t, client)
	address, _, _ := strings.Cut(r.url, "?") // the query may hold a code
	t.Logf("%s %s: %d %s", r.method, address, got, strings.TrimSpace(body))
	if got != status {
		t.Errorf("%s %s answered %d, not %d: %s", r.method, r.url, got, status, body)
	}
	for _, w := range words {
		if !strings.Contains(body, w) {
			t.Errorf("%s %s does not say %q: %s", r.method, r.url, w, body)
		}
	}
}

// hasWords checks that a text holds all words.
func hasWords(t *testing.T, what, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%s does not say %q:\n%s", what, w, text)
		}
	}
}
