package templates

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// Text is a text of the catalog with its values filled in. It stays in parts so that a page can emphasise a name and
// show a time in the reader's own zone. As JSON it is a list of {"text":…} and {"time":…,"show":…}.
type Text []Part

// Part is words, or a time with the words for it.
type Part struct {
	Words     string
	Time      time.Time // zero: only words
	Show      Show
	Strong    bool // emphasised
	Countdown bool // a number of seconds that the page's script counts down
}

// Show says how much of a time is shown.
type Show string

// How times are shown. The page's script leaves the date out where it is today's.
const (
	ShowClock Show = "clock" // 10:18
	ShowDate  Show = "date"  // 28 Nov 2026
	ShowFull  Show = "full"  // 28 Nov 2026, 10:18
	ShowAgo   Show = "ago"   // 2 h ago
)

// text returns the text of that name. args are pairs of a placeholder's name and its value: a string, an int, a list
// of strings, a Part or a Text. An int called Count chooses the plural form. Values are put in after the template has
// run, so that no value is ever read as a template.
func (l *locale) text(name string, args ...any) Text {
	config := i18n.LocalizeConfig{MessageID: name}
	var values []Text
	if len(args) > 0 {
		placeholders := make(map[string]any, len(args)/2)
		for i := 0; i+1 < len(args); i += 2 {
			placeholder, _ := args[i].(string)
			if count, ok := args[i+1].(int); ok && placeholder == "Count" {
				config.PluralCount = count
			}
			placeholders[placeholder] = string(firstMarker + rune(len(values)))
			values = append(values, l.value(args[i+1]))
		}
		config.TemplateData = placeholders
	}
	pattern, _ := l.localizer.Localize(&config) // English and an error where this language lacks the text
	if pattern == "" {
		return Text{{Words: name}}
	}
	return fillIn(pattern, values)
}

// firstMarker is a private-use character. It and the ones after it stand for the values while a text's template runs.
const firstMarker = '\uE000'

// fillIn replaces the markers of a pattern by their values.
func fillIn(pattern string, values []Text) Text {
	var t Text
	for {
		at := strings.IndexFunc(
			pattern,
			func(r rune) bool { return r >= firstMarker && r < firstMarker+rune(len(values)) },
		)
		if at < 0 {
			return t.add(Part{Words: pattern})
		}
		t = t.add(Part{Words: pattern[:at]})
		marker := []rune(pattern[at : at+len(string(firstMarker))])[0]
		for _, part := range values[marker-firstMarker] {
			t = t.add(part)
		}
		pattern = pattern[at+len(string(firstMarker)):]
	}
}

// value turns a placeholder's value into a text.
func (l *locale) value(value any) Text {
	switch value := value.(type) {
	case string:
		return Text{{Words: value}}
	case int:
		return Text{{Words: l.number(float64(value), 0)}}
	case []string:
		return l.list(value)
	case Part:
		return Text{value}
	case Text:
		return value
	}
	return nil
}

// add appends a part; plain words after plain words become one part.
func (t Text) add(p Part) Text {
	plain := func(p Part) bool { return p.Time.IsZero() && !p.Strong && !p.Countdown }
	switch n := len(t); {
	case p.Words == "" && p.Time.IsZero():
		return t
	case n > 0 && plain(p) && plain(t[n-1]):
		t[n-1].Words += p.Words
		return t
	}
	return append(t, p)
}

// join puts sentences together, with a space between them.
func join(sentences ...Text) Text {
	var t Text
	for _, s := range sentences {
		if len(s) == 0 {
			continue
		}
		if len(t) > 0 {
			t = t.add(Part{Words: " "})
		}
		for _, part := range s {
			t = t.add(part)
		}
	}
	return t
}

// String is the text in words.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Words)
	}
	return b.String()
}

// MarshalJSON writes words as text and times in RFC 3339.
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

// Stamp is the time in RFC 3339, for the datetime attribute.
func (p Part) Stamp() string { return p.Time.UTC().Format(time.RFC3339) }

// strong emphasises a name.
func strong(words string) Part { return Part{Words: words, Strong: true} }
