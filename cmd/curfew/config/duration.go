package config

import (
	"errors"
	"regexp"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// durationPattern matches days, which package time does not know, and a duration of package time.
var durationPattern = regexp.MustCompile(`^(?:(\d{1,5})d)?((?:\d+(?:\.\d+)?(?:h|m|s|ms))*)$`)

// ParseDuration parses a duration such as 14d, 8h, 90s or 1d12h. 0 needs no unit.
func ParseDuration(text string) (time.Duration, error) {
	if text == "0" {
		return 0, nil
	}
	groups := durationPattern.FindStringSubmatch(text)
	if groups == nil || text == "" {
		return 0, errors.New("not a duration such as 14d, 8h or 90s")
	}
	daysText, restText := groups[1], groups[2]
	var d time.Duration
	if daysText != "" {
		days, err := strconv.Atoi(daysText)
		if err != nil {
			return 0, err
		}
		d = time.Duration(days) * day
	}
	if restText != "" {
		rest, err := time.ParseDuration(restText)
		if err != nil {
			return 0, errors.New("not a duration such as 14d, 8h or 90s")
		}
		d += rest
	}
	return d, nil
}

// FormatDuration returns the shortest text that ParseDuration parses as d.
func FormatDuration(d time.Duration) string {
	if d == 0 {
		return "0"
	}
	var b strings.Builder
	if days := d / day; days > 0 {
		b.WriteString(strconv.Itoa(int(days)) + "d")
		d %= day
	}
	if d > 0 {
		text := d.String()
		if strings.HasSuffix(text, "m0s") {
			text = strings.TrimSuffix(text, "0s")
		}
		if strings.HasSuffix(text, "h0m") {
			text = strings.TrimSuffix(text, "0m")
		}
		b.WriteString(text)
	}
	return b.String()
}
