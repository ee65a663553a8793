package templates

import (
	"html/template"
	"io"
	"time"
)

// SignedOutPage shows what became of a sign-out. It is the first answer after an ending (with Frames), the frameless status page
// (without), and the page for a browser in which nobody was signed in (Ended zero).
type SignedOutPage struct {
	Page
	Ended       time.Time   // t0; zero: nobody was signed in, so nothing ended
	Scope       LogoutScope // what ended: application, browser or everywhere
	Application *App        // the one that asked, or the one signed out of with ExtentApplication
	Entries     []Entry     // every application that was part of it
	Offline     []string    // applications that keep offline access
	OfflineURL  string      // where it is ended
	Frames      []Frame     // front-channel logout; only in the first answer

	StatusURL     string        // the frameless page; without scripts the browser is led there. Empty: no refresh
	StatusJSONURL string        // answers Status as JSON; empty: the page stays as it is
	EvictURL      string        // a style sheet served with Clear-Site-Data: "cache", which empties the back-forward cache
	ContinueURL   string        // where the person came from and goes back to; empty: stays here
	Manual        bool          // ContinueURL is only offered, never followed by itself
	RedirectDelay time.Duration // go on after this, even if some have not answered; 0: DefaultWait
	SignInURL     string        // "Sign in again"
	MeaningURL    string        // "What this means"
}

// Frame is one front-channel logout request (Front-Channel Logout 1.0 §2).
type Frame struct {
	Application string
	URL         string
}

// FrameTimeout is how long the first answer waits for its frames.
const FrameTimeout = 5 * time.Second

// DefaultRedirectDelay is how long the signed-out page shows what became of the sign-out before it goes on by itself.
const DefaultRedirectDelay = 6 * time.Second

// SignedOut writes the signed-out page.
func SignedOut(w io.Writer, p SignedOutPage) error { return render(w, "signedout", p) }

// Status is what the page shows now, and what its script asks for again and again.
func (p SignedOutPage) Status() Status { return NewStatus(p.Entries, p.Ended, p.Now) }

// redirectDelay is Wait or its default; frames get their time in any case.
func (p SignedOutPage) redirectDelay() time.Duration {
	wait := p.RedirectDelay
	if wait == 0 {
		wait = DefaultRedirectDelay
	}
	if len(p.Frames) > 0 {
		wait = max(wait, FrameTimeout)
	}
	return wait
}

// RedirectDelayMillis is the wait for the script.
func (p SignedOutPage) RedirectDelayMillis() int64 { return p.redirectDelay().Milliseconds() }

// Refresh is where a browser without scripts goes next, and when.
type Refresh struct {
	Seconds int
	URL     template.URL // empty: nowhere
}

// Refresh leads from the frames to the frameless page, from there to itself as long as something is under way and there is time,
// and at last back to where the person came from.
func (p SignedOutPage) Refresh() Refresh {
	status, continueURL := safeURL(p.StatusURL), safeURL(p.ContinueURL)
	if p.Manual {
		continueURL = ""
	}
	remaining := p.redirectDelay() - p.Now.Sub(p.Ended)
	switch s := p.Status(); {
	case p.Ended.IsZero():
		return Refresh{int(p.redirectDelay().Seconds()), continueURL}
	case len(p.Frames) > 0 && status != "":
		return Refresh{int(FrameTimeout.Seconds()), status}
	case continueURL != "" && (s.Confirmed || remaining <= 0):
		return Refresh{2, continueURL}
	case !s.Done && status != "":
		return Refresh{3, status}
	case continueURL != "":
		return Refresh{max(2, int(remaining.Seconds())), continueURL}
	}
	return Refresh{}
}

// JustEnded tells whether a session has just ended in this browser, so that its other tabs must hear of it.
func (p SignedOutPage) JustEnded() bool {
	return !p.Ended.IsZero() && p.Scope != ScopeClient && p.Now.Sub(p.Ended) < 10*time.Second
}
