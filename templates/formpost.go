package templates

import (
	"fmt"
	"io"
)

// FormPostPage carries an authorization response to the app (OAuth 2.0 Form Post Response Mode §2). A script sends
// the form at once; without scripts the user presses the button. Its policy must leave form-action out: Chromium
// would apply it to the app's own onward redirects too.
type FormPostPage struct {
	Page
	Action      string // the redirect URI
	Fields      []Field
	Application App
}

// FormPost writes the form_post page. An Action that is not the address of an app is an error: the response must not
// go elsewhere.
func FormPost(w io.Writer, p FormPostPage) error {
	if safeURL(p.Action) == "" {
		return fmt.Errorf("render page formpost: not an address to post to: %q", p.Action)
	}
	return render(w, p.Page, "formpost", p)
}

// RepostPage sends a request again from our own site. A POST from another site arrives without the session cookie
// (SameSite=Lax); the same POST from here brings it.
type RepostPage struct {
	Page
	Action string // our own URL
	Fields []Field
}

// Repost writes the page that posts again.
func Repost(w io.Writer, p RepostPage) error { return render(w, p.Page, "repost", p) }
