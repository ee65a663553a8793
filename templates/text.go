package templates

import (
	"encoding/json"
	"strings"
	"time"
)

// Text is a sentence in parts, so that the instants in it can be shown in the reader's zone. As JSON it is a list of
// {"text":…} and {"time":…,"show":…}.
type Text []Part

// Part is either words or an instant.
type Part struct {
	Words string
	Time  time.Time
	Show  Show
}

// Show says how much of an instant is shown.
type Show string

// How instants are shown. The page's script leaves the date out where it is today's.
const (
	ShowClock   Show = "clock"   // 10:18
	ShowSeconds Show = "seconds" // 10:02:14
	ShowDate    Show = "date"    // 28 Nov 2026
	ShowFull    Show = "full"    // 28 Nov 2026, 10:18
)

// MarshalJSON writes words as text and instants in RFC 3339.
func (p Part) MarshalJSON() ([]byte, error) {
	if p.Time.IsZero() {
		return json.Marshal(struct {
			Text string `json:"text"`
		}{p.Words})
	}
	return json.Marshal(struct {
		Time string `json:"time"`
		Show Show   `json:"show"`
	}{p.Stamp(), p.Show})
}

// Stamp is the instant in RFC 3339, for the datetime attribute.
func (p Part) Stamp() string { return p.Time.UTC().Format(time.RFC3339) }

// UTC is the instant as it reads without a script.
func (p Part) UTC() string {
	switch p.Show {
	case ShowClock:
		return p.Time.UTC().Format("15:04 UTC")
	case ShowSeconds:
		return p.Time.UTC().Format("15:04:05 UTC")
	case ShowDate:
		return p.Time.UTC().Format("2 Jan 2006")
	}
	return p.Time.UTC().Format("2 Jan 2006, 15:04 UTC")
}

// String is the whole sentence, with instants in UTC.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		if p.Time.IsZero() {
			b.WriteString(p.Words)
		} else {
			b.WriteString(p.UTC())
		}
	}
	return b.String()
}

// joinText puts strings, instants (as parts) and other texts together.
func joinText(parts ...any) Text {
	var t Text
	for _, p := range parts {
		switch p := p.(type) {
		case string:
			t = t.appendPart(Part{Words: p})
		case Part:
			t = t.appendPart(p)
		case Text:
			for _, q := range p {
				t = t.appendPart(q)
			}
		}
	}
	return t
}

// appendPart appends a part; words after words become one part.
func (t Text) appendPart(p Part) Text {
	if n := len(t); n > 0 && p.Time.IsZero() && t[n-1].Time.IsZero() {
		t[n-1].Words += p.Words
		return t
	}
	if p.Time.IsZero() && p.Words == "" {
		return t
	}
	return append(t, p)
}

// deadline is an instant by which something is over. It is rounded up: what is shown is never earlier than what is true.
func deadline(at, from time.Time) Part {
	at = at.Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
	return Part{Time: at, Show: showFor(at, from)}
}

// exactTime is an instant at which something happened or will.
func exactTime(at, from time.Time) Part {
	show := showFor(at, from)
	if show == ShowClock {
		show = ShowSeconds
	}
	return Part{Time: at, Show: show}
}

// showFor leaves the date out where both instants are on one day in UTC; the script does the same in the reader's zone.
func showFor(at, from time.Time) Show {
	if at.UTC().Truncate(24 * time.Hour).Equal(from.UTC().Truncate(24 * time.Hour)) {
		return ShowClock
	}
	return ShowFull
}
