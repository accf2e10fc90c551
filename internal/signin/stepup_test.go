package signin_test

import (
	"html"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/lanyardhq/lanyard/internal/access"
	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

var sensitive = identity.Resource{Kind: identity.KindRepo, Name: "https://git.example.test/payments/secrets", Project: "p-aaaaaaaaaaaaaaaa"}

// refused is what a person in a workspace was refused for want of the context c1.
func (w *world) refused(b *browser) (access.Request, identity.SessionID) {
	id, err := w.sessions.ForWorkspace(w.t.Context(), b.session(w), "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		w.t.Fatal(err)
	}
	return access.Request{Action: identity.RepoWrite, Resource: sensitive, Principal: identity.Principal{Kind: identity.Person,
		User: user(entrasim.AdaID), Session: id, Workspace: "w-aaaaaaaaaaaaaaaa", Project: "p-aaaaaaaaaaaaaaaa"}}, id
}

// contexts are those that a person has stepped up to for a request.
func (w *world) contexts(r access.Request) string {
	_, signIn, _ := w.sessions.Set().Session(r.Principal.Session)
	f := w.engine.Facts()
	return f.Grants.Of(r.Principal.User).Contexts(r.Action, r.Resource, signIn.ID, r.Principal.Workspace, time.Now())
}

// confirm presses the button of a link's page, and signs in at the tenant where that asks for the password.
func (b *browser) confirm(w *world, link, name string) (int, string, *url.URL) {
	b.t.Helper()
	u, _ := url.Parse(link)
	form := url.Values{"code": u.Query()["code"], "return": u.Query()["return"], "go": {"on"}}
	status, page, next := b.send(http.MethodPost, w.url+"/step-up", form)
	if next == nil {
		return status, page, nil
	}
	status, page, next = b.get(next.String(), until("/login/callback/entra"))
	if next == nil { // the context takes the password once more
		action := formAction.FindStringSubmatch(page)
		if action == nil {
			b.t.Fatalf("%d, no form on the tenant's page:\n%s", status, page)
		}
		base, _ := url.Parse(w.tenant.Issuer())
		to, _ := base.Parse(html.UnescapeString(action[1]))
		_, page, next = b.send(http.MethodPost, to.String(), url.Values{"action": {"signin"}, "username": {name}, "password": {"lanyard-" + name}})
		if next == nil {
			b.t.Fatalf("the tenant did not sign %s in:\n%s", name, page)
		}
	}
	return b.send(http.MethodGet, next.String(), nil)
}

// A person steps up for the one thing that they were refused: no session changes, the link is of no use a second time.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	r, _ := w.refused(b)
	link := w.signin.Offer(r, "c1")
	if !strings.HasPrefix(link, w.url+"/step-up?code=") || w.signin.Offer(r, "c1") != link {
		t.Fatalf("the link is %q, and another when it is asked for again", link)
	}
	status, page, _ := b.send(http.MethodGet, link, nil)
	for _, want := range []string{"repo:write", sensitive.Name, "w-aaaaaaaaaaaaaaaa", "c1"} {
		if status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("the page does not say %s: %d %s", want, status, page)
		}
	}
	if got := w.contexts(r); got != "" {
		t.Fatalf("looking at the page gave %q", got)
	}
	before := b.session(w)
	status, page, next := b.confirm(w, link+"&return="+url.QueryEscape("/workspaces"), "ada")
	if status != http.StatusSeeOther || next.Path != "/workspaces" {
		t.Fatalf("%d, to %v: %s", status, next, page)
	}
	if got := w.contexts(r); got != "c1 " {
		t.Errorf("the workspace has %q", got)
	}
	if b.session(w) != before {
		t.Error("the browser has another session")
	}
	other := r
	other.Action = identity.RepoRead
	elsewhere := r
	elsewhere.Principal.Workspace = ""
	if w.contexts(other) != "" || w.contexts(elsewhere) != "" {
		t.Error("more was lifted than what was asked for")
	}
	if status, page, _ := b.send(http.MethodGet, link, nil); status != http.StatusBadRequest || !strings.Contains(page, "was used") {
		t.Errorf("the link again: %d %s", status, page)
	}
	if again := w.signin.Offer(r, "c1"); again == link || again == "" {
		t.Errorf("refused again, the person is given %q", again)
	}
}

