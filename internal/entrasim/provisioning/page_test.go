package provisioning

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"
)

func TestPage(t *testing.T) {
	w := newWorld(t, Settings{Scope: All}, false)
	page, err := w.s.Page()
	w.must(err)
	w.AddPage("provisioning", page)
	call := func(method, path string, form url.Values) (int, string) {
		t.Helper()
		r := httptest.NewRequest(method, "http://tenant.localhost/portal/"+path, strings.NewReader(form.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		answer := httptest.NewRecorder()
		w.Tenant.ServeHTTP(answer, r)
		text, err := io.ReadAll(answer.Body)
		w.must(err)
		return answer.Code, string(text)
	}
	status, text := call(http.MethodGet, "provisioning", nil)
	token := regexp.MustCompile(`name="form" value="([^"]+)"`).FindStringSubmatch(text)
	if status != http.StatusOK || token == nil || strings.Contains(text, "secret\"") && strings.Contains(text, `value="secret"`) {
		t.Fatalf("%d %s", status, text)
	}
	form := func(more ...string) url.Values {
		v := url.Values{"form": {token[1]}}
		for i := 0; i+1 < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	for _, step := range []struct {
		path string
		form url.Values
		want int
	}{
		{"provisioning/cycle", nil, http.StatusForbidden},
		{"provisioning/nothing", form(), http.StatusNotFound},
		{"provisioning/configure", form("url", "ftp://x", "how", "token", "secret", "x"), http.StatusUnprocessableEntity},
		{"provisioning/configure", form("url", w.endpoint.url(), "how", "token", "secret", "wrong", "scope", "all"), http.StatusSeeOther},
		{"provisioning/test", form(), http.StatusUnprocessableEntity},
		{"provisioning/configure", form("url", w.endpoint.url(), "how", "token", "secret", "secret", "scope", "all", "externalId", "objectId"), http.StatusSeeOther},
		{"provisioning/test", form(), http.StatusSeeOther},
		{"provisioning/user", form("user", "ada@contoso.example"), http.StatusSeeOther},
		{"provisioning/cycle", form(), http.StatusSeeOther},
		{"provisioning/restart", form(), http.StatusSeeOther},
	} {
		if status, text := call(http.MethodPost, step.path, step.form); status != step.want {
			t.Errorf("%s %v: %d %s", step.path, step.form, status, text)
		}
	}
	if _, text := call(http.MethodGet, "provisioning", nil); !strings.Contains(text, "ada@contoso.example") || strings.Contains(text, "wrong") {
		t.Errorf("the page: %s", text)
	}
	if status, _ := call(http.MethodGet, "other", nil); status != http.StatusNotFound {
		t.Errorf("another page: %d", status)
	}
}
