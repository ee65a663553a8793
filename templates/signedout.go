package templates

import (
	"html/template"
	"io"
	"time"
)

// SignedOutPage shows what became of a sign-out. It is also the page for a browser without a session (Ended zero).
type SignedOutPage struct {
	Page
	Ended       time.Time   // zero: no session was there, so nothing ended
	Scope       LogoutScope // what ended: ScopeClient, ScopeSession or ScopeAll
	Application *App        // the one that asked, or the one signed out of with ScopeClient
	Entries     []Entry     // every app that was part of it
	Offline     []string    // apps that keep background access
	OfflineURL  string      // where it is removed
	Frames      []Frame     // front-channel logout; only when the page is shown for the first time

	StatusURL     string        // this page; without scripts the browser loads it again. Empty: no refresh
	StatusJSONURL string        // answers Status as JSON; empty: the page stays as it is
	EvictURL      string        // a style sheet served with Clear-Site-Data: "cache", which empties the back-forward cache
	ContinueURL   string        // where the user came from and goes back to; empty: stays here
	Manual        bool          // ContinueURL is only offered, never followed by itself
	RedirectDelay time.Duration // go on after this, even if some have not answered; 0: DefaultRedirectDelay
	SignInURL     string        // "Sign in again"
	MeaningURL    string        // "What do these words mean?"
}

// Frame is one front-channel logout request (Front-Channel Logout 1.0 §2).
type Frame struct {
	Application string
	URL         string
}

// FrameTimeout is how long the page waits for its frames.
const FrameTimeout = 5 * time.Second

// DefaultRedirectDelay is how long the signed-out page waits for answers before it goes on by itself.
const DefaultRedirectDelay = 6 * time.Second

// SignedOut writes the signed-out page.
func SignedOut(w io.Writer, p SignedOutPage) error { return render(w, p.Page, "signedout", p) }

// Status is what the page shows now, and what its script asks for again and again.
func (p SignedOutPage) Status() Status {
	s := NewStatus(p.Lang, p.Entries, p.Ended, p.Now)
	s.Heading = p.heading()
	return s
}

// heading says the outcome: of how many apps the user is signed out.
func (p SignedOutPage) heading() Text {
	l := p.locale()
	o := l.countOutcome(p.Entries, p.Ended, p.Now)
	switch {
	case p.Ended.IsZero():
		return l.text("signedout.done")
	case p.Scope == ScopeClient && p.Application == nil:
		return l.text("signedout.the_app")
	case p.Scope == ScopeClient && len(o.attention) > 0:
		return l.text("signedout.app_maybe", "App", p.Application.Name)
	case p.Scope == ScopeClient && o.done < o.all:
		return l.text("signedout.app_waiting", "App", p.Application.Name)
	case p.Scope == ScopeClient:
		return l.text("signedout.app", "App", p.Application.Name)
	case len(o.attention) > 0 && o.done > 0:
		return l.text("signedout.some", "Count", o.all, "Done", o.done)
	case len(o.attention) > 0:
		return l.text("signedout.here")
	case p.Scope == ScopeAll && o.done == o.all:
		return l.text("signedout.everywhere")
	}
	return l.text("signedout.done")
}

// redirectDelay is RedirectDelay or its default; frames get their time in any case.
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

// RedirectSeconds is the wait as the page shows it.
func (p SignedOutPage) RedirectSeconds() int { return int(p.redirectDelay() / time.Second) }

// Refresh is where a browser without scripts goes next, and when.
type Refresh struct {
	Seconds int
	URL     template.URL // empty: nowhere
}

// Refresh leads from the frames to the page without them, from there to itself while an app is being asked and there
// is time, and at last back to where the user came from.
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
	case continueURL != "" && (s.Settled || remaining <= 0):
		return Refresh{2, continueURL}
	case !s.Done && status != "":
		return Refresh{3, status}
	case continueURL != "":
		return Refresh{max(2, int(remaining.Seconds())), continueURL}
	}
	return Refresh{}
}

// JustEnded reports whether a session has just ended in this browser, so that its other tabs must be notified.
func (p SignedOutPage) JustEnded() bool {
	return !p.Ended.IsZero() && p.Scope != ScopeClient && p.Now.Sub(p.Ended) < 10*time.Second
}
