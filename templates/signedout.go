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
	Ended       time.Time    // t0; zero: nobody was signed in, so nothing ended
	Extent      Extent       // what ended: application, browser or everywhere
	Application *Application // the one that asked, or the one signed out of with ExtentApplication
	Holders     []Holder     // every application that was part of it
	Offline     []string     // applications that keep offline access
	OfflineURL  string       // where it is ended
	Frames      []Frame      // front-channel logout; only in the first answer

	StatusURL     string        // the frameless page; without scripts the browser is led there. Empty: no refresh
	StatusJSONURL string        // answers Status as JSON; empty: the page stays as it is
	EvictURL      string        // a style sheet served with Clear-Site-Data: "cache", which empties the back-forward cache
	ContinueURL   string        // where the person came from and goes back to; empty: stays here
	Manual        bool          // ContinueURL is only offered, never followed by itself
	Wait          time.Duration // go on after this, even if some have not answered; 0: DefaultWait
	SignInURL     string        // "Sign in again"
	MeansURL      string        // "What this means"
}

// Frame is one front-channel logout request (Front-Channel Logout 1.0 §2).
type Frame struct {
	Application string
	URL         string
}

// FrameLimit is how long the first answer waits for its frames.
const FrameLimit = 5 * time.Second

// DefaultWait is how long the signed-out page shows what became of the sign-out before it goes on by itself.
const DefaultWait = 6 * time.Second

// SignedOut writes the signed-out page.
func SignedOut(w io.Writer, p SignedOutPage) error { return render(w, "signedout", p) }

// Status is what the page shows now, and what its script asks for again and again.
func (p SignedOutPage) Status() Status { return NewStatus(p.Holders, p.Ended, p.Now) }

// wait is Wait or its default; frames get their time in any case.
func (p SignedOutPage) wait() time.Duration {
	wait := p.Wait
	if wait == 0 {
		wait = DefaultWait
	}
	if len(p.Frames) > 0 {
		wait = max(wait, FrameLimit)
	}
	return wait
}

// WaitMillis is the wait for the script.
func (p SignedOutPage) WaitMillis() int64 { return p.wait().Milliseconds() }

// Refresh is where a browser without scripts goes next, and when.
type Refresh struct {
	Seconds int
	URL     template.URL // empty: nowhere
}

// Refresh leads from the frames to the frameless page, from there to itself as long as something is under way and there is time,
// and at last back to where the person came from.
func (p SignedOutPage) Refresh() Refresh {
	status, next := link(p.StatusURL), link(p.ContinueURL)
	if p.Manual {
		next = ""
	}
	left := p.wait() - p.Now.Sub(p.Ended)
	switch s := p.Status(); {
	case p.Ended.IsZero():
		return Refresh{int(p.wait().Seconds()), next}
	case len(p.Frames) > 0 && status != "":
		return Refresh{int(FrameLimit.Seconds()), status}
	case next != "" && (s.Confirmed || left <= 0):
		return Refresh{2, next}
	case !s.Done && status != "":
		return Refresh{3, status}
	case next != "":
		return Refresh{max(2, int(left.Seconds())), next}
	}
	return Refresh{}
}

// Fresh tells whether a session has just ended in this browser, so that its other tabs must hear of it.
func (p SignedOutPage) Fresh() bool {
	return !p.Ended.IsZero() && p.Extent != ExtentApplication && p.Now.Sub(p.Ended) < 10*time.Second
}
