package templates

import "io"

// MessagePage shows a short message that is no error.
type MessagePage struct {
	Page
	Message MessageName
	LinkURL string // shown with the message's link text; empty: no link
}

// MessageName names the texts of a message.
type MessageName string

// The messages.
const (
	MessageStillSignedIn MessageName = "still_signed_in" // the user chose not to sign out
	MessageSignedOut     MessageName = "signed_out"      // signed out, but the report cannot be read now
	MessageSessionEnded  MessageName = "session_ended"   // an app's server ended a session without a browser
	MessageAppSignedOut  MessageName = "app_signed_out"  // an app's server ended its own client session only
	MessageSecured       MessageName = "secured"         // nobody is signed in to the account any more
	MessageSecuredAsk    MessageName = "secured_ask"     // the same, and an administrator must set a new password
)

// Message writes a plain message.
func Message(w io.Writer, p MessagePage) error {
	l := p.locale()
	name := "message." + string(p.Message)
	texts := struct {
		MessagePage
		Title    Text
		Text     Text
		LinkText Text
	}{
		MessagePage: p,
		Title:       l.text(name + ".title"),
		Text:        l.text(name + ".text"),
	}
	if p.LinkURL != "" {
		texts.LinkText = l.text(name + ".link")
	}
	return render(w, p.Page, "message", texts)
}
