package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestRoles is what a viewer, a stranger and somebody of another project see.
func TestRoles(t *testing.T) {
	w := start(t)
	c := launch(t)

	viewer := c.home(w, "linus")
	viewer.reads(id("my-project"), "viewer")
	viewer.sees(id("repository") + `[data-url="` + paymentsAPI + `"]`)
	viewer.shot("1-viewer")
	viewer.startFromList(paymentsAPI)
	viewer.shell("git commit -q --allow-empty -m No && ! git push", "viewer")
	viewer.shot("1-viewer-pushes")

	stranger := c.home(w, "mallory")
	stranger.sees(id("no-projects"))
	stranger.seesNo(id("repository"))
	stranger.shot("2-stranger")
	stranger.expect(` (403|404) .*/api/v1/context`)
	stranger.open(w.Info.URL + "/#" + paymentsAPI)
	stranger.reads("h1", "This cannot be started")
	stranger.shot("3-stranger-context")
	absent := stranger.another()
	absent.expect(` (403|404) .*/api/v1/context`)
	absent.open(w.Info.URL + "/#https://git.example.test/payments/none")
	absent.reads("h1", "This cannot be started")
	forbidden := stranger.text(id("notice"))
	if other := absent.text(id("notice")); len(forbidden) == 0 || len(other) != len(forbidden)+len("none")-len("api") {
		t.Errorf("a stranger can tell what is forbidden from what is absent: %q, %q", forbidden, other)
	}

	shop := c.home(w, "alan")
	shop.sees(id("repository") + `[data-url="` + shopWeb + `"]`)
	shop.seesNo(id("repository") + `[data-url="` + paymentsAPI + `"]`)
}

// TestBadInput is what a person reads who brings something that cannot be.
func TestBadInput(t *testing.T) {
	w := start(t)
	c := launch(t)
	b := c.profile()
	b.open(w.Info.URL + "/")
	b.click(id("sign-in"))
	b.atTenant("ada", "not-the-password")
	b.reads("#error", "AADSTS50126")
	b.shot("1-wrong-password")
	b.do(chromedp.SendKeys(chromedp.CSS("#password"), password(t, w, "ada")))
	b.click("#signin")
	b.sees(id("home"))

	b.expect(` 400 .*/api/v1/context`, ` 404 .*/api/v1/context`)
	for name, bad := range map[string]struct{ context, says string }{
		"control":     {"https%3A%2F%2Fgit.example.test%2Fpayments%2Fapi%0A%1b[31m", "control characters"},
		"upload-pack": {"https://git.example.test/payments/api/tree/--upload-pack=touch", "dash"},
		"option":      {"--upload-pack=touch%20/tmp/x", "begins with a dash"},
		"variables":   {"LD_PRELOAD=/tmp/x.so/https://git.example.test/payments/api", "the variable LD_PRELOAD"},
		"userinfo":    {"https://ada:secret@git.example.test/payments/api", ""},
		"elsewhere":   {"https://other.example.test/x/y", "There is no"},
		"scheme":      {"ext::sh -c touch", "https://"},
	} {
		b.open("about:blank")
		b.open(w.Info.URL + "/#" + bad.context)
		b.reads("h1", "This cannot be started")
		b.reads(id("notice"), bad.says)
		b.seesNo(id("confirm-start"))
		t.Logf("%s: %s", name, b.text(id("notice")))
		b.shot("2-" + name)
	}
	b.click(id("confirm-cancel"))
	b.sees(id("no-workspaces"))
}
