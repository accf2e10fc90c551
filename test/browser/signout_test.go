package browser

import (
	"strings"
	"testing"
)

// TestSignOut signs out here, with a terminal open, and then, signed in anew, at the tenant.
func TestSignOut(t *testing.T) {
	w := start(t)
	c := launch(t)
	home := c.home(w, "ada")
	term := home.another()
	term.open(w.Info.URL + "/")
	term.startFromList(paymentsAPI)
	home.sees(id("open-now") + " " + id("lease") + inWorkspace)

	home.click(id("sign-out"))
	term.sees(id("terminal-status") + `[data-state="refused"]`)
	term.reads(id("terminal-reason"), "you signed out")
	home.sees(id("sign-in-page"))
	home.shot("1-signed-out")
	home.click(id("sign-in"))
	home.sees("#password") // the tenant's session ended, too
	home.atTenant("ada", password(t, w, "ada"))
	home.sees(id("home"))

	// The terminal asks for the session anew.
	term.expect(`WebSocket connection to .* failed`, ` 401 .*//t-`)
	term.click(id("terminal-again"))
	term.until("it is open, or says that the session ended", `["open", "refused"].includes(document.querySelector("[data-testid=terminal-status]").dataset.state)`)
	term.shot("2-again")
	if term.has(id("terminal-status") + `[data-state="refused"]`) {
		term.click(id("terminal-again"))
	}
	term.terminal()

	tenant := home.another()
	tenant.open(strings.TrimSuffix(w.Info.Tenant.Issuer, "/v2.0") + "/oauth2/v2.0/logout")
	tenant.sees("#signed-out")
	term.sees(id("terminal-status") + `[data-state="refused"]`)
	term.reads(id("terminal-reason"), "you signed out at the tenant")
	home.sees(id("sign-in-page"))
	home.reads(id("notice"), "you signed out at the tenant")
	home.shot("3-signed-out-at-the-tenant")
}
