package entrasim

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"golang.org/x/oauth2"
)

// newChromium starts a browser, or skips where the machine has none.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("there is no chromium on this machine (LANYARD_REQUIRE=all)")
		}
		t.Skip("there is no chromium on this machine: the pages are not tried in a browser")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.WSURLReadTimeout(time.Minute))
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

// TestPagesInABrowser signs in by clicks, in both response modes, and changes the directory in the
// portal, under the pages' own content security policy.
func TestPagesInABrowser(t *testing.T) {
	browser := newChromium(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		code, _, _ := strings.Cut(r.FormValue("code"), ".")
		w.Write([]byte("<p id=back>" + r.Method + " " + r.FormValue("state") + " " + code + "</p>"))
	}))
	t.Cleanup(app.Close)
	w := newWorld(t, contoso())
	if err := w.SetRedirects(LanyardAppID, []string{app.URL + "/back"}, ""); err != nil {
		t.Fatal(err)
	}
	config := w.lanyard()
	config.RedirectURL = app.URL + "/back"
	remove := `form[data-action="remove-member"][data-group="` + PaymentsEngineersID + `"][data-member="` + AdaID + `"] button`
	play := func(want, in string, steps ...chromedp.Action[chromedp.Void]) {
		t.Helper()
		if err := chromedp.Do(browser, steps...); err != nil {
			t.Fatal(err)
		}
		if got, err := chromedp.Run(browser, chromedp.Text(in)); err != nil || !strings.HasPrefix(got, want) {
			t.Fatalf("%s says %q, %v; want %q", in, got, err, want)
		}
	}
	play("AADSTS50126", "#error",
		chromedp.Navigate(config.AuthCodeURL("one")),
		chromedp.Click(`a[data-user="ada@contoso.example"]`),
		chromedp.WaitVisible(`a[aria-current="true"]`),
		chromedp.SendKeys("#password", "wrong"),
		chromedp.Click("#signin"))
	play("GET one 1", "#back",
		chromedp.SendKeys("#password", "lanyard-ada"),
		chromedp.Click("#signin"))
	play("POST two 1", "#back",
		chromedp.Navigate(config.AuthCodeURL("two", oauth2.SetAuthURLParam("response_mode", "form_post"))))
	play("Contoso directory", "h1",
		chromedp.Navigate(w.PortalURL()),
		chromedp.Click(remove),
		chromedp.WaitNotPresent(remove),
		chromedp.Click(`form[data-action="disable-user"][data-user="grace"] button`),
		chromedp.WaitVisible(`form[data-action="enable-user"][data-user="grace"] button`))
	if u, _ := w.User("grace"); u.AccountEnabled || w.in("payments-engineers", AdaID) {
		t.Error("the portal changed nothing")
	}
}

// TestPolicyPagesInABrowser adds policies in the portal, gives a second factor, is turned away and goes back to the app.
func TestPolicyPagesInABrowser(t *testing.T) {
	browser := newChromium(t)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		number, _, _ := strings.Cut(r.FormValue("error_description"), ":")
		code, _, _ := strings.Cut(r.FormValue("code"), ".")
		w.Write([]byte("<p id=back-here>" + r.Method + " " + r.FormValue("state") + " " + code + number + "</p>"))
	}))
	t.Cleanup(app.Close)
	w := newWorld(t, contoso())
	if err := w.SetRedirects(LanyardAppID, []string{app.URL + "/back"}, ""); err != nil {
		t.Fatal(err)
	}
	config := w.lanyard()
	config.RedirectURL = app.URL + "/back"
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
	add := func(name, control string) []chromedp.Action[chromedp.Void] {
		return []chromedp.Action[chromedp.Void]{
			chromedp.Navigate(w.PortalURL() + "/policies"), chromedp.SendKeys(`form[data-action="add-policy"] [name="name"]`, name),
			chromedp.SetValue(`form[data-action="add-policy"] [name="control"]`, control), chromedp.Click(`form[data-action="add-policy"] button`),
			chromedp.WaitVisible(`tr[data-policy-name="` + name + `"]`),
		}
	}
	play("Contoso policies", "h1", add("factor", ControlMFA)...)
	code := play("", "#shown",
		chromedp.Navigate(config.AuthCodeURL("one", oauth2.SetAuthURLParam("login_hint", "ada@contoso.example"))),
		chromedp.SendKeys("#password", "lanyard-ada"), chromedp.Click("#signin"), chromedp.WaitVisible("#shown"))
	play("GET one 1", "#back-here", chromedp.SendKeys("#code", code), chromedp.Click("#approve"), chromedp.WaitVisible("#back-here"))
	play("Contoso policies", "h1", add("nobody", ControlBlock)...)
	play("AADSTS53003", "#error", chromedp.Navigate(config.AuthCodeURL("two", oauth2.SetAuthURLParam("response_mode", "form_post"))), chromedp.WaitVisible("#error"))
	play("POST two AADSTS53003", "#back-here", chromedp.Click("#back"), chromedp.WaitVisible("#back-here"))
	play("Contoso signins", "h1", chromedp.Navigate(w.PortalURL()+"/signins"), chromedp.WaitVisible(`tr[data-code="53003"]`))
	play("Contoso apps", "h1", chromedp.Navigate(w.PortalURL()+"/apps"), chromedp.Click(`section[data-app-name="Lanyard"] form[data-action="expire-secrets"] button`),
		chromedp.WaitVisible(`section[data-app-name="Lanyard"] [data-over="true"]`))
}
