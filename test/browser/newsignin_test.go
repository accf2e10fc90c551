package browser

import (
	"testing"
)

// TestNewSignIn: who signs in with a device that is new for them sees that, here and where they were signed in before, until
// they say, where they were before, that it was them; "not me" ends all their sign-ins.
func TestNewSignIn(t *testing.T) {
	w := start(t)
	if _, err := w.As("barbara").Me(w.Context()); err != nil { // with a program, which then is what she is known by
		t.Fatal(err)
	}
	c := launch(t)
	b := c.home(w, "ada")
	if _, err := w.As("ada").Me(w.Context()); err != nil { // with a program, which is new after the browser
		t.Fatal(err)
	}
	b.open(w.Info.URL + "/")
	b.reads(id("new-sign-in"), "a new device: a Go program")
	b.shot("new-sign-in")
	b.click(id("new-sign-in-known"))
	b.seesNo(id("new-sign-in"))
	b.open(w.Info.URL + "/")
	b.sees(id("home"))
	b.seesNo(id("new-sign-in"))

	// The same page lists where she is signed in, and ends the other.
	session := id("sessions") + " " + id("session")
	b.reads(session, "this one")
	b.reads(id("sessions"), "a Go program")
	b.click(session + " " + id("end-session"))
	b.seesNo(session + " " + id("end-session"))
	w.Eventually("the other session is over", func() bool {
		_, err := w.As("ada").Me(w.Context())
		return err != nil
	})

	stranger := c.home(w, "barbara")
	if page, err := w.As("barbara").NewSignIns(w.Context()); err != nil || len(page.Items) != 1 {
		t.Fatal(page, err)
	}
	stranger.expect(` 401 `)
	stranger.reads(id("new-sign-in"), "a new device: Chrome on Linux")
	stranger.reads(id("new-sign-in"), "where you were signed in before")
	stranger.seesNo(id("new-sign-in-known"))
	stranger.click(id("new-sign-in-not-me"))
	stranger.sees(id("sign-in"))
	w.Eventually("every sign-in of hers is over", func() bool {
		_, err := w.As("barbara").Me(w.Context())
		return err != nil
	})
}
