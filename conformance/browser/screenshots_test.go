package browser

import (
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// looks are the ways in which every page is looked at.
var looks = []struct {
	name     string
	width    int64
	scheme   string
	language string
}{
	{"light", 1000, "light", ""},
	{"dark", 1000, "dark", ""},
	{"narrow", 320, "light", ""},          // WCAG 2.2 §1.4.10 asks for 320 CSS pixels
	{"narrow-german", 320, "light", "de"}, // long words
	{"arabic", 1000, "light", "ar"},       // from right to left
	{"narrow-arabic", 320, "dark", "ar"},
}

// TestScreenshotsOfEveryPage takes a picture of every page with canned data, and checks what a picture does not show.
func TestScreenshotsOfEveryPage(t *testing.T) {
	page := mustTab(t, mustChromium(t))
	d := mustDemo(t)
	complaints := mustHearComplaints(page)
	page.mustGo(d.pages)
	names := mustShow[[]string](
		page,
		"Array.from(document.querySelectorAll('li a')).map(function (a) { return a.textContent; })",
	)
	if len(names) < 20 {
		t.Fatalf("the demo shows only %q", names)
	}
	for _, name := range names {
		for _, look := range looks {
			at := d.pages + name + "?lang=" + look.language
			page.mustGo(at)
			mustCall(
				page,
				emulation.SetEmulatedMedia,
				emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{
					{Name: "prefers-color-scheme", Value: look.scheme},
					{Name: "prefers-reduced-motion", Value: "reduce"}, // no picture of a colour on its way to another
				}},
			)
			page.mustDo("resize", chromedp.EmulateViewport(look.width, 900))
			if width := mustShow[int64](page, "document.documentElement.scrollWidth"); width > look.width {
				t.Errorf("%s, %s: %d px wide, so that it scrolls sideways", name, look.name, width)
			}
			// Chromium misplaces a page from right to left that it captures beyond the viewport.
			height := mustShow[int64](page, "document.documentElement.scrollHeight")
			page.mustDo("resize", chromedp.EmulateViewport(look.width, height))
			picture, err := chromedp.Run(page.ctx, chromedp.CaptureScreenshot())
			if err != nil {
				t.Fatal(err)
			}
			mustKeep(t, "screenshots", name+"-"+look.name+".png", picture)
			if now := mustShow[string](page, "location.href"); now != at {
				t.Errorf("%s leads to %s", at, now)
			}
		}
		if n := mustShow[int](page, "document.querySelectorAll('h1').length"); n != 1 {
			t.Errorf("%s has %d elements h1, want 1", name, n)
		}
	}
	page.mustGo(d.pages)
	for _, complaint := range complaints() {
		t.Error(complaint)
	}
}

// mustHearComplaints collects what the browser has to say against the tab's pages: errors and violated policies.
func mustHearComplaints(p *tab) (soFar func() []string) {
	p.t.Helper()
	mustCall(p, log.Enable, cdp.Empty{})
	mustCall(p, runtime.Enable, cdp.Empty{})
	var mu sync.Mutex
	var complaints []string
	err := chromedp.Listen(p.ctx, func(event any) {
		mu.Lock()
		defer mu.Unlock()
		switch e := event.(type) {
		case *log.EventEntryAdded:
			complaints = append(complaints, string(e.Entry.Level)+" at "+e.Entry.URL+": "+e.Entry.Text)
		case *runtime.EventConsoleAPICalled:
			complaints = append(complaints, string(e.Type)+" on the console")
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, "exception: "+e.ExceptionDetails.Text)
		}
	})
	if err != nil {
		p.t.Fatal(err)
	}
	return func() []string {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(complaints)
	}
}
