package browser

import (
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// patience bounds one step of a test; it is generous, since nothing here is about speed.
const patience = 60 * time.Second

// chromium is a running browser. Each profile of it has cookies of its own.
type chromium struct {
	t   *testing.T
	ctx context.Context // of a tab that stays empty
}

// launch starts a Chromium that ends with the test. It fetches nothing of its own.
func launch(t *testing.T) *chromium {
	t.Helper()
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath("chromium"), chromedp.UserDataDir(t.TempDir()), chromedp.Headless, chromedp.DisableGPU,
		chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck, chromedp.WSURLReadTimeout(patience),
	}
	for _, off := range []string{
		"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync",
		"disable-dev-shm-usage", "disable-background-timer-throttling", "disable-renderer-backgrounding",
	} {
		options = append(options, chromedp.Flag(off, true))
	}
	if os.Getuid() == 0 { // Chromium's own sandbox refuses root
		options = append(options, chromedp.NoSandbox)
	}
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {})) // of events after a page is gone
	t.Cleanup(func() {
		if err := chromedp.Cancel(ctx); err != nil {
			t.Errorf("end chromium: %v", err)
		}
		closeTab()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil { // the browser lives as long as the context of its first use
		t.Fatalf("start chromium: %v", err)
	}
	return &chromium{t, ctx}
}

// profile is a new profile, as of another person, with one tab.
func (c *chromium) profile() *tab {
	c.t.Helper()
	ctx, cancel := chromedp.NewContext(c.ctx, chromedp.WithNewBrowserContext())
	return newTab(c.t, ctx, cancel)
}

// another opens one more tab of the same profile.
func (b *tab) another() *tab {
	b.t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx)
	return newTab(b.t, ctx, cancel)
}

// front brings the tab to the front, as a click on it would: a page that nobody looks at asks less.
func (b *tab) front() {
	b.t.Helper()
	if _, err := chromedp.Call(b.ctx, page.BringToFront, cdp.Empty{}); err != nil {
		b.t.Fatal(err)
	}
}

// opened attaches to the tab that a link of this one opened, by the beginning of its address.
func (b *tab) opened(prefix string) *tab {
	b.t.Helper()
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		all, err := chromedp.Targets(b.ctx)
		if err != nil {
			b.t.Fatal(err)
		}
		var id target.ID
		for _, i := range all {
			if i.Type == "page" && !i.Attached && strings.HasPrefix(i.URL, prefix) {
				id = i.TargetID
			}
		}
		if id != "" {
			ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
			return newTab(b.t, ctx, cancel)
		}
		if time.Now().After(end) {
			b.fatalf("no tab opened at %s…", prefix)
		}
	}
}
