package issuer_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/issuer"
)

// at sends a form to an endpoint of the machine site from an address.
func (w *world) at(i *issuer.Issuer, path, from, id, secret string, form url.Values) answer {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodPost, w.url+path, strings.NewReader(form.Encode()))
	r.RemoteAddr = from
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.SetBasicAuth(id, secret)
	rec := httptest.NewRecorder()
	for _, route := range i.Machine() {
		if route.Path == path {
			if err := route.Serve(rec, r); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	a := answer{Status: rec.Code, Header: rec.Result().Header, Text: rec.Body.String()}
	_ = json.Unmarshal(rec.Body.Bytes(), &a) // what is no object has no fields
	return a
}

// denied are the refusals that stand in the log.
func (w *world) denied() (all []audit.Event) {
	for _, e := range w.audit.all() {
		if e.Outcome == audit.Denied {
			all = append(all, e)
		}
	}
	return all
}

// What a stranger writes into a request is neither repeated at length nor kept in the log (SECURITY row 33: the log is kept
// for good).
func TestAttack33RefusalsAreShort(t *testing.T) {
	w, _ := exchanging(t)
	long := strings.Repeat("<", 60<<10)
	cli := w.program(issuer.CLI)
	for name, a := range map[string]answer{
		"a resource":          (&program{w: w, id: portal, secret: portalSecret}).post(issuer.TokenPath, url.Values{"grant_type": {"refresh_token"}, "resource": {long}}),
		"a name":              cli.post(issuer.TokenPath, url.Values{long[:30<<10]: {"a", "b"}}),
		"a grant":             cli.post(issuer.TokenPath, url.Values{"grant_type": {long}}),
		"an audience":         cli.post(issuer.TokenPath, exchange("x", long, nil)),
		"a resource by a CLI": cli.post(issuer.TokenPath, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}, "resource": {long}}),
	} {
		if a.Error == "" || len(a.Text) > 1<<10 {
			t.Errorf("%s: %d bytes, %.300s", name, len(a.Text), a.Text)
		}
	}
	q := url.Values{"client_id": {portal}, "redirect_uri": {portalBack}, "response_type": {"code"}, "code_challenge_method": {"S256"}, "resource": {long}}
	_, s256 := challenge()
	q.Set("code_challenge", s256)
	w.browse(issuer.AuthorizePath, q)
	all := w.denied()
	if len(all) < 5 {
		t.Errorf("%d refusals stand in the log", len(all))
	}
	for _, e := range all {
		if text, err := json.Marshal(e); err != nil || len(text) > 3<<10 {
			t.Errorf("an entry of %d bytes: %.300s", len(text), text)
		}
	}
}

// Whoever causes refusals on purpose hides nobody else's (SECURITY row 33).
func TestAttack33RefusalsHideNoOthers(t *testing.T) {
	w := newWorld(t)
	guess := func(from string) answer {
		return w.at(w.issuer, issuer.TokenPath, from, portal, "guessed", url.Values{"grant_type": {"refresh_token"}})
	}
	for range 100 {
		guess("192.0.2.1:1")
	}
	one := len(w.denied())
	if one == 0 || one > 30 {
		t.Errorf("%d entries of one address", one)
	}
	guess("192.0.2.2:1")
	all := w.denied()
	if len(all) != one+1 || all[one].IP != "192.0.2.2" || all[one].Detail["more_not_recorded"] != 100-one {
		t.Errorf("another address: %d after %d, %v", len(all), one, all[len(all)-1])
	}
	for i := range 200 {
		guess(fmt.Sprintf("[2001:db8:0:%x::1]:1", i))
	}
	many := len(w.denied())
	if many > 120 {
		t.Errorf("%d entries within a minute", many)
	}
	if a := w.at(w.issuer, issuer.TokenPath, "192.0.2.3:1", portal, portalSecret, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"x"}}); a.Error != "invalid_grant" {
		t.Errorf("%+v", a)
	}
	if all := w.denied(); len(all) != many+1 || all[many].Detail["error"] != "invalid_grant" {
		t.Errorf("who showed their secret is not in the log: %d after %d", len(all), many)
	}
	w.later(time.Minute)
	guess("192.0.2.1:1")
	if got := len(w.denied()); got != many+2 {
		t.Errorf("a minute later: %d", got)
	}
}

// What is asked in the name of a client without a secret is counted for the address, so that nobody uses up another's
// (SECURITY row 33).
func TestAttack33NobodyUsesUpAPublicClient(t *testing.T) {
	w := newWorld(t)
	w.config.Clients = append(w.config.Clients, issuer.Client{ID: "desktop", Name: "Desktop", Requests: 2, RedirectURIs: []string{"http://127.0.0.1/callback"}})
	asked := map[string]int{}
	w.config.Serve = func(peer string, _ time.Time) bool { asked[peer]++; return asked[peer] <= 5 }
	w.restart()
	introspect := func(from string) answer {
		return w.at(w.issuer, issuer.IntrospectionPath, from, "desktop", "", url.Values{"token": {"x"}})
	}
	for n := range 10 {
		want := http.StatusBadRequest
		if n >= 5 {
			want = http.StatusTooManyRequests
		}
		if a := introspect("192.0.2.1:1"); a.Status != want {
			t.Errorf("%d: %+v", n, a)
		}
	}
	if a := w.at(w.issuer, issuer.TokenPath, "192.0.2.2:1", "desktop", "", byRefresh("x")); a.Error != "invalid_grant" {
		t.Errorf("from elsewhere: %+v", a)
	}
}
