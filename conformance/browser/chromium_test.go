package browser

import (
	"context"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/chromedp"

	"github.com/curfew-id/curfew/conformance/need"
)

// patience is how long a page may take on a busy machine.
const patience = 30 * time.Second

// tab is a tab of Chromium.
type tab struct {
	t   *testing.T
	ctx context.Context
}

// mustChromium starts Chromium with a fresh profile; it ends with the test.
func mustChromium(t *testing.T) context.Context {
	t.Helper()
	options := append(
		chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(need.Program(t, "chromium")),
		chromedp.DisableGPU,
		chromedp.UserDataDir(mustFolder(t)),
		chromedp.WindowSize(1000, 900),
	)
	if os.Getuid() == 0 {
		options = append(options, chromedp.NoSandbox)
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
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

// mustTab opens a tab. All tabs of a browser share their cookies, except those with a browser context of their own.
func mustTab(t *testing.T, browser context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	ctx, closeTab := chromedp.NewContext(browser, options...)
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

// mustCall gives the browser a command of its protocol.
func mustCall[P, R any](p *tab, command cdp.Command[P, R], params P) R {
	p.t.Helper()
	answer, err := chromedp.Call(p.ctx, command, params)
	if err != nil {
		p.t.Fatal(err)
	}
	return answer
}

func (p *tab) mustGo(url string) {
	p.t.Helper()
	p.mustDo("go to "+url, chromedp.Navigate(url))
}

// mustClick clicks an element. If the page changes between finding and clicking it, mustClick finds it again.
func (p *tab) mustClick(selector string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	err := chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
	for err != nil && strings.Contains(err.Error(), "Could not find node") {
		err = chromedp.Do(ctx, chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
	}
	if err != nil {
		p.t.Fatalf("click %s: %v; the page:\n%s", selector, err, p.text())
	}
}

// mustSignIn signs in at an address that leads to the sign-in page.
func (p *tab) mustSignIn(url, login, password string) {
	p.t.Helper()
	p.mustGo(url)
	p.mustDo(
		"sign in",
		chromedp.SendKeys(chromedp.CSS("#username"), login),
		chromedp.SendKeys(chromedp.CSS("#password"), password),
	)
	p.mustClick("#sign-in")
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
		holds, err := chromedp.Run(
			ctx,
			chromedp.Evaluate[bool]("document.readyState === 'complete' && Boolean("+expression+")"),
		)
		if err == nil && holds {
			return
		}
		select {
		case <-ctx.Done():
			p.t.Fatalf("%s does not come true (%v); the page:\n%s", expression, err, p.text())
		case <-tick.C:
		}
	}
}

// mustWaitAt waits until the tab is at an address that starts so.
func (p *tab) mustWaitAt(prefix string) {
	p.t.Helper()
	p.mustWait(fmt.Sprintf("location.href.startsWith(%q)", prefix))
}

// mustWaitText waits until what a selector finds shows a text.
func (p *tab) mustWaitText(selector, text string) {
	p.t.Helper()
	p.mustWait(
		fmt.Sprintf(
			"Array.from(document.querySelectorAll(%q)).some(function (e) { return e.innerText.includes(%q); })",
			selector,
			text,
		),
	)
}

// mustShow evaluates an expression now.
func mustShow[T any](p *tab, expression string) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, patience)
	defer cancel()
	value, err := chromedp.Run(ctx, chromedp.Evaluate[T](expression))
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
	if err != nil {
		return err.Error()
	}
	return text
}
