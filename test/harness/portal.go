package harness

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// hidden are the fields that a form of the portal brings along.
var hidden = regexp.MustCompile(`type="hidden" name="([^"]*)" value="([^"]*)"`)

// Portal sends a form of the tenant's portal page as a person does who clicks its button, and says when the tenant
// had answered. The form is the one with all these attributes; fields are name and value in turn.
func (w *World) Portal(attributes []string, fields ...string) time.Time {
	w.T.Helper()
	b := w.Browser()
	page, err := b.Visit(w.Context(), w.Info.Tenant.Portal)
	if err != nil {
		w.T.Fatal(err)
	}
	defer page.Body.Close()
	text, err := io.ReadAll(page.Body)
	if err != nil {
		w.T.Fatal(err)
	}
	action, values := "", url.Values{}
	for _, form := range regexp.MustCompile(`(?s)<form([^>]*)>(.*?)</form>`).FindAllStringSubmatch(string(text), -1) {
		if has(form[1], attributes) {
			action = regexp.MustCompile(`action="([^"]*)"`).FindStringSubmatch(form[1])[1]
			for _, field := range hidden.FindAllStringSubmatch(form[2], -1) {
				values.Set(field[1], field[2])
			}
		}
	}
	if action == "" {
		w.T.Fatalf("the portal has no form %s", attributes)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		values.Set(fields[i], fields[i+1])
	}
	to, err := page.Request.URL.Parse(action)
	if err != nil {
		w.T.Fatal(err)
	}
	r, err := http.NewRequestWithContext(w.Context(), http.MethodPost, to.String(), strings.NewReader(values.Encode()))
	if err != nil {
		w.T.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", to.Scheme+"://"+to.Host)
	var at time.Time
	client := *b.HTTP()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { // the answer is the redirect
		return http.ErrUseLastResponse
	}
	resp, err := client.Do(r)
	at = time.Now()
	if err != nil {
		w.T.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSeeOther {
		w.T.Fatalf("the portal's form %s answered %s", attributes, resp.Status)
	}
	return at
}

func has(tag string, attributes []string) bool {
	for _, a := range attributes {
		if !strings.Contains(tag, a) {
			return false
		}
	}
	return true
}
