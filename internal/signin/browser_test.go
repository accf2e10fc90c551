package signin_test

import (
	"context"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/lanyardhq/lanyard/internal/entrasim"
	"github.com/lanyardhq/lanyard/internal/signin"
)

// newChromium starts a browser, or skips where the machine has none.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("there is no chromium on this machine (LANYARD_REQUIRE=all)")
		}
		t.Skip("there is no chromium on this machine: answers by form_post are not tried in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WSURLReadTimeout(time.Minute))
	if os.Geteuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	browser, _ := chromedp.NewContext(ctx, chromedp.WithAllocatorOptions(options...))
	t.Cleanup(func() {
		if err := chromedp.Cancel(browser); err != nil {
			t.Error(err)
		}
		cancel()
	})
	return browser
}

// TestFormPostInABrowser signs in in a real browser, which sends no Lax cookie with a form that another site posts, and goes
// back to the tenant's page, which posts its answer once more.
func TestFormPostInABrowser(t *testing.T) {
	browser := newChromium(t)
	w := newWorldOf(t, func(c *signin.Config) { c.FormPost = true })
	play := func(steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(browser, steps...); err != nil {
			where, _ := chromedp.Run(browser, chromedp.Location())
			text, _ := chromedp.Run(browser, chromedp.Evaluate[string](`document.body.innerText`))
			t.Fatalf("%v\nat %s: %s", err, where, text)
		}
	}
	isAda := func() {
		t.Helper()
		end := time.Now().Add(time.Minute)
		for {
			text, err := chromedp.Run(browser, chromedp.Evaluate[string](`document.body.innerText`))
			where, _ := chromedp.Run(browser, chromedp.Location())
			if err == nil && text == entrasim.AdaID && where == w.url+"/" {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("at %s: %q, %v", where, text, err)
			}
			time.Sleep(50 * time.Millisecond)
		}
	}
	play(chromedp.Navigate(w.url+"/login"),
		chromedp.Click(`a[data-user="ada@contoso.example"]`),
		chromedp.WaitVisible(`a[aria-current="true"]`),
		chromedp.SendKeys("#password", "lanyard-ada"),
		chromedp.Click("#signin"))
	isAda()
	play(chromedp.NavigateBack())
	isAda()
	if w.signIns() != 1 {
		t.Errorf("%d sign-ins", w.signIns())
	}
	play(chromedp.Navigate(w.url + "/login"))
	isAda()
	if n := w.liveSessions(); w.signIns() != 2 || n != 1 { // the browser's former session is not left behind
		t.Errorf("%d sign-ins and %d sessions after signing in anew", w.signIns(), n)
	}
}
