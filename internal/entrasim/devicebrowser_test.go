package entrasim

import (
	"net/http"
	"strings"
	"testing"

	"github.com/chromedp/chromedp"
)

// TestDevicePageInABrowser types a code, first wrongly, reads which app it is, signs in and gives the second factor that a
// policy wants, under the page's own content security policy.
func TestDevicePageInABrowser(t *testing.T) {
	browser := newChromium(t)
	w := newWorld(t, withTool())
	if _, err := w.SetPolicy(Policy{Name: "second factor", Users: []string{All}, Apps: []string{GraphAppID}, Controls: []string{ControlMFA}}); err != nil {
		t.Fatal(err)
	}
	code, userCode, _ := w.begin("User.Read")
	play := func(want, in string, steps ...chromedp.Action[chromedp.Void]) string {
		t.Helper()
		if err := chromedp.Do(browser, steps...); err != nil {
			t.Fatal(err)
		}
		got, err := chromedp.Run(browser, chromedp.Text(in))
		if err != nil || !strings.HasPrefix(got, want) {
			t.Fatalf("%s says %q, %v; want %q", in, got, err, want)
		}
		return got
	}
	play("That code", "#error", chromedp.Navigate(w.url+devicePath), chromedp.SendKeys("#code", "ABCDEFGHJ"), chromedp.Click("#next"), chromedp.WaitVisible("#error"))
	play("Tool", "#app", chromedp.SendKeys("#code", strings.ToLower(userCode)), chromedp.Click("#next"), chromedp.WaitVisible("#app"))
	shown := play("", "#shown", chromedp.SendKeys("#username", "ada"), chromedp.SendKeys("#password", "lanyard-ada"), chromedp.Click("#signin"), chromedp.WaitVisible("#shown"))
	play("You have signed in to Tool", "#done", chromedp.SendKeys("#factor", shown), chromedp.Click("#approve"), chromedp.WaitVisible("#done"))
	if status, body := w.poll(toolID, deviceGrantType, code); status != http.StatusOK {
		t.Errorf("the device: %d %v", status, body)
	}
}
