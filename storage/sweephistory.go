package storage

import "time"

// SweepHistory records which used codes, used ids and cutoffs a Sweep may have removed. Sweep removes them because they
// have expired. If the clock was ahead and is then set back, they have not expired yet, and the store must still refuse
// them. A store keeps one SweepHistory and changes it in the transaction of the sweep.
type SweepHistory struct {
	Codes        []SweptCodes `json:"codes,omitempty"`
	Cutoff       Sequence     `json:"cutoff,omitempty"`        // the highest cutoff that was removed
	ClientCutoff Sequence     `json:"client_cutoff,omitempty"` // the highest removed cutoff of one client for all users
	LastDeletion time.Time    `json:"last_deletion,omitzero"`  // time of the latest sweep that removed used ids

	// BeforeSetback is the LastDeletion from before the clock was set back. SetbackAt is when a sweep noticed that: an
	// id that was issued later cannot have been used before.
	BeforeSetback time.Time `json:"before_setback,omitzero"`
	SetbackAt     time.Time `json:"setback_at,omitzero"`
}

// SweptCodes describes the used codes that one sweep may have removed: those that expired until Until and were issued
// before the sequence Before.
type SweptCodes struct {
	Until  time.Time `json:"until"`
	Before Sequence  `json:"before"`
}

// maxSweptCodes limits SweepHistory.Codes. There is more than one element only after the clock was set back.
const maxSweptCodes = 8

// ForgotCode reports whether a sweep may have removed the use of a code, or a cutoff that invalidates it. While the
// clock is right, all such codes have expired.
func (h SweepHistory) ForgotCode(c Code) bool {
	if c.Sequence < h.Cutoff {
		return true
	}
	for _, swept := range h.Codes {
		if !c.Expires.After(swept.Until) && c.Sequence < swept.Before {
			return true
		}
	}
	return false
}

// ForgotUse reports whether a sweep may have removed the use of an id with those times of issue and expiry. Other
// parties make such ids, so they contain no sequence. Their time of issue has to show whether they were issued before
// the clock was set back.
func (h SweepHistory) ForgotUse(issued, expires time.Time) bool {
	if !expires.After(h.LastDeletion) {
		return true
	}
	return !expires.After(h.BeforeSetback) && !issued.After(h.SetbackAt)
}

// AddCodes records a sweep at that time that removed used codes. All codes issued until then have a sequence below
// before.
func (h SweepHistory) AddCodes(at time.Time, before Sequence) SweepHistory {
	codes := make([]SweptCodes, 0, len(h.Codes)+1)
	for _, swept := range h.Codes {
		if swept.Until.After(at) { // otherwise the new element covers it
			codes = append(codes, swept)
		}
	}
	if len(codes) == maxSweptCodes { // join the first two elements: the result covers at least their codes
		codes[1].Until = latestTime(codes[0].Until, codes[1].Until)
		codes = codes[1:]
	}
	h.Codes = append(codes, SweptCodes{Until: at, Before: before})
	return h
}

// AddUses records a sweep at that time. removed says whether it removed used ids.
func (h SweepHistory) AddUses(at time.Time, removed bool) SweepHistory {
	switch {
	case at.Before(h.LastDeletion): // the clock was set back
		h.BeforeSetback = latestTime(h.BeforeSetback, h.LastDeletion)
		h.SetbackAt, h.LastDeletion = at, at
	case removed:
		h.LastDeletion = at
	}
	return h
}

// AddCutoffs records that a sweep removed cutoffs of a scope.
func (h SweepHistory) AddCutoffs(scope CutoffScope, removed []Cutoff) SweepHistory {
	for _, c := range removed {
		h.Cutoff = max(h.Cutoff, c.Sequence)
		if scope.IsClient() {
			h.ClientCutoff = max(h.ClientCutoff, c.Sequence)
		}
	}
	return h
}

func latestTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
