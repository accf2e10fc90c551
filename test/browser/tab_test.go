package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// tab is a tab that a person looks at. What its pages write to the console fails the test, unless it was expected.
type tab struct {
	t    *testing.T
	ctx  context.Context
	stop func()

	lines int // typed into the shell

	mu       sync.Mutex
	expected []*regexp.Regexp
	console  []string
}

func newTab(t *testing.T, ctx context.Context, cancel context.CancelFunc) *tab {
	t.Helper()
	b := &tab{t: t, ctx: ctx}
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1200, 800)); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	messages := chromedp.Console(ctx)
	var reading sync.WaitGroup
	reading.Go(func() {
		for m, err := range messages {
			if err != nil {
				return
			}
			if m.Type == chromedp.ConsoleError || m.Type == chromedp.ConsoleWarning || m.IsException() {
				b.mu.Lock()
				b.console = append(b.console, m.Source+" "+m.String()+" "+m.URL)
				b.mu.Unlock()
			}
		}
	})
	b.stop = sync.OnceFunc(func() {
		if t.Failed() {
			b.shot("failed")
		}
		cancel()
		reading.Wait()
		b.judge()
	})
	t.Cleanup(b.stop)
	// Who is not signed in is told so with 401, which browsers write to the console.
	b.expect(`^network error: .* 401 .*/api/v1/`)
	return b
}

// expect says what the console may hold.
func (b *tab) expect(patterns ...string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range patterns {
		b.expected = append(b.expected, regexp.MustCompile(p))
	}
}

// judge fails the test for what nobody expected on the console: errors, violations of the content security policy.
func (b *tab) judge() {
	b.mu.Lock()
	defer b.mu.Unlock()
message:
	for _, m := range b.console {
		for _, e := range b.expected {
			if e.MatchString(m) {
				continue message
			}
		}
		b.t.Errorf("on the console: %s", m)
	}
}

// said counts what is on the console of a pattern.
func (b *tab) said(pattern string) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, m := range b.console {
		if regexp.MustCompile(pattern).MatchString(m) {
			n++
		}
	}
	return n
}

func (b *tab) fatalf(format string, args ...any) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Second)
	defer cancel()
	where, _ := chromedp.Run(ctx, chromedp.Location())
	text, _ := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText`))
	b.t.Fatalf(format+"\nat %s:\n%s", append(args, where, text)...)
}

// do runs steps in the tab.
func (b *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.fatalf("%v", err)
	}
}

// get runs an action that returns something.
func get[T any](b *tab, a chromedp.Action[T]) T {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, patience)
	defer cancel()
	v, err := chromedp.Run(ctx, a)
	if err != nil {
		b.fatalf("%v", err)
	}
	return v
}

// open goes to an address, as if it was typed.
func (b *tab) open(url string) {
	b.t.Helper()
	b.do(chromedp.Navigate(url))
}

func (b *tab) location() string {
	b.t.Helper()
	return get(b, chromedp.Location())
}

// id is the selector of what carries a data-testid.
func id(testid string) string { return `[data-testid="` + testid + `"]` }

func quoted(s string) string {
	q, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return string(q)
}

// click clicks with the mouse on what a CSS selector finds, when it is there and can be clicked.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.until("there is "+selector, `!!document.querySelector(`+quoted(selector)+`) && !document.querySelector(`+quoted(selector)+`).disabled`)
	b.do(chromedp.Click(chromedp.CSS(selector)))
}

// fill types into a field in the place of what is in it.
func (b *tab) fill(selector, text string) {
	b.t.Helper()
	b.sees(selector)
	b.do(chromedp.Focus(chromedp.CSS(selector)))
	get(b, chromedp.Evaluate[any](`document.querySelector(`+quoted(selector)+`).select()`))
	b.do(chromedp.SendKeys(chromedp.CSS(selector), text))
}

// text is what a person reads in the first element of a selector.
func (b *tab) text(selector string) string {
	b.t.Helper()
	b.sees(selector)
	return strings.TrimSpace(get(b, chromedp.Evaluate[string](`document.querySelector(`+quoted(selector)+`).innerText`)))
}

// sees waits until an element is shown.
func (b *tab) sees(selector string) {
	b.t.Helper()
	b.until(selector+" is shown", `(document.querySelector(`+quoted(selector)+`)?.getClientRects().length ?? 0) > 0`)
}

// seesNo waits until there is no such element.
func (b *tab) seesNo(selector string) {
	b.t.Helper()
	b.until(selector+" is gone", `!document.querySelector(`+quoted(selector)+`)`)
}

// has reports whether there is such an element now.
func (b *tab) has(selector string) bool {
	b.t.Helper()
	return get(b, chromedp.Evaluate[bool](`!!document.querySelector(`+quoted(selector)+`)`))
}

// reads waits until the text of some element of a selector holds a text, in capitals or not: styles change those.
func (b *tab) reads(selector, want string) {
	b.t.Helper()
	b.until(selector+" says "+want, `[...document.querySelectorAll(`+quoted(selector)+`)].some(e => e.innerText.toLowerCase().includes(`+quoted(strings.ToLower(want))+`))`)
}

// until waits for an expression of the page to be true. chromedp's own Poll makes a function of a text, which the
// pages' policy forbids.
func (b *tab) until(what, expression string) {
	b.t.Helper()
	end := time.Now().Add(patience)
	for {
		ctx, cancel := context.WithTimeout(b.ctx, patience)
		ok, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		cancel()
		if ok && err == nil {
			return
		}
		if time.Now().After(end) { // an error before is a page that was just left
			b.fatalf("never: %s (%v)", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// press types as a keyboard does: a key that goes down brings its character along, unless the page takes the key.
// (chromedp's own KeyEvent sends the character in any case, and xterm.js would see each twice.)
func (b *tab) press(text string) {
	b.t.Helper()
	b.do(func(ctx context.Context, t *chromedp.Target) (chromedp.Void, error) {
		for _, r := range text {
			for _, k := range kb.Encode(r) {
				if k.Type == kb.KeyChar {
					continue
				}
				if key := kb.Keys[r]; key != nil && key.Print && k.Type == kb.KeyDown {
					k.Text, k.UnmodifiedText = key.Text, key.Unmodified
				}
				if _, err := cdp.Call(ctx, t, input.DispatchKeyEvent, *k); err != nil {
					return chromedp.Void{}, fmt.Errorf("press %q: %w", r, err)
				}
			}
		}
		return chromedp.Void{}, nil
	})
}

// shot takes a picture, where somebody wants them.
func (b *tab) shot(name string) {
	folder := os.Getenv("LANYARD_SCREENSHOTS")
	if folder == "" {
		return
	}
	ctx, cancel := context.WithTimeout(b.ctx, 10*time.Second)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(folder, b.t.Name()+"-"+name+".png"), png, 0o644)
	}
	if err != nil {
		b.t.Logf("no picture %s: %v", name, err)
	}
}
