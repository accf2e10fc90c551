package browser

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
)

const (
	longName  = "Augusta-Ada-King-Noel-Byron-Countess-of-Lovelace-of-the-Analytical-Engine-Department"
	longGroup = "payments-engineers-of-the-northern-and-southern-hemispheres-with-a-name-without-an-end"
	longRepo  = "https://git.example.test/payments/a-repository-whose-name-was-made-by-a-committee-of-twelve-people-over-a-year"
)

// TestLooks shows the pages on a telephone and in the dark, with names longer than they should be.
func TestLooks(t *testing.T) {
	w := start(t)
	c := launch(t)
	tenant := w.Tenant()
	tenant.Do(http.MethodPatch, "/users/"+tenant.User("ada"), map[string]string{"displayName": longName}, nil)
	tenant.Do(http.MethodPatch, "/groups/"+tenant.Group("payments-engineers"), map[string]string{"displayName": longGroup}, nil)
	file := filepath.Join(w.Data, "projects", "payments.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.Replace(string(text), "repositories:\n", "repositories:\n  - url: "+longRepo+"\n    credential: {entra: x/.default}\n", 1))
	if err := os.WriteFile(file, text, 0o644); err != nil {
		t.Fatal(err)
	}

	b := c.profile()
	fits := func(name string) {
		t.Helper()
		for _, width := range []int64{360, 768, 1200} {
			b.do(chromedp.EmulateViewport(width, 800))
			b.until("the page fits", `innerWidth > 0`)
			if over := get(b, chromedp.Evaluate[[]string](`[...document.querySelectorAll("body *")]
				.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest(".scroll, .hidden, svg, .xterm"))
				.map(e => e.tagName + "." + e.className + " " + (e.innerText ?? "").slice(0, 40))`)); len(over) > 0 {
				t.Errorf("%s is wider than %d pixels: %q", name, width, over)
			}
			b.shot(name + "-" + map[int64]string{360: "narrow", 768: "middle", 1200: "wide"}[width])
		}
	}
	dark := func(scheme string) {
		t.Helper()
		if _, err := chromedp.Call(b.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	b.open(w.Info.URL + "/#" + longRepo)
	b.sees(id("sign-in-page"))
	fits("1-sign-in")
	b.signIn(w, "ada")
	b.sees(id("confirm-repository"))
	fits("2-confirm")
	b.click(id("confirm-cancel"))
	b.reads(id("me-name"), longName)
	b.click(id("my-groups-summary"))
	ws := w.Workspace("ada", paymentsAPI)
	b.sees(id("workspace") + `[data-phase="running"]`)
	other := b.another()
	other.open(get(b, chromedp.Evaluate[string](`document.querySelector("[data-testid=open-terminal]").href`)))
	other.terminal()
	b.front()
	b.reads(id("lease-because"), longGroup)
	fits("3-home")
	dark("dark")
	fits("4-home-dark")
	tenant.Remove(tenant.Group(longGroup), tenant.User("ada"))
	b.sees(id("ended-lease"))
	fits("5-ended-dark")
	b.open(w.Info.URL + "/#/workspace/" + ws.ID)
	b.sees(id("workspace-page"))
	fits("6-workspace-dark")
	b.click(id("delete"))
	fits("7-delete-dark")
	other.do(chromedp.EmulateViewport(360, 640))
	other.shot("8-terminal-narrow")
	b.expect(` 403 .*//t-`)
	b.open(other.location())
	b.sees(id("error-page"))
	fits("9-error-dark")
}
