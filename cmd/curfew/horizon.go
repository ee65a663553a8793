package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// horizonFields returns a line for each of the three parts of a trust horizon, and one for offline access. The parts
// are not merged, because they are about different kinds of trust. A session that came from an upstream has two more:
// the session there, and the bound over the whole chain.
func horizonFields(e logout.Estimate) [][2]string {
	fields := [][2]string{
		{"op", formatHorizonPart(e.OP, e.At)},
		{"tokens", formatHorizonPart(e.Tokens, e.At)},
		{"clients", formatHorizonPart(e.Clients, e.At)},
		{"offline access remains at", strings.Join(e.Offline, ", ")},
	}
	if e.Upstream.Entries > 0 {
		fields = append(fields, [2]string{"upstream", formatHorizonPart(e.Upstream, e.At)})
	}
	if e.Chain != nil {
		fields = append(fields, [2]string{"chain of providers", formatChain(*e.Chain)})
	}
	return fields
}

// formatChain says when the session here and everything after it in a chain of providers ends at the latest.
func formatChain(c logout.ChainHorizon) string {
	text := fmt.Sprintf(
		"over by %s, because the session here ends by %s (%s)",
		formatTime(c.ExpiresAt), formatTime(c.SessionEndsAt), c.BoundBy,
	)
	if len(c.UnknownNames) > 0 {
		text += fmt.Sprintf("; except %s: unknown", strings.Join(c.UnknownNames, ", "))
	}
	return text
}

// formatHorizonPart returns the counts of entries in one part of the horizon at a time: those that are over, those that
// expire by themselves, and those whose expiry is unknown.
func formatHorizonPart(part logout.HorizonPart, at time.Time) string {
	if part.Entries == 0 {
		return "none"
	}
	var counts []string
	switch {
	case part.Complete():
		counts = append(counts, "over")
	case part.Over > 0:
		counts = append(counts, fmt.Sprintf("%d over", part.Over))
	}
	if part.Expiring > 0 {
		remaining := roundUpToSecond(part.Remaining(at))
		expiresAt := formatTime(part.ExpiresAt)
		counts = append(counts, fmt.Sprintf("%d expiring within %s (until %s)", part.Expiring, remaining, expiresAt))
	}
	if part.Unknown > 0 {
		unknown := fmt.Sprintf("%d unknown (%s)", part.Unknown, strings.Join(part.UnknownNames, ", "))
		if part.Notifying > 0 {
			unknown += fmt.Sprintf(", %d of them being notified", part.Notifying)
		}
		counts = append(counts, unknown)
	}
	return strings.Join(counts, "; ")
}

// roundUpToSecond rounds up, because the displayed time must not be shorter than the real one.
func roundUpToSecond(d time.Duration) time.Duration {
	if d%time.Second != 0 {
		d = d.Truncate(time.Second) + time.Second
	}
	return d
}

func entryHeader() []string {
	return []string{"client", "kind", "trust", "delivery", "expires", "last answer"}
}

// entryCells returns the table row of a report entry, in the order of entryHeader.
func entryCells(e storage.ReportEntry) []string {
	expires := formatTime(e.ExpiresAt)
	if e.Trust == storage.TrustConfirmed { // the client has ended the session before
		expires = ""
	}
	return []string{
		cmp.Or(e.ClientName, e.Client),
		e.Kind,
		string(e.Trust),
		string(e.Delivery),
		expires,
		formatAnswer(e.LastAnswer),
	}
}

// formatAnswer shows a client's answer to a logout token: its status, or the class of the error if it gave none.
func formatAnswer(a storage.Answer) string {
	switch {
	case a.At.IsZero():
		return ""
	case a.Status != 0:
		return fmt.Sprintf("%d at %s", a.Status, formatTime(a.At))
	}
	return fmt.Sprintf("%s at %s", a.Class, formatTime(a.At))
}
