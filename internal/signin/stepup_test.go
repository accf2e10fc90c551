package signin_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/identity"
	"github.com/lanyardhq/lanyard/internal/session"
)

// A person steps up by signing in anew with an authentication context. The new sign-in has it, the browser's old session
// ends, and the person's workspaces hang below the new one.
func TestStepUp(t *testing.T) {
	w := newWorld(t)
	b := newBrowser(t)
	b.enter(w, "ada")
	id, err := w.sessions.ForWorkspace(t.Context(), b.session(w), "w-aaaaaaaaaaaaaaaa", "p-aaaaaaaaaaaaaaaa")
	if err != nil {
		t.Fatal(err)
	}
	contexts := func(id identity.SessionID) []string {
		_, signIn, _ := w.sessions.Set().Session(id)
		return signIn.Contexts
	}
	if got := contexts(id); len(got) != 0 {
		t.Fatalf("before: %v", got)
	}
	status, page, back := b.signInAt(w, "/login?context=c1&return=/workspaces", "ada", "lanyard-ada")
	if back == nil {
		t.Fatalf("the tenant did not sign ada in: %d\n%s", status, page)
	}
	old := b.session(w)
	if status, _, next := b.send(http.MethodGet, back.String(), nil); status != http.StatusSeeOther || next.Path != "/workspaces" {
		t.Fatalf("%d, to %v", status, next)
	}
	if b.whoami(w) != entrasim.AdaID || b.session(w) == old {
		t.Error("the browser's session is the same")
	}
	if !slices.Equal(contexts(b.session(w)), []string{"c1"}) || !slices.Equal(contexts(id), []string{"c1"}) {
		t.Errorf("after: %v, in the workspace %v", contexts(b.session(w)), contexts(id))
	}
	if status, page, _ := b.send(http.MethodGet, w.url+"/login?context=c1%22%7D", nil); status != http.StatusBadRequest || !strings.Contains(page, "not an authentication context") {
		t.Errorf("a context that is none: %d %s", status, page)
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
