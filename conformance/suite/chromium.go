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

// ChromiumBrowser is a real Chromium. Open starts it for the first window, and Close ends it. The zero value is ready
// to use.
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
	// pagePollInterval is the time between two looks at a page.
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

// start starts the browser. Later modules use it too, so it has a context of its own.
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

// pageStateScript is look.js, which returns the pageState of a page.
//
//go:embed look.js
var pageStateScript string

// pageState is the state of a page in the browser.
type pageState struct {
	URL      string   `json:"url"`
	Loaded   bool     `json:"loaded"`
	IDs      []string `json:"ids"`      // the ids of its elements, of those that this package looks for
	Document float64  `json:"document"` // identifies the document
}

func (s pageState) has(id string) bool {
	return slices.Contains(s.IDs, id)
}

func (w *chromiumWindow) Close() { w.close() }

// Visit requests a URL and does what a user does on the pages of the OP, until the browser is back at the suite. With
// picture, Visit also ends at a final page of the OP.
func (w *chromiumWindow) Visit(ctx context.Context, method, url string, picture bool) ([]byte, error) {
	ctx, cancel := w.withTimeout(ctx)
	defer cancel()
	if method == "POST" {
		url = postForm(url)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate(url)); err != nil {
		return nil, err
	}
	clicked := 0.0        // the document of the last click; the next document takes a while to load
	var screenshot []byte // of the OP's page before the last click
	for {
		page, err := chromedp.Run(ctx, chromedp.Evaluate[pageState](pageStateScript))
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("no end at %s: %w", page.URL, context.Cause(ctx))
		case err != nil || !page.Loaded:
			// The browser is loading the next page.
		case w.reachedSuite(page):
			return screenshot, nil
		case picture && w.isFinalPage(page):
			return chromedp.Run(ctx, chromedp.CaptureScreenshot())
		case page.Document != clicked && w.userActionScript(page) != "":
			if screenshot, err = chromedp.Run(ctx, chromedp.CaptureScreenshot()); err != nil {
				return nil, err
			}
			// The click comes after the script's answer, which would be lost if the page were left before.
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

// reachedSuite reports whether the browser is back at the suite and the scripts of the suite's page have finished.
func (w *chromiumWindow) reachedSuite(page pageState) bool {
	path, atSuite := strings.CutPrefix(page.URL, w.suite+"/")
	path, _, _ = strings.Cut(path, "?")
	path, _, _ = strings.Cut(path, "#")
	switch {
	case !atSuite:
		return false
	case strings.HasSuffix(path, "/callback"):
		return page.has("submission_complete") // its script has sent the fragment to the suite
	}
	return !strings.HasSuffix(path, "session_verify") // this page goes on to another by itself
}

// isFinalPage reports whether the page is one of the OP from which the browser does not go on: an error page or the
// signed-out page.
func (w *chromiumWindow) isFinalPage(page pageState) bool {
	isErrorWithoutLink := page.has("error-description") && !page.has("error-app")
	isFinal := isErrorWithoutLink || page.has("signed-out")
	return isFinal && strings.HasPrefix(page.URL, w.issuer+"/")
}

// userActionScript returns the script that does what a user does on a page of the OP: sign in, allow or sign out. It
// returns "" for all other pages.
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

// Draw renders a page without its scripts and returns a screenshot.
func (w *chromiumWindow) Draw(ctx context.Context, html string) ([]byte, error) {
	ctx, cancel := w.withTimeout(ctx)
	defer cancel()
	frame := `<iframe sandbox style="border:0;width:100%;height:100%" src="data:text/html;charset=utf-8;base64,` +
		base64.StdEncoding.EncodeToString([]byte(html)) + `"></iframe>`
	frameURL := "data:text/html;base64," + base64.StdEncoding.EncodeToString([]byte(frame))
	if err := chromedp.Do(ctx, chromedp.Navigate(frameURL)); err != nil {
		return nil, err
	}
	return chromedp.Run(ctx, chromedp.CaptureScreenshot())
}

// withTimeout returns a context of the window, as chromedp needs it, that ends with ctx or after visitTimeout.
func (w *chromiumWindow) withTimeout(ctx context.Context) (context.Context, context.CancelFunc) {
	joined, cancel := context.WithTimeout(w.tab, visitTimeout)
	stop := context.AfterFunc(ctx, cancel)
	return joined, func() { stop(); cancel() }
}

// postForm returns a data URL of a page that posts the query of a URL, as a form, to the URL without the query.
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
