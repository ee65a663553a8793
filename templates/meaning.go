package templates

import "io"

// MeaningPage explains the words of the signed-out page and the report.
type MeaningPage struct {
	Page
	BackURL string // empty: no link
}

// Meaning writes the page that explains the words.
func Meaning(w io.Writer, p MeaningPage) error { return render(w, p.Page, "meaning", p) }

// Term is a word with its icon and its meaning. Word and Meaning are names of texts.
type Term struct {
	Icon    Icon
	Word    string
	Meaning string
}

// Terms returns the words of State, from certain to unknown.
func (p MeaningPage) Terms() []Term {
	return []Term{
		{IconDone, "state.done", "meaning.done"},
		{IconExpiring, "meaning.expiring_word", "meaning.expiring"},
		{IconRetrying, "state.waiting", "meaning.waiting"},
		{IconNotified, "state.notified", "meaning.notified"},
		{IconRefused, "state.refused", "meaning.refused"},
		{IconUnknown, "state.unknown", "meaning.unknown"},
	}
}
