package signin_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/audit"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// newTrialWorld shows what came of a test as JSON.
func newTrialWorld(t *testing.T) *world {
	t.Helper()
	return newWorldOf(t, func(c *signin.Config) {
		c.TrialBegin = func(rw http.ResponseWriter, page signin.TrialBegin) { _ = json.NewEncoder(rw).Encode(page) }
		c.TrialPage = func(rw http.ResponseWriter, trial signin.Trial) { _ = json.NewEncoder(rw).Encode(trial) } // the test finds out if it cannot be written
	})
}

// goOn presses the button of the page behind a link, and returns where that leads.
func (b *browser) goOn(w *world, link string, headers ...string) (int, string, *url.URL) {
	b.t.Helper()
	u, err := url.Parse(link)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(http.MethodPost, w.url+"/login/test", url.Values{"code": {u.Query().Get("code")}}, headers...)
}

// TestTrialAsksFirst: opening a link leads nowhere, however often and however well the tenant knows the person; it says who
// will see what comes. Only its own page's button goes on.
func TestTrialAsksFirst(t *testing.T) {
	w := newTrialWorld(t)
	trial, err := w.signin.NewTrial(t.Context(), "Edith Clarke")
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	b.enter(w, "ada")
	for range 2 {
		if status, body, next := b.send(http.MethodGet, trial.URL, nil); status != http.StatusOK || next != nil || !strings.Contains(body, "Edith Clarke") {
			t.Errorf("%d %s %v", status, body, next)
		}
	}
	if status, _, next := b.goOn(w, trial.URL, "Origin", "https://elsewhere.example.test"); status != http.StatusForbidden || next != nil {
		t.Errorf("from another page: %d %v", status, next)
	}
	if now, err := w.signin.Trial(t.Context(), trial.ID); err != nil || now.Over() {
		t.Errorf("%+v %v", now, err)
	}
	if status, body, next := b.goOn(w, trial.URL); status != http.StatusSeeOther || next == nil || !strings.HasPrefix(w.tenant.Issuer(), next.Scheme+"://"+next.Host+"/") {
		t.Errorf("%d %s %v", status, body, next)
	}
}

// TestTrial: a test shows what the tenant says, to the person and to who asked, and begins nothing.
func TestTrial(t *testing.T) {
	w := newTrialWorld(t)
	trial, err := w.signin.NewTrial(t.Context(), "Edith Clarke")
	if err != nil || trial.Over() {
		t.Fatalf("%+v %v", trial, err)
	}
	if now, err := w.signin.Trial(t.Context(), trial.ID); err != nil || now.Over() || now.URL != "" {
		t.Errorf("before: %+v %v", now, err)
	}
	b := newBrowser(t)
	b.enter(w, "linus") // a session that is there stays as it is
	status, body, back := b.signInAsAnother(w, trial.URL, "ada")
	if back == nil {
		t.Fatalf("%d %s", status, body)
	}
	status, body, _ = b.get(back.String(), all)
	if status != http.StatusOK || !strings.Contains(body, entrasim.AdaID) || strings.Contains(body, `"nonce"`) || strings.Contains(body, `"sid"`) || strings.Contains(body, `"login_hint"`) {
		t.Errorf("the page: %d %s", status, body)
	}
	done, err := w.signin.Trial(t.Context(), trial.ID)
	if err != nil || !done.Over() || done.User != user(entrasim.AdaID) || done.Problem != "" || !done.Refresh || len(done.Claims["preferred_username"]) == 0 || len(done.Claims["nonce"]) != 0 || len(done.Claims["sid"]) != 0 || len(done.Claims["login_hint"]) != 0 {
		t.Errorf("after: %+v %v", done, err)
	}
	if who := b.whoami(w); who != entrasim.LinusID {
		t.Errorf("the browser is now %q", who)
	}
	if rows := w.sessions.Set().SignInsOf(user(entrasim.AdaID)); len(rows) != 0 {
		t.Errorf("a sign-in began: %+v", rows)
	}
	w.audit.mu.Lock()
	defer w.audit.mu.Unlock()
	noted := 0
	for _, e := range w.audit.list {
		if e.Action == "signin:test" && e.Outcome == audit.Done && e.User.Object == entrasim.AdaID {
			noted++
		}
	}
	if noted != 1 {
		t.Errorf("the log has %d entries of it", noted)
	}
}

// signInAsAnother signs in at a link although the tenant knows somebody in this browser.
func (b *browser) signInAsAnother(w *world, link, name string) (int, string, *url.URL) {
	base, err := url.Parse(w.tenant.Issuer())
	if err != nil {
		b.t.Fatal(err)
	}
	delete(b.cookies, base.Host)
	return b.signInByLink(w, link, name)
}

// signInByLink presses the button behind a link and signs in at the tenant.
func (b *browser) signInByLink(w *world, link, name string) (int, string, *url.URL) {
	b.t.Helper()
	status, body, next := b.goOn(w, link)
	if next == nil {
		b.t.Fatalf("the link does not lead to the tenant: %d %s", status, body)
	}
	return b.signInThere(w, next.String(), name, "lanyard-"+name)
}

// TestTrialLinks: a link is of use once, an answer only in the browser that began, and what is refused is kept as such.
func TestTrialLinks(t *testing.T) {
	w := newTrialWorld(t)
	trial, err := w.signin.NewTrial(t.Context(), "Edith Clarke")
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t)
	_, _, back := b.signInByLink(w, trial.URL, "ada")
	if back == nil {
		t.Fatal("the tenant does not lead back")
	}
	if status, _, _ := newBrowser(t).send(http.MethodGet, back.String(), nil); status != http.StatusBadRequest {
		t.Errorf("the answer was taken in another browser: %d", status)
	}
	if now, err := w.signin.Trial(t.Context(), trial.ID); err != nil || now.Over() {
		t.Errorf("%+v %v", now, err)
	}
	if status, _, next := newBrowser(t).goOn(w, trial.URL); status != http.StatusBadRequest || next != nil {
		t.Errorf("the link works twice: %d %v", status, next)
	}
	for _, bad := range []string{"/login/test", "/login/test?code=", "/login/test?code=x"} {
		if status, _, next := newBrowser(t).send(http.MethodGet, w.url+bad, nil); status != http.StatusBadRequest || next != nil {
			t.Errorf("%s: %d %v", bad, status, next)
		}
	}
	q := back.Query()
	q.Set("code", "another")
	back.RawQuery = q.Encode()
	if status, _, _ := b.send(http.MethodGet, back.String(), nil); status == http.StatusOK {
		t.Errorf("a code that the tenant does not know was taken")
	}
	refused, err := w.signin.Trial(t.Context(), trial.ID)
	if err != nil || !refused.Over() || refused.Problem == "" || !refused.User.IsZero() || len(refused.Claims) != 0 {
		t.Errorf("%+v %v", refused, err)
	}
	if _, err := w.signin.Trial(t.Context(), "nothing"); err == nil {
		t.Error("there is a test that nobody made")
	}
}
