package browser

import (
	"net/url"
	"testing"

	"github.com/chromedp/chromedp"
)

const (
	correlation = "a3c1e7a0-31e5-4f1f-9c1a-4b5f4f6b7c8d"
	notAssigned = "AADSTS50105: Your administrator has configured the application to block users.\r\nCorrelation ID: " + correlation
)

// TestSignInThatIsRefused follows a context URL through a sign-in that the tenant refuses: the page explains it, and what
// the person wanted to start is there when the next one succeeds, also when they took the long way round.
func TestSignInThatIsRefused(t *testing.T) {
	w := start(t)
	b := launch(t).profile()
	b.expect(` 403 .*/login/callback/entra`)
	b.open(w.Info.URL + "/#" + paymentsAPI)
	b.reads(id("sign-in-context"), paymentsAPI)
	b.click(id("sign-in"))
	b.sees("#password")
	at, err := url.Parse(b.location())
	if err != nil || at.Query().Get("state") == "" {
		t.Fatalf("at %v: %v", at, err)
	}
	b.open(w.Info.URL + "/login/callback/entra?" + url.Values{"state": at.Query()["state"], "error": {"access_denied"}, "error_description": {notAssigned}}.Encode())
	b.reads(id("error-detail"), "your account is not assigned to Lanyard")
	b.reads(id("help"), "Application Administrator")
	b.reads(id("help-code"), "AADSTS50105")
	b.reads(id("help-correlation"), correlation)
	b.sees(id("other-account"))
	b.shot("1-refused")

	b.open(w.Info.URL + "/login/help") // what Microsoft's own page says leads nowhere
	b.fill(id("trouble-text"), notAssigned)
	b.click(id("trouble-explain"))
	b.reads(id("trouble-what"), "Your account is not assigned to Lanyard.")
	b.reads(id("help-correlation"), correlation)
	b.shot("2-explained")

	b.open(w.Info.URL + "/")
	b.reads(id("sign-in-context"), paymentsAPI)
	b.click(id("sign-in"))
	b.atTenant("ada", password(t, w, "ada"))
	b.sees(id("confirm-start"))
	b.shot("3-goes-on")

	// Going back leads to pages of the tenant, and by them to here again: no error, no circle.
	b.do(chromedp.NavigateBack())
	b.sees(id("home"))
	b.seesNo(id("error-page"))
}

// TestTabs signs in in two tabs that both began before: each goes on where it was.
func TestTabs(t *testing.T) {
	w := start(t)
	c := launch(t)
	one := c.profile()
	one.open(w.Info.URL + "/#" + paymentsAPI)
	one.click(id("sign-in"))
	one.sees("#password")
	two := one.another()
	two.open(w.Info.URL + "/")
	two.click(id("sign-in"))
	two.atTenant("ada", password(t, w, "ada"))
	two.sees(id("home"))
	one.click(`a[data-user="ada@contoso.example"]`) // the tenant knows her by now, and asks no password
	one.sees(id("confirm-start"))
	two.do(chromedp.Reload())
	two.sees(id("home")) // it was not signed out by the other
}
