package browser

import (
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// startFromList clicks "Start" at a repository of the list, and leads to the terminal that opens by itself.
func (b *tab) startFromList(repository string) {
	b.t.Helper()
	b.click(id("repository") + `[data-url="` + repository + `"] ` + id("start"))
	b.terminal()
}

// leaveGroup and joinGroup click in the portal.
func (b *tab) leaveGroup(group, person string) {
	b.t.Helper()
	form := `form[data-action="remove-member"][data-group-name="` + group + `"][data-member-name="` + person + `"]`
	b.click(form + " button")
	b.seesNo(form)
}

func (b *tab) joinGroup(group, person string) {
	b.t.Helper()
	form := `form[data-action="add-member"][data-group-name="` + group + `"]`
	option := get(b, chromedp.Evaluate[string](`[...document.querySelector(`+quoted(form+" select")+`).options].find(o => o.text === `+quoted(person)+`).value`))
	b.do(chromedp.SetValue(chromedp.CSS(form+" select"), option))
	b.click(form + " button")
	b.sees(`form[data-action="remove-member"][data-group-name="` + group + `"][data-member-name="` + person + `"]`)
}

const inWorkspace = `[data-action="workspace:open"]`

// TestCut takes a person's group away with her terminal open, as seen in three tabs, and gives it back.
func TestCut(t *testing.T) {
	w := start(t)
	c := launch(t)
	portal := c.portal(w)
	home := c.home(w, "ada")
	term := home.another()
	term.open(w.Info.URL + "/")
	term.sees(id("home"))
	term.startFromList(paymentsAPI)
	term.press("curl -sN http://127.0.0.1:7070/r/ledger/watch\r")

	home.reads(id("me-name"), "Ada Lovelace")
	home.reads(id("my-project")+`[data-project="payments"]`, "developer")
	home.reads(id("my-project-via"), "payments-engineers")
	home.sees(id("workspace") + `[data-phase="running"]`)
	home.reads(id("open-now")+" "+id("lease")+inWorkspace, "through payments-engineers")
	home.sees(id("open-now") + " " + id("lease") + `[data-action="app:call"]`)
	home.shot("1-open")

	portal.shot("2-portal")
	portal.leaveGroup("payments-engineers", "Ada Lovelace")
	term.sees(id("terminal-status") + `[data-state="refused"]`)
	term.reads(id("terminal-reason"), "you are no longer in the group payments-engineers")
	term.screen("Lanyard closed this terminal: ")
	term.shot("3-cut")
	home.seesNo(id("open-now") + " " + id("lease") + inWorkspace)
	home.seesNo(id("open-now") + " " + id("lease") + `[data-action="app:call"]`)
	home.reads(id("ended-lease")+inWorkspace+" "+id("ended-reason"), "payments-engineers")
	home.reads(id("ended-lease")+`[data-action="app:call"] `+id("ended-reason"), "payments-engineers")
	home.seesNo(id("my-project"))
	home.sees(id("no-projects"))
	home.shot("4-ended")

	// It does not come back by itself, and not while she is out.
	time.Sleep(time.Second) // longer than the page's first pauses between attempts
	if state := get(term, chromedp.Evaluate[string](`document.querySelector("[data-testid=terminal-status]").dataset.state`)); state != "refused" {
		t.Errorf("after a refusal the terminal is %s", state)
	}
	term.expect(`WebSocket connection to .*/_lanyard/terminal.* failed.* 403`, ` 403 .*//t-[a-z2-7]+\.localhost:\d+/$`)
	term.click(id("terminal-again"))
	term.sees(id("terminal-status") + `[data-state="refused"]`)
	term.until("the page was asked", `document.querySelector("[data-testid=terminal-reason]").innerText.length > 0`)
	term.shot("5-still-out")

	portal.joinGroup("payments-engineers", "Ada Lovelace")
	home.sees(id("my-project") + `[data-project="payments"]`)
	term.click(id("terminal-again"))
	term.terminal()
	home.sees(id("open-now") + " " + id("lease") + inWorkspace)
	home.sees(id("ended-lease") + inWorkspace)
	term.press("curl -sN http://127.0.0.1:7070/r/ledger/watch\r")
	home.sees(id("open-now") + " " + id("lease") + `[data-action="app:call"]`)
	home.do(chromedp.EmulateViewport(1200, 968))
	home.shot("6-back") // docs/dashboard.png is this picture
}

// TestRestart kills the server under an open terminal and starts it again.
func TestRestart(t *testing.T) {
	w := start(t)
	c := launch(t)
	home := c.home(w, "ada")
	term := home.another()
	for _, b := range []*tab{home, term} { // nobody answers for a while
		b.expect(`ERR_CONNECTION_REFUSED`, `ERR_INCOMPLETE_CHUNKED_ENCODING`, `ERR_CONNECTION_RESET`, `ERR_EMPTY_RESPONSE`, `WebSocket connection to .* failed`)
	}
	term.open(w.Info.URL + "/")
	term.sees(id("home"))
	term.startFromList(paymentsAPI)
	term.press("secs() { while :; do echo tick $((n=n+1)); sleep 0.2; done; }; echo before; secs\r")
	term.screen("tick 3")
	home.sees(id("open-now") + " " + id("lease") + inWorkspace)

	w.Kill()
	term.sees(id("terminal-status") + `[data-state="lost"]`)
	term.sees(id("terminal-message"))
	term.shot("1-lost")
	home.reads(id("live"), "connecting")
	home.reads(id("notice"), "cannot be reached")
	home.shot("2-home")
	w.Run()
	term.sees(id("terminal-status") + `[data-state="open"]`)
	term.screen("before")
	term.screen("tick 3")
	term.interrupt()
	term.shot("3-back")
	term.screen("^C")
	home.reads(id("live"), "live")
	home.seesNo(id("notice"))
	home.sees(id("open-now") + " " + id("lease") + inWorkspace)
	home.sees(id("workspace") + `[data-phase="running"]`)
}
