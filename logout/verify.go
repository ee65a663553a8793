package logout

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Check says what in a document contradicts itself, in sentences; nothing if it is consistent. It needs no server and no key: that
// the issuer said it at all is a matter of its signature.
func (d Document) Check() []string {
	var faults []string
	fault := func(format string, args ...any) { faults = append(faults, fmt.Sprintf(format, args...)) }

	if d.Issuer == "" || d.Txn == "" || d.Report == "" || d.Reason == "" {
		fault("iss, txn, report and reason must all be there")
	}
	// iat has whole seconds.
	if at := time.Unix(d.IssuedAt, 0); d.Ended.IsZero() || at.Add(time.Second).Before(d.Ended) {
		fault("iat lies before t0")
	}
	for i, row := range d.Rows {
		for _, text := range d.checkRow(row) {
			fault("row %d (%s of %s): %s", i+1, row.Kind, row.Client, text)
		}
		if slices.ContainsFunc(d.Rows[:i], func(o storage.Row) bool { return o.Kind == row.Kind && o.Client == row.Client }) {
			fault("row %d (%s of %s): stands there twice", i+1, row.Kind, row.Client)
		}
	}
	e := estimate(d.Rows, d.at(), isBeingTold)
	for _, n := range []struct {
		name      string
		said, are Scope
	}{{"op", d.Op, e.Op}, {"tokens", d.Tokens, e.Tokens}, {"apps", d.Apps, e.Apps}} {
		if !reflect.DeepEqual(plain(n.said), plain(n.are)) {
			fault("%s does not follow from the rows", n.name)
		}
	}
	return append(faults, d.checkAudit()...)
}

// at is the moment that the rows are read at.
func (d Document) at() time.Time { return latest(time.Unix(d.IssuedAt, 0).UTC(), d.Ended) }

// plain makes scopes comparable: one instant has several representations, an empty list two.
func plain(s Scope) Scope {
	s.Until, s.Names = s.Until.UTC(), append([]string{}, s.Names...)
	return s
}

// checkRow says what in a row is claimed without ground.
func (d Document) checkRow(row storage.Row) (faults []string) {
	fault := func(when bool, text string) {
		if when {
			faults = append(faults, text)
		}
	}
	told, back := slices.Contains(row.Channels, FrontChannel), slices.Contains(row.Channels, BackChannel)
	over := !row.Until.IsZero() && !row.Until.After(d.at())
	switch row.Trust {
	case storage.TrustClosed:
		// It may have been closed in the second of which iat is the beginning.
		passed := !row.Until.IsZero() && row.Until.Before(d.at().Add(time.Second))
		fault(!passed && (row.Kind == KindApplication || row.Basis != BasisEnforced), "closed, although no bound has passed")
	case storage.TrustConfirmed:
		fault(row.Kind != KindApplication || !back || row.Delivery != storage.DeliveryDone, "confirmed, although it was not told directly")
		fault(row.Evidence < EvidenceAnswer, "confirmed without the evidence for it")
		fault(row.Told.IsZero(), "confirmed, but not when")
		fault(row.Late == LatePending || row.Late == LateFailed, "confirmed before the answer to the second telling")
	case storage.TrustBounded:
		fault(row.Until.IsZero() || over, "bounded by nothing that lies ahead")
		fault(row.Basis == "" || row.Basis == BasisNone, "bounded, but not by what")
	case storage.TrustTold:
		fault(!told && row.Delivery != storage.DeliveryDone, "told, but by no channel it has")
	case storage.TrustUnknown:
	default:
		fault(true, fmt.Sprintf("%q is no trust state", row.Trust))
	}
	fault(!row.Told.IsZero() && row.Told.Before(d.Ended), "told before the end")
	fault(!row.Answer.At.IsZero() && row.Answer.At.Before(d.Ended), "answered before the end")
	fault(row.Delivery == storage.DeliveryDone && !back, "delivered, although it has no back channel")
	return faults
}

// checkAudit says what is wrong with the audit lines: each must be whole, follow the one before where it is the next, and be about this ending.
func (d Document) checkAudit() (faults []string) {
	if len(d.Audit) == 0 {
		faults = append(faults, "it names no audit line")
	}
	for i, e := range d.Audit {
		switch {
		case !e.Follows(e.Seq-1, e.Prev):
			faults = append(faults, fmt.Sprintf("audit line %d was changed: its hash is another", e.Seq))
		case i > 0 && e.Seq <= d.Audit[i-1].Seq:
			faults = append(faults, fmt.Sprintf("audit line %d is out of order", e.Seq))
		case i > 0 && e.Seq == d.Audit[i-1].Seq+1 && e.Prev != d.Audit[i-1].Hash:
			faults = append(faults, fmt.Sprintf("audit line %d does not follow the line before", e.Seq))
		case e.Cause != d.Txn || e.Session != "" && e.Session != d.Session: // offline access names no session
			faults = append(faults, fmt.Sprintf("audit line %d is about something else", e.Seq))
		case e.Reason != d.Reason:
			faults = append(faults, fmt.Sprintf("audit line %d gives another reason", e.Seq))
		}
	}
	return faults
}
