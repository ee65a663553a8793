package suite

import (
	"context"
	_ "embed"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/chromedp/chromedp"
)

// ChromiumBrowser is a real Chromium. It starts with the first window and ends with Close. The zero value is ready.
type ChromiumBrowser struct {
	Path      string // the executable; empty: found by name
	NoSandbox bool   // needed as root
	Suite     string // the suite's origin

	mu   sync.Mutex
	ctx  context.Context // of the running browser; nil before the first window
	stop []context.CancelFunc
}

var _ Browser = (*ChromiumBrowser)(nil)

const (
	// visitTimeout is how long a visit may take from the first request to the suite's last page.
	visitTimeout = 60 * time.Second
	// pagePollInterval is how often a page is looked at.
	pagePollInterval = 100 * time.Millisecond
)

// Open opens a window with a cookie jar of its own.
func (b *ChromiumBrowser) Open(_ context.Context, _ Run, p User, issuer string) (Window, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx == nil {
		if err := b.start(); err != nil {
			return nil, fmt.Errorf("start chromium: %w", err)
		}
	}
	tab, closeTab := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	if err := chromedp.Do(tab); err != nil {
		closeTab()
		return nil, fmt.Errorf("open window: %w", err)
	}
	return &chromiumWindow{tab: tab, close: closeTab, suite: b.Suite, issuer: issuer, user: p}, nil
}

// start runs the browser. It outlives the module that first needs it, so it has a context of its own.
func (b *ChromiumBrowser) start() error {
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.IgnoreCertErrors, chromedp.DisableGPU)
	if b.NoSandbox {
		options = append(options, chromedp.NoSandbox)
	}
	if b.Path != "" {
		options = append(options, chromedp.ExecPath(b.Path))
	}
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeFirst := chromedp.NewContext(allocator)
	b.stop = []context.CancelFunc{closeFirst, end}
	if err := chromedp.Do(ctx); err != nil {
		b.end()
		return err
	}
	b.ctx = ctx
	return nil
}

// Close ends the browser.
func (b *ChromiumBrowser) Close() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end()
	b.ctx = nil
}

func (b *ChromiumBrowser) end() {
	for _, stop := range b.stop {
		stop()
	}
	b.stop = nil
}

type chromiumWindow struct {
	tab    context.Context
	close  context.CancelFunc
	suite  string
	issuer string
	user   User
}

// pageStateScript.js returns a sight of the page.
//
//go:embed look.js
var pageStateScript string

// pageState is what a page shows.
type pageState struct {
	URL      string   `json:"url"`
	Loaded   bool     `json:"loaded"`
	IDs      []string `json:"ids"`      // the ids that it has, of those that matter
	Document float64  `json:"document"` // differs between one document and the next
}

func (s pageState) has(id string) bool {
	return slices.Contains(s.IDs, id)
}

func (w *chromiumWindow) Close() { w.close() }

// Visit goes on until the suite has its answer or, with picture, until the OP shows a page that leads nowhere.
func (w *chromiumWindow) Visit(ctx context.Context, method, url string, picture bool) ([]byte, error) {
	ctx, cancel := w.withTimeout(ctx)
	defer cancel()
	if method == "POST" {
		url = postForm(url)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		return nil, err
	}
	clicked := 0.0        // the document that was last clicked in: a click takes a while to lead on
	var screenshot []byte // the OP's page that was last clicked in
	for {
		page, err := chromedp.Run(ctx, chromedp.Evaluate[pageState](pageStateScript))
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("no end at %s: %w", page.URL, context.Cause(ctx))
		case err != nil || !page.Loaded:
			// The page is on its way to another.
		case w.reachedSuite(page):
			return screenshot, nil
		case picture && w.isFinalPage(page):
			return chromedp.Run(ctx, chromedp.CaptureScreenshot())
		case page.Document != clicked && w.userActionScript(page) != "":
			if screenshot, err = chromedp.Run(ctx, chromedp.CaptureScreenshot()); err != nil {
				return nil, err
			}
			// Later, so that the page is not gone before it has answered.
			script := "setTimeout(function () { " + w.userActionScript(page) + " }, 0); null"
			if _, err := chromedp.Run(ctx, chromedp.Evaluate[*struct{}](script)); err != nil {
				return nil, err
			}
			clicked = page.Document
		}
		select {
		case <-ctx.Done():
		case <-time.After(pagePollInterval):
		}
	}
}

// reachedSuite reports whether the browser is back at the suite, and the suite's page has done its work.
func (w *chromiumWindow) reachedSuite(page pageState) bool {
	path, atSuite := strings.CutPrefix(page.URL, w.suite+"/")
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	switch {
	case !atSuite:
		return false
	case strings.HasSuffix(path, "/callback"):
		return page.has("submission_complete") // its script has sent the fragment
	}
	return !strings.HasSuffix(path, "session_verify") // its frames lead on
}

// isFinalPage reports whether the OP shows a page that leads nowhere.
func (w *chromiumWindow) isFinalPage(page pageState) bool {
	leadsNowhere := page.has("error-description") && !page.has("error-app") || page.has("signed-out")
	return strings.HasPrefix(page.URL, w.issuer+"/") && leadsNowhere
}

// userActionScript is the script that does what a user does on the OP's page; empty if there is nothing to do.
func (w *chromiumWindow) userActionScript(page pageState) string {
	switch {
	case !strings.HasPrefix(page.URL, w.issuer+"/"):
		return ""
	case page.has("password"):
		return fmt.Sprintf("var u = document.getElementById('username'); if (!u.readOnly) { u.value = %q; } "+
			"document.getElementById('password').value = %q; document.getElementById('sign-in').click()",
			w.user.Username, w.user.Password)
	case page.has("allow"):
		return "document.getElementById('allow').click()"
	case page.has("error-app"): // an error response to a client that registered itself
		return "document.getElementById('error-app').click()"
	case page.has("sign-out"):
		return "document.getElementById('sign-out').click()"
	}
	return ""
}

// Draw shows the page without its scripts and takes a picture.
func (w *chromiumWindow) Draw(ctx context.Context, html string) ([]byte, error) {
	ctx, cancel := w.withTimeout(ctx)
	defer cancel()
	frame := `<iframe sandbox style="border:0;width:100%;height:100%" src="data:text/html;charset=utf-8;base64,` +
		base64.StdEncoding.EncodeToString([]byte(html)) + `"></iframe>`
	if err := chromedp.Do(ctx, chromedp.Navigate("data:text/html;base64,"+base64.StdEncoding.EncodeToString([]byte(frame)))); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// withTimeout joins the window's context, which carries the browser, with the caller's end and the visit's limit.
func (w *chromiumWindow) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	joined, cancel := context.WithTimeout(w.tab, visitTimeout)
	stop := context.AfterFunc(ctx, cancel)
	return joined, func() { stop(); cancel() }
}

// postForm is a page that posts a URL's query to the rest of it.
func postForm(target string) string {
	action, query, _ := strings.Cut(target, "?")
	page := fmt.Sprintf(`<form method="post" action=%q></form><script>
		var form = document.forms[0];
		new URLSearchParams(%q).forEach(function (value, name) {
			var field = document.createElement('input');
			field.type = 'hidden'; field.name = name; field.value = value;
			form.appendChild(field);
		});
		form.submit();</script>`, action, query)
	return "data:text/html;base64," + base64.StdEncoding.EncodeToString([]byte(page))
}
