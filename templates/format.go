package templates

import (
	"strconv"
	"strings"
	"time"
)

var smallNumbers = [...]string{"no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"}

// numberWord is a count in words up to twelve.
func numberWord(n int) string {
	if n >= 0 && n < len(smallNumbers) {
		return smallNumbers[n]
	}
	return strconv.Itoa(n)
}

// pluralize is a number of things: "two browsers".
func pluralize(n int, thing string) string {
	if n == 1 {
		return numberWord(n) + " " + thing
	}
	return numberWord(n) + " " + thing + "s"
}

// capitalize makes the first letter of one of our own words upper-case.
func capitalize(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

// joinNames joins names: "A, B and C".
func joinNames(names []string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// formatDurationUp is a length of time rounded up, for what is promised: "16 s", "11 min", "2 h", "3 days".
func formatDurationUp(d time.Duration) string {
	up := func(unit time.Duration) int { return int((d + unit - 1) / unit) }
	switch {
	case d <= 0:
		return "0 s"
	case up(time.Second) < 120:
		return strconv.Itoa(up(time.Second)) + " s"
	case up(time.Minute) < 120:
		return strconv.Itoa(up(time.Minute)) + " min"
	case up(time.Hour) < 48:
		return strconv.Itoa(up(time.Hour)) + " h"
	}
	return strconv.Itoa(up(24*time.Hour)) + " days"
}

// formatDuration is a length of time that has passed: "0.1 s", "12 s", "3 min".
func formatDuration(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return "0.1 s"
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Seconds())) + " s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Minutes())) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d.Hours())) + " h"
	}
	return strconv.Itoa(int(d.Hours()/24)) + " days"
}

// ordinal is "second", "third" … for the tries of a delivery.
func ordinal(n int) string {
	words := [...]string{"", "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth"}
	if n > 0 && n < len(words) {
		return words[n]
	}
	suffix := "th"
	if n%100 < 11 || n%100 > 13 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return strconv.Itoa(n) + suffix
}
