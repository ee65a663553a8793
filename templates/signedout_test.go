package templates

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

func TestSignedOutPageGoesOnWithoutScripts(t *testing.T) {
	confirmed := []Entry{{Trust: TrustConfirmed, Delivery: DeliveryDone}}
	pending := []Entry{{Trust: TrustUnknown, Delivery: DeliveryPending}}
	renotified := []Entry{{Trust: TrustNotified, Delivery: DeliveryDone, Renotification: "pending"}}
	mute := []Entry{{Trust: TrustUnknown, Delivery: DeliveryNone}}
	const back = "https://atlas.example/?state=1&x=%20"
	for _, tt := range []struct {
		name    string
		page    SignedOutPage
		elapsed time.Duration
		want    Refresh
	}{
		{
			"frames get their time, then the frameless page",
			SignedOutPage{Frames: []Frame{{}}, Entries: pending, ContinueURL: back},
			0,
			Refresh{5, "/status"},
		},
		{
			"frames although all have confirmed",
			SignedOutPage{Frames: []Frame{{}}, Entries: confirmed, ContinueURL: back},
			0,
			Refresh{5, "/status"},
		},
		{
			"something is under way",
			SignedOutPage{Entries: pending, ContinueURL: back},
			time.Second,
			Refresh{3, "/status"},
		},
		{
			"under way for longer than the wait",
			SignedOutPage{Entries: pending, ContinueURL: back},
			7 * time.Second,
			Refresh{2, back},
		},
		{"under way, with nowhere to go", SignedOutPage{Entries: pending}, time.Minute, Refresh{3, "/status"}},
		{"all have confirmed", SignedOutPage{Entries: confirmed, ContinueURL: back}, time.Second, Refresh{2, back}},
		{
			"an app that cannot be asked is not waited for",
			SignedOutPage{Entries: mute, ContinueURL: back},
			time.Second,
			Refresh{2, back},
		},
		{
			"a re-notification is not waited for",
			SignedOutPage{Entries: renotified, ContinueURL: back},
			time.Second,
			Refresh{2, back},
		},
		{"settled, with nowhere to go", SignedOutPage{Entries: mute}, time.Second, Refresh{}},
		{
			"back to no script",
			SignedOutPage{Entries: confirmed, ContinueURL: "javascript:alert(1)"},
			time.Second,
			Refresh{},
		},
	} {
		tt.page.RedirectDelay = 6 * time.Second
		tt.page.Ended = sampleNow
		tt.page.Now = sampleNow.Add(tt.elapsed)
		tt.page.StatusURL = "/status"
		if got := tt.page.Refresh(); got != tt.want {
			t.Errorf("%s: got %v, want %v", tt.name, got, tt.want)
		}
	}
	if got := (SignedOutPage{RedirectDelay: 6 * time.Second, ContinueURL: back}).Refresh(); got != (Refresh{6, back}) {
		t.Errorf("nobody was signed in: got %v, want the way back", got)
	}
}

// TestNoWaitMeansNoWait: with logout.wait 0 the page goes back at once, whatever is under way. Frames get their time.
func TestNoWaitMeansNoWait(t *testing.T) {
	page := SignedOutPage{ContinueURL: "https://atlas.example/", Ended: sampleNow, Page: Page{Now: sampleNow}}
	if got := page.RedirectDelayMillis(); got != 0 {
		t.Errorf("got a wait of %d ms, want none", got)
	}
	page.Frames = []Frame{{URL: "https://birch.example/front"}}
	if got := page.RedirectDelayMillis(); got != FrameTimeout.Milliseconds() {
		t.Errorf("got a wait of %d ms with frames, want %v", got, FrameTimeout)
	}
}

func TestTheWayBackIsKeptAsRegistered(t *testing.T) {
	var b bytes.Buffer
	if err := SignedOut(&b, SignedOutPage{ContinueURL: "com.example.app:/out?a=%20&b=x%2F&state=1"}); err != nil {
		t.Fatal(err)
	}
	for _, e := range mustParse(t, b.Bytes()) {
		for _, a := range []string{"href", "data-continue-url", "content"} {
			got, ok := strings.CutPrefix(e.attr[a], "6; url=")
			if (ok || e.attr["id"] == "continue" && a == "href" || a == "data-continue-url" && e.has(a)) &&
				got != "com.example.app:/out?a=%20&b=x%2F&state=1" {
				t.Errorf("got %s %q, want the registered address", a, got)
			}
		}
	}
}

func TestOtherTabsAreNotifiedOnlyOfARecentSignOutInThisBrowser(t *testing.T) {
	for _, tt := range []struct {
		page SignedOutPage
		want bool
	}{
		{SignedOutPage{Page: Page{Now: sampleNow}, Ended: sampleNow, Scope: ScopeSession}, true},
		{SignedOutPage{Page: Page{Now: sampleNow}, Ended: sampleNow, Scope: ScopeClient}, false},
		{SignedOutPage{Page: Page{Now: sampleNow.Add(time.Minute)}, Ended: sampleNow, Scope: ScopeSession}, false},
		{SignedOutPage{Page: Page{Now: sampleNow}}, false},
	} {
		if got := tt.page.JustEnded(); got != tt.want {
			t.Errorf("%+v: got %v, want %v", tt.page, got, tt.want)
		}
	}
}
