package fault

import (
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
)

// TestModelSeesWhatItIsFor: the model is of use only if it finds each kind of fault in a history, and none in a sound
// one.
func TestModelSeesWhatItIsFor(t *testing.T) {
	at := func(second int) time.Duration { return time.Duration(second) * time.Second }
	for name, c := range map[string]struct {
		operations []operation
		want       string
	}{
		"a sound history": {[]operation{
			{1, signIn, "", at(0), at(1), accepted},
			{1, redeem, "code", at(1), at(2), accepted},
			{1, use, "introspection", at(2), at(3), accepted},
			{1, use, "introspection during the end", at(3), at(6), refused},
			{1, end, "", at(4), at(5), accepted},
			{1, use, "introspection", at(6), at(7), refused},
		}, "lost 0, revived 0, codes redeemed twice 0"},
		"a session that is back after its end": {[]operation{
			{1, signIn, "", at(0), at(1), accepted},
			{1, end, "", at(1), at(2), accepted},
			{1, use, "introspection", at(3), at(4), accepted},
		}, "lost 0, revived 1, codes redeemed twice 0"},
		"an end whose outcome is unknown": {[]operation{
			{1, signIn, "", at(0), at(1), accepted},
			{1, end, "", at(1), at(2), unknown},
			{1, use, "introspection", at(3), at(4), accepted},
			{1, use, "introspection", at(5), at(6), refused},
		}, "lost 0, revived 0, codes redeemed twice 0"},
		"a session that is gone": {[]operation{
			{1, signIn, "", at(0), at(1), accepted},
			{1, use, "introspection", at(3), at(4), refused},
		}, "lost 1, revived 0, codes redeemed twice 0"},
		"a code that is redeemed twice": {[]operation{
			{1, signIn, "", at(0), at(1), accepted},
			{1, redeem, "code", at(1), at(2), accepted},
			{1, redeem, "code", at(1), at(2), accepted},
		}, "lost 0, revived 0, codes redeemed twice 1"},
	} {
		h := newHistory()
		h.operations = c.operations
		if got := h.check().String(); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
		legal := c.want == "lost 0, revived 0, codes redeemed twice 0"
		for session, list := range h.porcupine() {
			if got := porcupine.CheckOperations(sessionModel.ToModel(), list); got != legal {
				t.Errorf("%s: porcupine finds session %d legal: %v, want %v", name, session, got, legal)
			}
		}
	}
}

// TestWideEndsCountForTheSessionsTheyMet: a session that was there before is ended, one of another user is not, and of
// one that was created meanwhile nothing is known.
func TestWideEndsCountForTheSessionsTheyMet(t *testing.T) {
	at := func(second int) time.Duration { return time.Duration(second) * time.Second }
	h := newHistory()
	h.operations = []operation{
		{1, signIn, "", at(0), at(1), accepted},
		{2, signIn, "", at(0), at(1), accepted},
		{3, signIn, "", at(2), at(4), accepted},
		{4, signIn, "", at(6), at(7), accepted},
	}
	wide := wideEnds{[]wideEnd{{"ada", "the end of all", at(3), at(5), accepted}}}
	wide.expand(h, map[int]string{1: "ada", 2: "bob", 3: "ada", 4: "ada"})
	got := map[int]result{}
	for _, o := range h.operations {
		if o.kind == end {
			got[o.session] = o.result
		}
	}
	if len(got) != 2 || got[1] != accepted || got[3] != unknown {
		t.Errorf("got %v, want session 1 ended and session 3 unknown", got)
	}
}
