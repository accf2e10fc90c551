package browser

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
)

// tries are what a hostile page would do to the pages site and to a terminal's. Each says what came of it.
const tries = `async (pages, terminal, workspace) => {
  const read = (url, options) => fetch(url, {credentials: "include", ...options}).then(r => r.text().then(t => r.type + " " + r.status + " " + t), e => "error");
  const socket = (url) => new Promise(done => {
    let s;
    try { s = new WebSocket(url); } catch { return done("error"); }
    s.onopen = () => done("open");
    s.onerror = () => done("error");
  });
  return {
    read: await read(pages + "/api/v1/me"),
    json: await read(pages + "/api/v1/workspaces/" + workspace + "/stop", {method: "POST", headers: {"Content-Type": "application/json"}, body: "{}"}),
    remove: await read(pages + "/api/v1/workspaces/" + workspace, {method: "DELETE"}),
    // No preflight stands before these two: only the server itself can refuse them.
    plain: await read(pages + "/api/v1/workspaces/" + workspace + "/stop", {method: "POST", mode: "no-cors", body: "{}"}),
    logout: await read(pages + "/logout", {method: "POST", mode: "no-cors"}),
    page: await read(terminal + "/"),
    shell: await socket(terminal.replace("http", "ws") + "/_lanyard/terminal"),
    stream: await socket(pages.replace("http", "ws") + "/api/v1/leases/events"),
  };
}`

func (b *tab) tries(pages, terminal, workspace string) map[string]string {
	b.t.Helper()
	call := "(" + tries + ")(" + quoted(pages) + "," + quoted(terminal) + "," + quoted(workspace) + ")"
	return get(b, chromedp.Evaluate[map[string]string](call, chromedp.EvalAwaitPromise))
}

// TestIsolation tries what pages of other sites, and a terminal's own, could do to the dashboard in the same browser.
func TestIsolation(t *testing.T) {
	w := start(t)
	c := launch(t)
	home := c.home(w, "ada")
	term := home.another()
	term.open(w.Info.URL + "/")
	term.startFromList(paymentsAPI)
	terminal := strings.TrimSuffix(term.location(), "/")
	home.sees(id("workspace") + `[data-phase="running"]`)
	workspace := get(home, chromedp.Evaluate[string](`document.querySelector("[data-testid=workspace]").dataset.workspace`))
	pages := w.Info.URL

	foreign := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		_, _ = rw.Write([]byte(`<!doctype html><link rel=icon href="data:,"><form method=post action="` + pages + `/logout"><button id=post>x</button></form>`))
	}))
	t.Cleanup(foreign.Close)
	evil := strings.Replace(foreign.URL, "127.0.0.1", "evil.localhost", 1)

	still := func(after string) {
		t.Helper()
		home.open(pages + "/")
		home.sees(id("workspace") + `[data-phase="running"]`)
		if account := home.text(id("account-name")); account != "Ada Lovelace" {
			t.Errorf("after %s, signed in is %q", after, account)
		}
	}

	t.Run("from a foreign site", func(t *testing.T) {
		b := home.another()
		b.expect(`CORS policy`, `ERR_FAILED`, `ERR_BLOCKED_BY_RESPONSE.NotSameOrigin`, ` 403 `, `WebSocket connection to .* failed`)
		b.open(evil + "/")
		for what, got := range b.tries(pages, terminal, workspace) {
			if got != "error" && got != "opaque 0 " {
				t.Errorf("%s: %s", what, got)
			}
		}
		still("a foreign site's requests")
		b.click("#post")
		b.reads(id("error-detail"), "did not come from Lanyard's own pages")
		b.shot("1-foreign-form")
		still("a foreign site's form")
	})

	t.Run("from a terminal's page", func(t *testing.T) {
		term.expect(`violates the .*Content Security Policy`, `Refused to connect`, `violates the document's Content Security Policy`, `Fetch API cannot load`)
		for what, got := range term.tries(pages, "http://evil.localhost", workspace) {
			if got != "error" {
				t.Errorf("%s: %s", what, got)
			}
		}
		get(term, chromedp.Evaluate[any](`(() => {
			const form = document.createElement("form");
			form.method = "post";
			form.action = `+quoted(pages+"/logout")+`;
			document.body.append(form);
			form.submit();
		})()`))
		still("a terminal page's requests")
		if at := term.location(); !strings.HasPrefix(at, terminal) {
			t.Errorf("the form of a terminal's page led to %s", at)
		}
	})

	t.Run("in a frame", func(t *testing.T) {
		b := home.another()
		b.expect(`frame-ancestors`, `X-Frame-Options`, `Refused to display`)
		b.open(evil + "/")
		for _, url := range []string{terminal + "/", pages + "/", pages + "/login"} {
			loaded := get(b, chromedp.Evaluate[string](`new Promise(done => {
				const f = document.createElement("iframe");
				f.onload = () => { try { f.contentWindow.location.href; done("own"); } catch { done("foreign"); } };
				f.src = `+quoted(url)+`;
				document.body.append(f);
			})`, chromedp.EvalAwaitPromise))
			t.Logf("%s: %s", url, loaded) // an error page of the browser's, too, is foreign
		}
		if n := b.said(`frame-ancestors|X-Frame-Options|Refused to display`); n < 3 {
			t.Errorf("%d of 3 frames were refused", n)
		}
	})

	t.Run("cookies", func(t *testing.T) {
		cookies := func(url string) map[string]*network.Cookie {
			got, err := chromedp.Call(home.ctx, network.GetCookies, network.GetCookiesParams{URLs: []string{url}})
			if err != nil {
				t.Fatal(err)
			}
			found := map[string]*network.Cookie{}
			for _, c := range got.Cookies {
				found[c.Name] = c
				if !strings.HasPrefix(c.Name, "__Host-") || !c.HTTPOnly || !c.Secure || c.SameSite != network.CookieSameSiteLax {
					t.Errorf("%s has a cookie %s, HttpOnly %t, Secure %t, SameSite %s", url, c.Name, c.HTTPOnly, c.Secure, c.SameSite)
				}
			}
			return found
		}
		here, there := cookies(pages), cookies(terminal)
		if len(here) == 0 || len(there) == 0 || len(cookies(evil)) != 0 {
			t.Fatalf("cookies: %d of the pages, %d of the terminal", len(here), len(there))
		}
		for name, c := range here {
			for other, o := range there {
				if c.Value == o.Value {
					t.Errorf("%s of the pages is %s of the terminal's site", name, other)
				}
			}
		}
		for _, b := range []*tab{home, term} {
			if seen := get(b, chromedp.Evaluate[string](`document.cookie`)); seen != "" {
				t.Errorf("scripts at %s see cookies", b.location())
			}
		}
	})

	t.Run("machine paths", func(t *testing.T) {
		b := home.another()
		b.expect(` 40\d `, `/favicon\.ico$`) // a sandboxed answer has no origin, not even for its icon
		for _, path := range []string{"/r/ledger/whoami", "/git/git.example.test/payments/api/info/refs?service=git-upload-pack"} {
			answer := get(b, chromedp.NavigateResponse(pages+path))
			policy, _ := answer.Headers["Content-Security-Policy"].(string)
			if answer.Status < 400 || !strings.Contains(policy, "sandbox") {
				t.Errorf("%s: %d, policy %q", path, answer.Status, policy)
			}
		}
	})
}
