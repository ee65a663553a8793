package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// patience is how long something may take to show on a page of a busy machine.
const patience = 20 * time.Second

// tab is a tab of a browser. Each has a person's point of view: it clicks what is seen and reads what is shown.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// mustChromium starts Chromium with a fresh profile, which ends with the test.
func mustChromium(t *testing.T, more ...chromedp.ExecAllocatorOption) context.Context {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(mustNeed(t, "chromium", "chromium")), chromedp.DisableGPU,
		chromedp.UserDataDir(mustFolder(t)), chromedp.WindowSize(1000, 900))
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), append(options, more...)...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		closeBrowser()
		end()
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("start chromium: %v", err)
	}
	return browser
}

// mustTab opens a tab. Those of one browser share its cookies.
func mustTab(t *testing.T, browser context.Context) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser)
	t.Cleanup(closeTab)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open tab: %v", err)
	}
	return &tab{t, ctx}
}

func (p *tab) mustDo(what string, steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		p.t.Fatalf("%s: %v; the page:\n%s", what, err, p.text())
	}
}

func (p *tab) mustGo(url string) {
	p.t.Helper()
	p.mustDo("go to "+url, chromedp.Navigate(url))
}

func (p *tab) mustClick(id string) {
	p.t.Helper()
	p.mustDo("click "+id, chromedp.Click(chromedp.CSS("#"+id), chromedp.NodeVisible))
}

// mustSignIn goes to an address that leads to the sign-in page, and signs in there.
func (p *tab) mustSignIn(url, login, password string) {
	p.t.Helper()
	p.mustGo(url)
	p.mustWait("document.getElementById('password') !== null")
	p.mustDo("sign in", chromedp.SendKeys(chromedp.CSS("#username"), login), chromedp.SendKeys(chromedp.CSS("#password"), password))
	p.mustClick("sign-in")
}

// mustWait waits until an expression holds on whatever page the tab shows by then.
func (p *tab) mustWait(expression string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		// An error means that the page is on its way to another.
		held, err := chromedp.Run(ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")"))
		if err == nil && held {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s does not come true (%v); the page:\n%s", expression, err, p.text())
		case <-tick.C:
		}
	}
}

// mustWaitFor waits until the element with that id holds a text.
func (p *tab) mustWaitFor(id, text string) {
	p.t.Helper()
	p.mustWait(fmt.Sprintf("(document.getElementById(%q) || {innerText: ''}).innerText.includes(%q)", id, text))
}

// mustWaitAt waits until the tab is at an address that starts so.
func (p *tab) mustWaitAt(prefix string) {
	p.t.Helper()
	p.mustWait(fmt.Sprintf("location.href.startsWith(%q)", prefix))
}

// mustShow evaluates an expression now.
func mustShow[T any](p *tab, expression string) T {
	p.t.Helper()
	value, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		p.t.Fatalf("%s: %v; the page:\n%s", expression, err, p.text())
	}
	return value
}

// text is where the tab is and what it shows, for messages.
func (p *tab) text() string {
	ctx, cancel := context.WithTimeout(p.ctx, 2*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string]("location.href + '\\n' + document.body.innerText"))
	if err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err.Error()
	}
	return text
}
