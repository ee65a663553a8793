package templates

import "io"

// MessagePage says one thing that is neither an error nor one of the other pages.
type MessagePage struct {
	Page
	Title    string
	Text     string
	LinkURL  string // shown with LinkText
	LinkText string
}

// Message writes a plain message.
func Message(w io.Writer, p MessagePage) error { return render(w, "message", p) }
