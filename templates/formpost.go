package templates

import (
	"fmt"
	"io"
)

// FormPostPage posts an authorization response to the app (OAuth 2.0 Form Post Response Mode §2). A script sends the
// form at once; without scripts the user presses the button. The page's content security policy must not have
// form-action: Chromium would apply it to redirects by the app too.
type FormPostPage struct {
	Page
	Action      string // the redirect URI
	Fields      []Field
	Application App
}

// App returns the app that the form leads to.
func (p FormPostPage) App() *App { return &p.Application }

// FormPost writes the form_post page. It returns an error if Action is no URL that a form may be posted to.
func FormPost(w io.Writer, p FormPostPage) error {
	if safeAppURL(p.Action, &p.Application) == "" {
		return fmt.Errorf("render page formpost: not an address to post to: %q", p.Action)
	}
	return render(w, p.Page, "formpost", p)
}

// RepostPage posts a request of another site again, from the provider's own site. The browser sends a POST from another
// site without the session cookie (SameSite=Lax), and a POST from the provider's site with it.
type RepostPage struct {
	Page
	Action string // a URL of the provider
	Fields []Field
}

// Repost writes the page that posts again.
func Repost(w io.Writer, p RepostPage) error { return render(w, p.Page, "repost", p) }
