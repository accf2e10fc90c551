package browser

import (
	"fmt"
	"strings"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/lanyardhq/lanyard/test/harness"
)

// signIn signs a sample user in from Lanyard's sign-in page, on which the tab is, at the tenant's.
func (b *tab) signIn(w *harness.World, user string) {
	b.t.Helper()
	b.click(id("sign-in"))
	b.atTenant(user, password(b.t, w, user))
	b.sees("header " + id("account-name"))
}

// atTenant fills the tenant's page.
func (b *tab) atTenant(user, password string) {
	b.t.Helper()
	b.click(`a[data-user="` + user + `@contoso.example"]`)
	b.sees(`a[data-user="` + user + `@contoso.example"][aria-current="true"]`)
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), password))
	b.click("#signin")
}

// home is the dashboard of somebody who signs in now, in a profile of their own.
func (c *chromium) home(w *harness.World, user string) *tab {
	c.t.Helper()
	b := c.profile()
	b.open(w.Info.URL + "/")
	b.signIn(w, user)
	b.sees(id("home"))
	return b
}

// portal is the tenant's portal, in a profile of its own.
func (c *chromium) portal(w *harness.World) *tab {
	c.t.Helper()
	b := c.profile()
	b.open(w.Info.Tenant.Portal)
	b.sees("#groups")
	return b
}

// terminal waits for a shell's prompt on a terminal's page.
func (b *tab) terminal() {
	b.t.Helper()
	b.sees(id("terminal-status") + `[data-state="open"]`)
	b.screen("$ ")
}

// interrupt types Ctrl-C.
func (b *tab) interrupt() {
	b.t.Helper()
	for _, kind := range []input.DispatchKeyEventType{kb.KeyDown, kb.KeyUp} {
		p := input.DispatchKeyEventParams{Type: kind, Key: "c", Code: "KeyC", WindowsVirtualKeyCode: 'C', Modifiers: int64(kb.ModifierCtrl)}
		if _, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, p); err != nil {
			b.fatalf("press Ctrl-C: %v", err)
		}
	}
}

// screen waits until the terminal shows a text.
func (b *tab) screen(want string) {
	b.t.Helper()
	b.until("the terminal shows "+want, `(document.querySelector(".xterm-rows")?.innerText ?? "").includes(`+quoted(want)+`)`)
}

// shown is what the terminal shows.
func (b *tab) shown() string {
	b.t.Helper()
	return get(b, chromedp.Evaluate[string](`document.querySelector(".xterm-rows").innerText`))
}

// shell types a line on a cleared screen, waits until it has succeeded, and returns what the terminal shows then.
func (b *tab) shell(line, want string) {
	b.t.Helper()
	b.lines++
	end := fmt.Sprintf("end %d: ", b.lines)
	b.press("clear; " + line + `; echo "` + end + `$?"` + "\r")
	b.until("the end of "+line, `/`+end+`\d/.test(document.querySelector(".xterm-rows")?.innerText ?? "")`)
	if shown := b.shown(); !strings.Contains(shown, end+"0") || !strings.Contains(shown, want) {
		b.fatalf("%q does not succeed and say %q", line, want)
	}
}
