package dashboard

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"

	"github.com/lanyardhq/lanyard/internal/web"
)

// browser returns the context of a tab of a real Chromium. Where there is none, or the assets were not built, the
// test is skipped by name, unless LANYARD_REQUIRE=all says that nothing may be missing.
func browser(t *testing.T, d *Dashboard) context.Context {
	t.Helper()
	missing := func(what string) {
		if os.Getenv("LANYARD_REQUIRE") == "all" {
			t.Fatal("missing: " + what)
		}
		t.Skip("missing: " + what)
	}
	if !d.assets.built {
		missing("the dashboard's assets (make build)")
	}
	path, err := exec.LookPath("chromium")
	if err != nil {
		missing("chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	tab, closeTab := chromedp.NewContext(allocator)
	if err := chromedp.Do(tab); err != nil { // the browser lives as long as the context of its first use
		t.Fatal("start chromium:", err)
	}
	bounded, cancel := context.WithTimeout(tab, 60*time.Second)
	t.Cleanup(func() {
		cancel()
		closeTab()
		stop()
	})
	return bounded
}

// shells is a terminal's site whose WebSocket does what a test wants of the nth connection.
type shells struct {
	d      *Dashboard
	mu     sync.Mutex
	served int
	script func(n int, c *websocket.Conn)
	refuse bool // the page, too

	violations []string // of the content security policy, as the browser reported them
}

func (s *shells) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	refuse := s.refuse
	s.mu.Unlock()
	switch {
	case r.URL.Path == "/" && refuse:
		w.WriteHeader(http.StatusForbidden)
	case r.URL.Path == "/":
		s.d.TerminalPage().ServeHTTP(reporting{w}, r)
	case r.URL.Path == "/violations":
		report, _ := io.ReadAll(r.Body)
		s.mu.Lock()
		s.violations = append(s.violations, string(report))
		s.mu.Unlock()
	case r.URL.Path == "/_lanyard/terminal" && !refuse:
		s.mu.Lock()
		n := s.served
		s.served++
		s.mu.Unlock()
		c, err := websocket.Accept(w, r, nil)
		if err != nil {
			return
		}
		defer c.CloseNow()
		s.script(n, c)
	case r.URL.Path == "/_lanyard/terminal":
		w.WriteHeader(http.StatusForbidden)
	default:
		routes := http.NewServeMux()
		for _, route := range s.d.TerminalAssets() {
			routes.HandleFunc(route.Path, func(w http.ResponseWriter, r *http.Request) { _ = route.Serve(w, r) })
		}
		routes.ServeHTTP(w, r)
	}
}

// reporting adds to the page's policy that what violates it is reported.
type reporting struct{ http.ResponseWriter }

func (r reporting) WriteHeader(status int) {
	h := r.Header()
	h.Set("Content-Security-Policy", h.Get("Content-Security-Policy")+"; report-uri /violations")
	r.ResponseWriter.WriteHeader(status)
}

func (s *shells) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served
}

// until waits for an expression of the page to be true. chromedp's own Poll makes a function of text, which the
// pages' policy forbids.
func until(expression string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		for {
			ok, err := chromedp.Evaluate[bool](expression)(ctx, t)
			if err != nil {
				return fmt.Errorf("wait for %s: %w", expression, err)
			}
			if ok {
				return nil
			}
			time.Sleep(20 * time.Millisecond)
		}
	})
}

func terminalText(want string) chromedp.Action[chromedp.Void] {
	quoted, _ := json.Marshal(want)
	return until(`!!document.querySelector(".xterm-rows")?.innerText.includes(` + string(quoted) + `)`)
}

