package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// horizonFields are the three parts of a trust horizon, in words. They are never merged.
func horizonFields(e logout.Estimate) [][2]string {
	return [][2]string{
		{"op", formatHorizonPart(e.OP, e.At)},
		{"tokens", formatHorizonPart(e.Tokens, e.At)},
		{"clients", formatHorizonPart(e.Clients, e.At)},
		{"offline access remains at", strings.Join(e.Offline, ", ")},
	}
}

func formatHorizonPart(s logout.HorizonPart, at time.Time) string {
	if s.Entries == 0 {
		return "none"
	}
	var parts []string
	if s.Complete() {
		parts = append(parts, "over")
	} else if s.Over > 0 {
		parts = append(parts, fmt.Sprintf("%d over", s.Over))
	}
	if s.Expiring > 0 {
		parts = append(
			parts,
			fmt.Sprintf(
				"%d expiring within %s (until %s)",
				s.Expiring,
				roundUpToSecond(s.Remaining(at)),
				formatTime(s.ExpiresAt),
			),
		)
	}
	if s.Unknown > 0 {
		unknown := fmt.Sprintf("%d unknown (%s)", s.Unknown, strings.Join(s.UnknownNames, ", "))
		if s.Notifying > 0 {
			unknown += fmt.Sprintf(", %d of them being notified", s.Notifying)
		}
		parts = append(parts, unknown)
	}
	return strings.Join(parts, "; ")
}

// roundUpToSecond rounds up, so that the shown bound is never shorter than the real one.
func roundUpToSecond(d time.Duration) time.Duration {
	if d%time.Second != 0 {
		d = d.Truncate(time.Second) + time.Second
	}
	return d
}

// entryCells is the row of a report entry, under entryHeader.
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
	return []string{"client", "kind", "trust", "delivery", "expires", "last answer"}
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
