package templates

import (
	"strconv"
	"time"

	"golang.org/x/text/number"
)

// number is a number as the language writes it, with at most that many decimals.
func (l *locale) number(n float64, decimals int) string {
	return l.printer.Sprint(number.Decimal(n, number.MaxFractionDigits(decimals)))
}

// list joins names as the language does: "A, B and C".
func (l *locale) list(names []string) Text {
	pair := func(name string, a, b Text) Text { return l.text(name, "A", a, "B", b) }
	item := func(i int) Text { return Text{{Words: names[i]}} }
	switch n := len(names); n {
	case 0:
		return nil
	case 1:
		return item(0)
	case 2:
		return pair("list.two", item(0), item(1))
	default:
		all := pair("list.last", item(n-2), item(n-1))
		for i := n - 3; i > 0; i-- {
			all = pair("list.middle", item(i), all)
		}
		return pair("list.first", item(0), all)
	}
}

// unit is a length of time in a whole number of a unit.
func (l *locale) unit(n int, name string) string {
	if name == "duration.days" {
		return l.text(name, "Count", n).String()
	}
	return l.text(name, "Number", n).String()
}

// durationUp is a length of time rounded up, for what is promised: "16 s", "11 min", "2 h", "3 days".
func (l *locale) durationUp(d time.Duration) string {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d <= 0:
		return l.unit(0, "duration.seconds")
	case up(time.Second) < 120:
		return l.unit(up(time.Second), "duration.seconds")
	case up(time.Minute) < 120:
		return l.unit(up(time.Minute), "duration.minutes")
	case up(time.Hour) < 48:
		return l.unit(up(time.Hour), "duration.hours")
	}
	return l.unit(up(24*time.Hour), "duration.days")
}

// duration is a length of time that has passed: "0.1 s", "12 s", "3 min".
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

// countdown is a number of seconds that the page's script counts down.
func (l *locale) countdown(seconds int) Part {
	return Part{Words: l.number(float64(seconds), 0), Countdown: true}
}

// time is a time in UTC, for a page that is read without its script.
func (l *locale) time(t time.Time, show Show) Part {
	t = t.UTC()
	clock := l.text("date.clock", "Time", t.Format("15:04"))
	date := l.text("date.day", "Day", strconv.Itoa(t.Day()), "Month", l.text("month."+strconv.Itoa(int(t.Month()))),
		"Year", strconv.Itoa(t.Year()))
	words := l.text("date.with_time", "Date", date, "Time", clock)
	switch show {
	case ShowClock:
		words = clock
	case ShowDate:
		words = date
	}
	return Part{Words: words.String(), Time: t, Show: show}
}

// deadline is a time by which something is over. It is rounded up: what is shown is never earlier than what is true.
func (l *locale) deadline(at, from time.Time) Part {
	at = at.Add(time.Minute - time.Nanosecond).Truncate(time.Minute)
	return l.clockTime(at, from)
}

// clockTime leaves the date out where both times are on one day in UTC; the script does the same in the reader's zone.
func (l *locale) clockTime(at, from time.Time) Part {
	if at.UTC().Truncate(24 * time.Hour).Equal(from.UTC().Truncate(24 * time.Hour)) {
		return l.time(at, ShowClock)
	}
	return l.time(at, ShowFull)
}

// timeOrDate is a time with its hour if it is less than two days away, else its date.
func (l *locale) timeOrDate(now, at time.Time) Part {
	if d := at.Sub(now).Abs(); d > 48*time.Hour && !now.IsZero() {
		return l.time(at, ShowDate)
	}
	return l.time(at, ShowFull)
}

// ago is a time in the past with how long ago it was; without a now it is the time itself.
func (l *locale) ago(now, at time.Time) Part {
	p := l.time(at, ShowFull)
	switch d := now.Sub(at); {
	case now.IsZero():
		return p
	case d < 2*time.Minute:
		p.Words = l.text("ago.now").String()
	default:
		p.Words = l.text("ago.then", "Duration", l.duration(d)).String()
	}
	p.Show = ShowAgo
	return p
}