// It was not the person who asked: the link is spent, and nothing is allowed.
func TestStepUpThatNobodyAskedFor(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	r, _ := w.refused(b)
	link := w.signin.Offer(r, "c1")
	u, _ := url.Parse(link)
	if status, page, _ := b.send(http.MethodPost, w.url+"/step-up", url.Values{"code": u.Query()["code"], "go": {"no"}}); status != http.StatusOK || !strings.Contains(page, `"Not":true`) {
		t.Errorf("%d %s", status, page)
	}
	if status, _, _ := b.confirm(w, link, "ada"); status != http.StatusBadRequest || w.contexts(r) != "" {
		t.Errorf("afterwards: %d, %q", status, w.contexts(r))
	}
}

// A link that somebody else's code printed lifts nothing: to everybody but who was refused it does not stand for
// anything, and it stays theirs.
func TestStepUpLinkOfSomebodyElse(t *testing.T) {
	w := newWorld(t)
	adas, linuss := newBrowser(t), newBrowser(t)
	adas.enter(w, "ada")
	linuss.enter(w, "linus")
	r, _ := w.refused(adas)
	link := w.signin.Offer(r, "c1")
	wrong := strings.Replace(link, "code=", "code=B", 1)
	_, never, _ := linuss.send(http.MethodGet, wrong, nil)
	if status, page, _ := linuss.send(http.MethodGet, link, nil); status != http.StatusBadRequest || page != never {
		t.Errorf("linus is shown %d %s", status, page)
	}
	if status, _, _ := linuss.confirm(w, link, "linus"); status != http.StatusBadRequest {
		t.Errorf("linus may confirm it: %d", status)
	}
	if status, page, _ := adas.send(http.MethodGet, link, nil); status != http.StatusOK {
		t.Errorf("it is ada's no more: %d %s", status, page)
	}
	if status, _, next := newBrowser(t).send(http.MethodGet, link, nil); status != http.StatusSeeOther || next.Path != "/login" ||
		!strings.Contains(next.Query().Get("return"), "/step-up?code=") {
		t.Errorf("who is not signed in is led to %d %v", status, next)
	}
	if w.contexts(r) != "" {
		t.Error("something was lifted")
	}
}

// The way back leads to Lanyard's own sites only.
func TestStepUpLeadsBackToLanyardAlone(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	port := w.url[strings.LastIndex(w.url, ":"):]
	for back, want := range map[string]string{
		"http://t-x.localhost" + port + "/files":      "http://t-x.localhost" + port + "/files",
		"http://evil.example.test/":                   "/step-up",
		"//evil.example.test/":                        "/step-up",
		"http://t-x.localhost" + port + "@evil.test/": "/step-up",
		"javascript:alert(1)":                         "/step-up",
	} {
		r, _ := w.refused(b)
		link := w.signin.Offer(r, "c1")
		status, page, next := b.confirm(w, link+"&return="+url.QueryEscape(back), "ada")
		if status != http.StatusSeeOther || next == nil || strings.TrimPrefix(next.String(), w.url) != want && !(want == "/step-up" && next.Path == want) {
			t.Errorf("%s leads to %d %v %s", back, status, next, page)
		}
	}
}

// A program that is refused all the time gets no more than so many codes.
func TestStepUpOffersAreBounded(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	r, _ := w.refused(b)
	given := 0
	for i := range 100 {
		r.Resource.Name = sensitive.Name + strings.Repeat("x", i)
		if w.signin.Offer(r, "c1") != "" {
			given++
		}
	}
	if given != 20 {
		t.Errorf("%d codes", given)
	}
	if r.Resource = sensitive; w.signin.Offer(r, "c1\"}") != "" {
		t.Error("a context that is none")
	}
}

// session is the browser's session on the pages.
func (b *browser) session(w *world) identity.SessionID {
	b.t.Helper()
	row, ok := w.sessions.Set().BySecret(session.HashSecret(b.cookies[strings.TrimPrefix(w.url, "http://")][session.CookieName]))
	if !ok {
		b.t.Fatal("the browser has no session")
	}
	return row.ID
}
