package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// horizonFacts are the three numbers of a trust horizon, in words. They are never merged.
func horizonFacts(e logout.Estimate) [][2]string {
	return [][2]string{
		{"at the provider", scopeText(e.Op, e.At)},
		{"access tokens", scopeText(e.Tokens, e.At)},
		{"applications", scopeText(e.Apps, e.At)},
		{"offline access remains at", strings.Join(e.Offline, ", ")},
	}
}

func scopeText(s logout.Scope, at time.Time) string {
	if s.Holders == 0 {
		return "none"
	}
	var parts []string
	if s.AtOnce() {
		parts = append(parts, "ended")
	} else if s.Ended > 0 {
		parts = append(parts, fmt.Sprintf("%d ended", s.Ended))
	}
	if s.Bounded > 0 {
		parts = append(parts, fmt.Sprintf("%d within %s (until %s)", s.Bounded, roundUp(s.Within(at)), moment(s.Until)))
	}
	if s.Unknown > 0 {
		unknown := fmt.Sprintf("%d unknown (%s)", s.Unknown, strings.Join(s.Names, ", "))
		if s.Told > 0 {
			unknown += fmt.Sprintf(", %d of them being told", s.Told)
		}
		parts = append(parts, unknown)
	}
	return strings.Join(parts, "; ")
}

// roundUp shortens a bound without ever shortening it.
func roundUp(d time.Duration) time.Duration {
	if d%time.Second != 0 {
		d = d.Truncate(time.Second) + time.Second
	}
	return d
}

// rowCells is one holder of an ended session, under rowHeader.
func rowCells(r storage.Row) []string {
	name := r.Name
	if name == "" {
		name = r.Client
	}
	until := moment(r.Until)
	if r.Trust == storage.TrustConfirmed {
		until = ""
	}
	return []string{name, r.Kind, string(r.Trust), string(r.Delivery), until, answerText(r.Answer)}
}

func rowHeader() []string {
	return []string{"holder", "kind", "trust", "delivery", "until", "last answer"}
}

func answerText(a storage.Answer) string {
	switch {
	case a.At.IsZero():
		return ""
	case a.Status != 0:
		return fmt.Sprintf("%d at %s", a.Status, moment(a.At))
	}
	return fmt.Sprintf("%s at %s", a.Class, moment(a.At))
}