// keys types as a keyboard does. chromedp's own KeyEvent sends a character even where the page took the key, and
// xterm.js, which takes it, would see each twice.
func keys(text string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		for _, r := range text {
			for _, k := range kb.Encode(r) {
				switch k.Type {
				case kb.KeyChar:
					continue
				case kb.KeyDown:
					k.Text = string(r) // the browser makes the character of it, where nobody takes the key
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// found is the selector of an element by its data-testid.
func found(testid string) chromedp.CSS { return chromedp.CSS("[data-testid=" + testid + "]") }

// must returns what an action returns.
func must[T any](t *testing.T, tab context.Context, a chromedp.Action[T]) T {
	t.Helper()
	v, err := chromedp.Run(tab, a)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestTerminalInABrowser(t *testing.T) {
	d, err := New(Config{URL: "https://lanyard.example.test", Workspace: func(*http.Request) Workspace { return Workspace{Name: "api"} }})
	if err != nil {
		t.Fatal(err)
	}
	tab := browser(t, d)
	got := make(chan string, 100)
	drop := make(chan struct{})
	s := &shells{d: d}
	s.script = func(n int, c *websocket.Conn) {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		defer cancel()
		say := func(text string) { _ = c.Write(ctx, websocket.MessageBinary, []byte(text)) }
		switch n {
		case 0: // answers, and is lost without a word
			say("\x1b[38;2;10;200;30mfirst\x1b[0m shell\r\n")
			go func() {
				for {
					kind, b, err := c.Read(ctx)
					if err != nil {
						return
					}
					got <- kind.String() + " " + string(b)
				}
			}()
			<-drop
		case 1: // comes back with its scrollback, then access ends
			say("first shell\r\nsecond connection\r\n")
			time.Sleep(100 * time.Millisecond)
			_ = c.Close(4403, "you are no longer in the group payments-engineers")
		default:
			say("third connection\r\n")
			<-c.CloseRead(ctx).Done()
		}
	}
	site := httptest.NewServer(s)
	defer site.Close()

	must(t, tab, chromedp.Steps(
		chromedp.Navigate(site.URL),
		terminalText("first shell"),
		keys("ls -l\r"),
	))
	var typed string
	resized := false
	for !strings.Contains(typed, "ls -l\r") || !resized {
		select {
		case frame := <-got:
			if text, ok := strings.CutPrefix(frame, "MessageBinary "); ok {
				typed += text
			}
			resized = resized || strings.HasPrefix(frame, `MessageText {"resize":{"cols":`)
		case <-time.After(30 * time.Second):
			t.Fatalf("typed %q, resized %t", typed, resized)
		}
	}
	close(drop)
	must(t, tab, chromedp.Steps(
		terminalText("second connection"),
		until(`document.querySelector("[data-testid=terminal-status]").dataset.state === "refused"`),
	))
	text := must(t, tab, chromedp.Evaluate[string](`document.querySelector(".xterm-rows").innerText`))
	reason := must(t, tab, chromedp.TextContent(found("terminal-reason")))
	time.Sleep(1500 * time.Millisecond) // longer than the pause before it would come back by itself
	if strings.Count(text, "first shell") != 1 {
		t.Errorf("the scrollback stands there twice: %q", text)
	}
	if reason != "you are no longer in the group payments-engineers" {
		t.Errorf("the reason shown is %q", reason)
	}
	if n := s.connections(); n != 2 {
		t.Errorf("after a refusal there were %d connections, not 2", n)
	}
	must(t, tab, chromedp.Steps(chromedp.Click(found("terminal-again")), terminalText("third connection")))
	s.mu.Lock()
	if len(s.violations) > 0 {
		t.Error("the content security policy was violated:", s.violations)
	}
	s.mu.Unlock()
	s.mu.Lock()
	s.refuse = true
	s.mu.Unlock()
	site.CloseClientConnections()
	if err := chromedp.Do(tab, until(`document.querySelector("[data-testid=terminal-status]").dataset.state === "refused"`)); err != nil {
		t.Error("a page that is refused now is not told apart from a server that is away:", err)
	}
}

func TestFragmentSurvivesSignIn(t *testing.T) {
	d, err := New(Config{URL: "https://lanyard.example.test", Provider: "Contoso"})
	if err != nil {
		t.Fatal(err)
	}
	tab := browser(t, d)
	var in bool // only one request at a time reads or writes it
	asked := make(chan string, 10)
	mux := http.NewServeMux()
	for _, route := range d.Routes() {
		mux.HandleFunc(route.Path, func(w http.ResponseWriter, r *http.Request) { _ = route.Serve(w, r) })
	}
	mux.HandleFunc("/login", func(w http.ResponseWriter, r *http.Request) {
		in = true
		http.Redirect(w, r, "/", http.StatusSeeOther)
	})
	mux.HandleFunc("/api/v1/me", func(w http.ResponseWriter, _ *http.Request) {
		if !in {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		_ = web.WriteJSON(w, 200, map[string]any{"name": "Ada\u202e", "groups": []any{}, "projects": []any{}, "roles": []any{}})
	})
	mux.HandleFunc("/api/v1/context", func(w http.ResponseWriter, r *http.Request) {
		asked <- r.URL.Query().Get("url")
		_ = web.WriteJSON(w, 200, map[string]any{"project": "payments", "repository": "https://git.example.test/payments/api", "ref": "feature/x"})
	})
	site := httptest.NewServer(mux)
	defer site.Close()

	const context = "https://git.example.test/payments/api/tree/feature/x"
	must(t, tab, chromedp.Navigate(site.URL+"/#"+context))
	shown := must(t, tab, chromedp.Text(chromedp.CSS("[data-testid=sign-in-context] code")))
	must(t, tab, chromedp.Steps(chromedp.Click(found("sign-in")), chromedp.WaitVisible(found("confirm-start"))))
	ref := must(t, tab, chromedp.Text(found("confirm-ref")))
	name := must(t, tab, chromedp.Text(found("account-name")))
	if shown != context || ref != "feature/x" || <-asked != context {
		t.Errorf("shown before %q, ref after %q", shown, ref)
	}
	if name != `Ada\u202e` {
		t.Errorf("a name that turns the direction of text is shown as %q", name)
	}
}
