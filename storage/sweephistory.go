package storage

import "time"

// SweepHistory says which used codes, used ids and cutoffs Sweep may have removed, so that none of them counts again
// when a clock that was ahead is put back. A store keeps one and changes it in the transaction of the sweep.
type SweepHistory struct {
	Codes         []SweptCodes `json:"codes,omitempty"`
	Cutoff        Sequence     `json:"cutoff,omitempty"`        // the highest cutoff that was removed
	ClientCutoff  Sequence     `json:"client_cutoff,omitempty"` // the highest one that cut off a client everywhere
	LastDeletion  time.Time    `json:"last_deletion,omitzero"`  // the latest sweep that removed used ids
	BeforeSetback time.Time    `json:"before_setback,omitzero"` // the latest one before the clock was put back
	SetbackAt     time.Time    `json:"setback_at,omitzero"`     // when that was noticed: what was issued later was not used then
}

// SweptCodes are the used codes that one sweep may have removed: those that expired by Until and were issued before
// Before.
type SweptCodes struct {
	Until  time.Time `json:"until"`
	Before Sequence  `json:"before"`
}

// maxSweptCodes bounds SweepHistory.Codes. More than one are kept only after the clock was put back.
const maxSweptCodes = 8

// ForgotCode reports whether the use of a code, or a cutoff that keeps it out, may have been removed. While the clock
// is right such a code has expired.
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

// ForgotUse reports whether the use of an id that was issued and expires then may have been removed. Such ids come
// from outside and carry no sequence, so their own time of issue has to say whether they are from before a setback of
// the clock.
func (h SweepHistory) ForgotUse(issued, expires time.Time) bool {
	return !expires.After(h.LastDeletion) || !expires.After(h.BeforeSetback) && !issued.After(h.SetbackAt)
}

// AddCodes notes a sweep at that time that removed used codes. before is a sequence that no code issued until then
// reaches.
func (h SweepHistory) AddCodes(at time.Time, before Sequence) SweepHistory {
	codes := make([]SweptCodes, 0, len(h.Codes)+1)
	for _, swept := range h.Codes {
		if swept.Until.After(at) { // otherwise the new entry says all that this one says
			codes = append(codes, swept)
		}
	}
	if len(codes) == maxSweptCodes { // one entry for the first two: it refuses more codes, never fewer
		codes[1].Until = latestTime(codes[0].Until, codes[1].Until)
		codes = codes[1:]
	}
	h.Codes = append(codes, SweptCodes{Until: at, Before: before})
	return h
}

// AddUses notes a sweep at that time; removed says that it removed used ids.
func (h SweepHistory) AddUses(at time.Time, removed bool) SweepHistory {
	switch {
	case at.Before(h.LastDeletion): // the clock was put back
		h.BeforeSetback = latestTime(h.BeforeSetback, h.LastDeletion)
		h.SetbackAt, h.LastDeletion = at, at
	case removed:
		h.LastDeletion = at
	}
	return h
}

// AddCutoffs notes that a sweep removed cutoffs of a scope.
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
