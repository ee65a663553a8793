package templates

import "io"

// MeaningPage explains the words of the signed-out page and the report ("What this means").
type MeaningPage struct {
	Page
	BackURL string // empty: no link
}

// Meaning writes the page that explains the words.
func Meaning(w io.Writer, p MeaningPage) error { return render(w, "meaning", p) }

// Term is a word with its icon and its meaning.
type Term struct {
	Icon    Icon
	Word    string
	Meaning string
}

// Terms are the words that Describe uses, from certain to unknown.
func (p MeaningPage) Terms() []Term {
	return []Term{
		{IconDone, "Ended", "It is over. Either it asks here each time and is refused from now on, or its own session has run out."},
		{IconDone, "Confirmed", "The application was told directly and answered that it has signed you out. It says so; we cannot look inside it."},
		{IconExpiring, "Ends by 10:18", "The application has not confirmed, but has promised to let nobody in after that time without asking here again."},
		{IconNotified, "Told, no answer to be had", "The application was told in a way that gives no proof: your browser called its sign-out address, or it took the message without saying that it is done."},
		{IconRetrying, "Still trying", "The application does not answer. It is asked again for up to a day, whether this page is open or not."},
		{IconRefused, "Refused", "The application answered that it will not. Sign out there yourself."},
		{IconUnknown, "Unknown", "The application cannot be told, or was given up. Sign out there yourself, or close it."},
	}
}
