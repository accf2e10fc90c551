package browser

import (
	"testing"

	"github.com/chromedp/chromedp"
)

// TestTurnedAwayByTheTenant: an administrator changes the tenant by its portal, so that it refuses people; from its pages
// they come back to Lanyard, which explains, with the tenant's correlation ID. At last Lanyard's own secret expires.
func TestTurnedAwayByTheTenant(t *testing.T) {
	w := start(t)
	c := launch(t)
	admin := c.profile()
	admin.open(w.Info.Tenant.Portal + "/apps")
	lanyard := `section[data-app-name="Lanyard"] `
	admin.click(lanyard + `form[data-action="toggle-required"] button`)
	admin.sees(lanyard + `form[data-action="expire-secrets"] button`)

	turnedAway := func(user, code, words, who string) {
		t.Helper()
		b := c.profile()
		b.expect(` 40[03] .*`)
		b.open(w.Info.URL + "/")
		b.click(id("sign-in"))
		b.atTenant(user, password(t, w, user))
		b.reads("#error", "AADSTS"+code)
		correlation := b.text("#correlation")
		b.click("#back")
		b.reads(id("error-detail"), words)
		b.reads(id("help"), who)
		b.reads(id("help-code"), "AADSTS"+code)
		b.reads(id("help-correlation"), correlation)
		b.shot(code)
	}
	turnedAway("mallory", "50105", "your account is not assigned to Lanyard", "Application Administrator")

	admin.open(w.Info.Tenant.Portal + "/policies")
	form := `form[data-action="add-policy"] `
	admin.fill(form+`[name="name"]`, "nobody")
	admin.do(chromedp.SetValue(form+`[name="control"]`, "block"))
	admin.click(form + "button")
	admin.sees(`tr[data-policy-name="nobody"]`)
	turnedAway("ada", "53003", "Conditional Access", "Conditional Access Administrator")
	admin.click(`tr[data-policy-name="nobody"] form[data-action="remove-policy"] button`)
	admin.seesNo(`tr[data-policy-name="nobody"]`)

	admin.open(w.Info.Tenant.Portal + "/apps")
	admin.click(lanyard + `form[data-action="expire-secrets"] button`)
	admin.sees(lanyard + `[data-over="true"]`)
	b := c.profile()
	b.expect(` (403|50[0-9]) .*/login/callback/entra`)
	b.open(w.Info.URL + "/")
	b.click(id("sign-in"))
	b.atTenant("ada", password(t, w, "ada"))
	b.reads(id("help-code"), "AADSTS7000222")
	b.shot("7000222")
}
