package templates

import (
	"strconv"
	"time"

	"golang.org/x/text/number"
)

// number formats a number in the style of the language, with at most the given number of decimals.
func (l *locale) number(n float64, decimals int) string {
	return l.printer.Sprint(number.Decimal(n, number.MaxFractionDigits(decimals)))
}

// list joins names in the style of the language: "A, B and C". It joins from the end, as the catalog's patterns of a
// list are made (Unicode CLDR).
func (l *locale) list(names []string) Text {
	pair := func(pattern string, a, b Text) Text { return l.text(pattern, "A", a, "B", b) }
	item := func(i int) Text { return Text{{Words: names[i]}} }
	switch n := len(names); n {
	case 0:
		return nil
	case 1:
		return item(0)
	case 2:
		return pair("list.two", item(0), item(1))
	default:
		joined := pair("list.last", item(n-2), item(n-1))
		for i := n - 3; i > 0; i-- {
			joined = pair("list.middle", item(i), joined)
		}
		return pair("list.first", item(0), joined)
	}
}

// unit formats a whole number of units. name is the name of the unit's text.
func (l *locale) unit(n int, name string) string {
	if name == "duration.days" {
		return l.text(name, "Count", n).String()
	}
	return l.text(name, "Number", n).String()
}

// durationUp formats a duration and rounds it up: "16 s", "11 min", "2 h", "3 days". Pages use it for the time that
// something may still take, which must not look shorter than it is.
func (l *locale) durationUp(d time.Duration) string {
	roundUp := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d <= 0:
		return l.unit(0, "duration.seconds")
	case roundUp(time.Second) < 120:
		return l.unit(roundUp(time.Second), "duration.seconds")
	case roundUp(time.Minute) < 120:
		return l.unit(roundUp(time.Minute), "duration.minutes")
	case roundUp(time.Hour) < 48:
		return l.unit(roundUp(time.Hour), "duration.hours")
	}
	return l.unit(roundUp(24*time.Hour), "duration.days")
}

// duration formats a duration that has passed and rounds it down: "0.1 s", "12 s", "3 min".
func (l *locale) duration(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		seconds := l.number(max(d, 100*time.Millisecond).Seconds(), 1)
		return l.text("duration.seconds", "Number", seconds).String()
	case d < 2*time.Minute:
		return l.unit(int(d.Seconds()), "duration.seconds")
	case d < 2*time.Hour:
		return l.unit(int(d.Minutes()), "duration.minutes")
	case d < 48*time.Hour:
		return l.unit(int(d.Hours()), "duration.hours")
	}
	return l.unit(int(d.Hours()/24), "duration.days")
}

// countdown returns a number of seconds that the page's script counts down.
func (l *locale) countdown(seconds int) Part {
	return Part{Words: l.number(float64(seconds), 0), Countdown: true}
}

// time formats a time in UTC. The page's script replaces it by the time in the reader's zone.
func (l *locale) time(t time.Time, show Show) Part {
	t = t.UTC()
	var words Text
	switch show {
	case ShowClock:
		words = l.clock(t)
	case ShowDate:
		words = l.date(t)
	default:
		words = l.text("date.with_time", "Date", l.date(t), "Time", l.clock(t))
	}
	return Part{Words: words.String(), Time: t, Show: show}
}

func (l *locale) clock(t time.Time) Text { return l.text("date.clock", "Time", t.Format("15:04")) }

func (l *locale) date(t time.Time) Text {
	return l.text("date.day",
		"Day", strconv.Itoa(t.Day()),
		"Month", l.text("month."+strconv.Itoa(int(t.Month()))),
		"Year", strconv.Itoa(t.Year()))
}

// deadline formats a time by which something is over, like clockTime. It rounds up to the minute, so that the shown
// time is never too early.
func (l *locale) deadline(at, reference time.Time) Part {
	roundedUp := at.Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
	return l.clockTime(roundedUp, reference)
}

// clockTime formats a time without its date if it is on the same UTC day as reference. The page's script does the same
// in the reader's zone.
func (l *locale) clockTime(at, reference time.Time) Part {
	const day = 24 * time.Hour
	if at.UTC().Truncate(day).Equal(reference.UTC().Truncate(day)) {
		return l.time(at, ShowClock)
	}
	return l.time(at, ShowFull)
}

// timeOrDate formats a time with its hour if it is less than two days from now, else as a date.
func (l *locale) timeOrDate(now, at time.Time) Part {
	isFar := at.Sub(now).Abs() > 48*time.Hour
	if isFar && !now.IsZero() {
		return l.time(at, ShowDate)
	}
	return l.time(at, ShowFull)
}

// ago formats a past time as its age: "2 h ago". With a zero now it formats the time itself.
func (l *locale) ago(now, at time.Time) Part {
	p := l.time(at, ShowFull)
	if now.IsZero() {
		return p
	}
	p.Show = ShowAgo
	age := now.Sub(at)
	if age < 2*time.Minute {
		p.Words = l.text("ago.now").String()
	} else {
		p.Words = l.text("ago.then", "Duration", l.duration(age)).String()
	}
	return p
}
