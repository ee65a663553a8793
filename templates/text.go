package templates

import (
	"encoding/json"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// Text is a text of the catalog with its values filled in. Its parts are kept apart so that a page can emphasise a name
// and show a time in the reader's zone. Its JSON is a list of {"text":…} and {"time":…,"show":…}.
type Text []Part

// Part is a piece of text, or a time.
type Part struct {
	Words     string    // the text; for a time, the text in UTC
	Time      time.Time // zero: no time
	Show      Show      // the format of Time
	Strong    bool      // emphasised
	Countdown bool      // Words is a number of seconds that the page's script counts down
}

// Show is the format of a time.
type Show string

// The formats of times. The page's script leaves out the date of today.
const (
	ShowClock Show = "clock" // 10:18
	ShowDate  Show = "date"  // 28 Nov 2026
	ShowFull  Show = "full"  // 28 Nov 2026, 10:18
	ShowAgo   Show = "ago"   // 2 h ago
)

// text returns the text with a name. args are pairs of a placeholder's name and its value: a string, an int, a list of
// strings, a Part or a Text. An int with the name Count chooses the plural form.
//
// While the template of the text runs, a marker stands for each value. The values replace the markers afterwards, so no
// value is interpreted as a template.
func (l *locale) text(name string, args ...any) Text {
	var values []Text
	if len(args) > 0 {
		values = make([]Text, 0, len(args)/2)
	}
	for i := 1; i < len(args); i += 2 {
		values = append(values, l.value(args[i]))
	}
	pattern := l.pattern(name, args)
	if pattern == "" {
		return Text{{Words: name}}
	}
	return fillIn(pattern, values)
}

// pattern returns the text with a marker in the place of each value. It remembers the patterns of texts without a
// plural form, since to run a template costs more than the rest of a text.
func (l *locale) pattern(name string, args []any) string {
	if known, ok := l.patterns.Load(name); ok && known.(pattern).hasPlaceholders(args) {
		return known.(pattern).text
	}
	config := i18n.LocalizeConfig{MessageID: name}
	made := pattern{}
	markers := make(map[string]any, len(args)/2)
	for i := 0; i+1 < len(args); i += 2 {
		placeholder, _ := args[i].(string)
		if count, ok := args[i+1].(int); ok && placeholder == "Count" {
			config.PluralCount = count
		}
		markers[placeholder] = string(firstMarker + rune(i/2))
		made.placeholders = append(made.placeholders, placeholder)
	}
	config.TemplateData = markers
	// If the language does not have the text, Localize returns the English text and an error.
	made.text, _ = l.localizer.Localize(&config)
	if config.PluralCount == nil {
		l.patterns.Store(name, made)
	}
	return made.text
}

// pattern is a text with markers for the values of its placeholders, in their order.
type pattern struct {
	text         string
	placeholders []string
}

// hasPlaceholders reports whether args name the same placeholders in the same order.
func (p pattern) hasPlaceholders(args []any) bool {
	if len(args)/2 != len(p.placeholders) {
		return false
	}
	for i, placeholder := range p.placeholders {
		if args[2*i] != any(placeholder) {
			return false
		}
	}
	return true
}

// firstMarker is the marker of the first value: a character for private use. The next character is the marker of the
// second value, and so on.
const firstMarker = '\uE000'

// fillIn replaces the markers of a pattern by their values.
func fillIn(pattern string, values []Text) Text {
	var t Text
	start := 0 // of the words that are not yet added
	for i, r := range pattern {
		index := int(r - firstMarker)
		if index < 0 || index >= len(values) {
			continue
		}
		t = t.add(Part{Words: pattern[start:i]})
		for _, part := range values[index] {
			t = t.add(part)
		}
		start = i + utf8.RuneLen(r)
	}
	return t.add(Part{Words: pattern[start:]})
}

// value returns the value of a placeholder as a text.
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

// add appends a part. Plain words after plain words become one part.
func (t Text) add(p Part) Text {
	isPlain := func(p Part) bool { return p.Time.IsZero() && !p.Strong && !p.Countdown }
	if p.Words == "" && p.Time.IsZero() {
		return t
	}
	if n := len(t); n > 0 && isPlain(p) && isPlain(t[n-1]) {
		t[n-1].Words += p.Words
		return t
	}
	return append(t, p)
}

// join joins sentences with a space between them. It leaves out empty ones.
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

// String returns the text without emphasis; times are in UTC.
func (t Text) String() string {
	var b strings.Builder
	for _, p := range t {
		b.WriteString(p.Words)
	}
	return b.String()
}

// MarshalJSON encodes words as {"text":…} and a time as {"time":…,"show":…}, in RFC 3339.
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

// Stamp returns the time in RFC 3339, for the datetime attribute.
func (p Part) Stamp() string { return p.Time.UTC().Format(time.RFC3339) }

// strong returns words as an emphasised part.
func strong(words string) Part { return Part{Words: words, Strong: true} }
