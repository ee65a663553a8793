package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// horizonFields are the three numbers of a trust horizon, in words. They are never merged.
func horizonFields(e logout.Estimate) [][2]string {
	return [][2]string{
		{"at the provider", formatHorizonPart(e.OP, e.At)},
		{"access tokens", formatHorizonPart(e.Tokens, e.At)},
		{"applications", formatHorizonPart(e.Clients, e.At)},
		{"offline access remains at", strings.Join(e.Offline, ", ")},
	}
}

func formatHorizonPart(s logout.HorizonPart, at time.Time) string {
	if s.Entries == 0 {
		return "none"
	}
	var parts []string
	if s.Complete() {
		parts = append(parts, "ended")
	} else if s.Over > 0 {
		parts = append(parts, fmt.Sprintf("%d ended", s.Over))
	}
	if s.Expiring > 0 {
		parts = append(parts, fmt.Sprintf("%d within %s (until %s)", s.Expiring, roundUpToSecond(s.Remaining(at)), formatTime(s.ExpiresAt)))
	}
	if s.Unknown > 0 {
		unknown := fmt.Sprintf("%d unknown (%s)", s.Unknown, strings.Join(s.UnknownNames, ", "))
		if s.Notifying > 0 {
			unknown += fmt.Sprintf(", %d of them being told", s.Notifying)
		}
		parts = append(parts, unknown)
	}
	return strings.Join(parts, "; ")
}

// roundUpToSecond shortens a bound without ever shortening it.
func roundUpToSecond(d time.Duration) time.Duration {
	if d%time.Second != 0 {
		d = d.Truncate(time.Second) + time.Second
	}
	return d
}

// entryCells is one holder of an ended session, under rowHeader.
func entryCells(r storage.ReportEntry) []string {
	name := r.Name
	if name == "" {
		name = r.Client
	}
	until := formatTime(r.ExpiresAt)
	if r.Trust == storage.TrustConfirmed {
		until = ""
	}
	return []string{name, r.Kind, string(r.Trust), string(r.Delivery), until, formatAnswer(r.LastAnswer)}
}

func entryHeader() []string {
	return []string{"holder", "kind", "trust", "delivery", "until", "last answer"}
}

func formatAnswer(a storage.Answer) string {
	switch {
	case a.At.IsZero():
		return ""
	case a.Status != 0:
		return fmt.Sprintf("%d at %s", a.Status, formatTime(a.At))
	}
	return fmt.Sprintf("%s at %s", a.Class, formatTime(a.At))
}
