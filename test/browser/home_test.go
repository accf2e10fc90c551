package browser

import (
	"testing"
)

// TestHome is what the list of workspaces does: stop, resume with the files kept, delete.
func TestHome(t *testing.T) {
	w := start(t)
	c := launch(t)
	home := c.home(w, "barbara")
	home.reads(id("my-project"), "payments-engineers › payments-api-team")
	home.click(id("my-groups-summary"))
	home.reads(id("my-group"), "payments-api-team")
	home.sees(id("no-workspaces"))
	home.sees(id("nothing-open"))
	home.shot("1-empty")

	home.fill(id("context-url"), "leg")
	home.seesNo(id("repository") + `[data-url="` + paymentsAPI + `"]`)
	home.reads(id("repository"), "legacy")
	home.fill(id("context-url"), paymentsAPI)
	home.click(id("context-go"))
	home.reads(id("confirm-repository"), "payments/api")
	home.click(id("confirm-cancel"))
	home.sees(id("home"))

	term := home.another()
	term.open(w.Info.URL + "/")
	term.startFromList(paymentsAPI)
	term.shell("echo kept > /workspace/api/kept.txt", "")
	row := id("workspace")
	home.sees(row + `[data-phase="running"]`)
	home.click(row + " " + id("stop"))
	home.sees(row + `[data-phase="stopped"]`)
	home.shot("2-stopped")
	term.reads(id("terminal-reason"), "does not answer")
	term.shot("3-stopped")
	term.expect(`WebSocket connection to .* failed`, ` 503 `)

	home.click(row + " " + id("resume"))
	home.sees(row + `[data-phase="running"]`)
	home.click(row + " " + id("open-terminal"))
	second := home.opened("http://t-")
	second.terminal()
	second.shell("cat kept.txt", "kept")
	term.sees(id("terminal-status") + `[data-state="open"]`)

	home.front()
	home.click(row + " " + id("workspace-link"))
	home.sees(id("workspace-page"))
	home.sees(id("task") + `[data-task="task-1"][data-state="done"]`)
	home.sees(id("port") + `[data-port="8080"][data-listening="false"]`)
	home.shot("4-workspace")
	home.click(id("delete"))
	home.shot("5-delete")
	home.click(id("ask-no"))
	home.seesNo(id("ask"))
	home.click(`a.back`)
	home.expect(` 404 .*/events$`, ` 409 .*/workspaces/w-`) // it may be gone while it is followed; it holds what is nowhere else
	home.click(row + " " + id("delete"))
	home.click(id("ask-yes"))
	home.sees(id("would-be-lost"))
	home.click(id("ask-yes"))
	home.sees(id("no-workspaces"))
	for _, b := range []*tab{term, second} {
		b.expect(` (403|404) .*//t-`, `WebSocket connection to .* failed`)
		b.sees(id("terminal-status") + `[data-state="refused"]`)
		b.reads(id("terminal-reason"), "no workspace")
	}
	second.shot("6-gone")
	home.shot("7-deleted")
	if home.has(id("notice")) {
		t.Errorf("after a deletion, the page says %q", home.text(id("notice")))
	}
}
