package templates

import (
	"html/template"
	"io"
	"time"
)

// SignedOutPage shows the outcome of a sign-out. With a zero Ended it is the page for a browser without a session.
type SignedOutPage struct {
	Page
	Ended       time.Time   // zero: the browser had no session
	Scope       LogoutScope // what ended: ScopeClient, ScopeSession or ScopeAll
	Application *App        // the app that asked for the sign-out or, with ScopeClient, the app whose session ended
	Entries     []Entry     // the apps of the ended sessions
	Offline     []string    // apps that keep background access
	OfflineURL  string      // the page on which the user can remove it
	Frames      []Frame     // front-channel logout requests; only when the page is shown for the first time

	StatusURL     string        // this page, which a browser without scripts loads again; empty: no refresh
	StatusJSONURL string        // answers Status as JSON; empty: the page is not updated
	EvictURL      string        // a style sheet with Clear-Site-Data: "cache", to empty the back-forward cache
	ContinueURL   string        // the page that the browser goes to next; empty: it stays here
	Manual        bool          // ContinueURL is a link only; the page does not redirect
	RedirectDelay time.Duration // redirect after this at the latest; 0: at once, or when the frames have loaded
	Upstream      string        // the other provider whose session may be ended too; empty: none
	UpstreamURL   string        // a GET that leads there
	SignInURL     string        // "Sign in again"
	MeaningURL    string        // "What do these words mean?"

	status *Status // set while the page is written, because several parts of it show it
}

// Frame is one front-channel logout request (Front-Channel Logout 1.0 §2).
type Frame struct {
	Application string
	URL         string
}

// FrameTimeout is how long the page waits for its frames.
const FrameTimeout = 5 * time.Second

// SignedOut writes the signed-out page.
func SignedOut(w io.Writer, p SignedOutPage) error {
	status := p.Status()
	p.status = &status
	return render(w, p.Page, "signedout", p)
}

// Status returns the current status. The page shows it, and its script polls it as JSON.
func (p SignedOutPage) Status() Status {
	if p.status != nil {
		return *p.status
	}
	s := NewStatus(p.Lang, p.Entries, p.Ended, p.Now)
	s.Heading = p.heading(s.outcome)
	return s
}

// heading says from how many apps the user is signed out.
func (p SignedOutPage) heading(outcome outcome) Text {
	l := p.locale()
	needsAttention := len(outcome.attention) > 0
	allDone := outcome.done == outcome.all
	switch {
	case p.Ended.IsZero():
		return l.text("signedout.done")
	case p.Scope == ScopeClient && p.Application == nil:
		return l.text("signedout.the_app")
	case p.Scope == ScopeClient && needsAttention:
		return l.text("signedout.app_maybe", "App", p.Application.Name)
	case p.Scope == ScopeClient && !allDone:
		return l.text("signedout.app_waiting", "App", p.Application.Name)
	case p.Scope == ScopeClient:
		return l.text("signedout.app", "App", p.Application.Name)
	case needsAttention && outcome.done > 0:
		return l.text("signedout.some", "Count", outcome.all, "Done", outcome.done)
	case needsAttention:
		return l.text("signedout.here")
	case p.Scope == ScopeAll && allDone:
		return l.text("signedout.everywhere")
	}
	return l.text("signedout.done")
}

// redirectDelay returns RedirectDelay, but at least FrameTimeout if the page has frames.
func (p SignedOutPage) redirectDelay() time.Duration {
	wait := p.RedirectDelay
	if len(p.Frames) > 0 {
		wait = max(wait, FrameTimeout)
	}
	return wait
}

// RedirectDelayMillis returns the delay for the script.
func (p SignedOutPage) RedirectDelayMillis() int64 { return p.redirectDelay().Milliseconds() }

// RedirectSeconds returns the delay that the page shows.
func (p SignedOutPage) RedirectSeconds() int { return int(p.redirectDelay() / time.Second) }

// Refresh is the meta refresh of a page, for browsers without scripts.
type Refresh struct {
	Seconds int
	URL     template.URL // empty: no refresh
}

// The seconds of a refresh.
const (
	minReadSeconds = 2 // the user should see the page before the browser leaves it
	pollSeconds    = 3
)

// Refresh returns the meta refresh: from the page with frames to the page without frames, from there to the same page
// while apps are being notified, and at last to ContinueURL.
func (p SignedOutPage) Refresh() Refresh {
	statusURL := safeURL(p.StatusURL)
	continueURL := safeAppURL(p.ContinueURL, p.Application)
	if p.Manual {
		continueURL = ""
	}
	status := p.Status()
	remaining := p.redirectDelay() - p.Now.Sub(p.Ended)
	mayContinue := status.Settled || remaining <= 0
	switch {
	case p.Ended.IsZero():
		return Refresh{int(p.redirectDelay().Seconds()), continueURL}
	case len(p.Frames) > 0 && statusURL != "":
		return Refresh{int(FrameTimeout.Seconds()), statusURL}
	case continueURL != "" && mayContinue:
		return Refresh{minReadSeconds, continueURL}
	case !status.Done && statusURL != "":
		return Refresh{pollSeconds, statusURL}
	case continueURL != "":
		return Refresh{max(minReadSeconds, int(remaining.Seconds())), continueURL}
	}
	return Refresh{}
}

// justEndedPeriod is how long after the end of a session the page notifies other tabs.
const justEndedPeriod = 10 * time.Second

// JustEnded reports whether a session has just ended in this browser. The page then notifies the other tabs.
func (p SignedOutPage) JustEnded() bool {
	sessionEnded := !p.Ended.IsZero() && p.Scope != ScopeClient
	return sessionEnded && p.Now.Sub(p.Ended) < justEndedPeriod
}
