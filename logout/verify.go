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

	if d.Issuer == "" || d.Txn == "" || d.ReportID == "" || d.Reason == "" {
		fault("iss, txn, report and reason must all be there")
	}
	// iat has whole seconds.
	if at := time.Unix(d.IssuedAt, 0); d.EndedAt.IsZero() || at.Add(time.Second).Before(d.EndedAt) {
		fault("iat lies before t0")
	}
	for i, entry := range d.Entries {
		for _, text := range d.checkEntry(entry) {
			fault("row %d (%s of %s): %s", i+1, entry.Kind, entry.Client, text)
		}
		if slices.ContainsFunc(d.Entries[:i], func(o storage.ReportEntry) bool { return o.Kind == entry.Kind && o.Client == entry.Client }) {
			fault("row %d (%s of %s): stands there twice", i+1, entry.Kind, entry.Client)
		}
	}
	e := newEstimate(d.Entries, d.asOf(), awaitsConfirmation)
	for _, n := range []struct {
		name              string
		claimed, computed HorizonPart
	}{{"op", d.OP, e.OP}, {"tokens", d.Tokens, e.Tokens}, {"clients", d.Clients, e.Clients}} {
		if !reflect.DeepEqual(normalize(n.claimed), normalize(n.computed)) {
			fault("%s does not follow from the rows", n.name)
		}
	}
	return append(faults, d.checkAudit()...)
}

// asOf is the moment that the rows are read at.
func (d Document) asOf() time.Time { return latest(time.Unix(d.IssuedAt, 0).UTC(), d.EndedAt) }

// normalize makes scopes comparable: one instant has several representations, an empty list two.
func normalize(s HorizonPart) HorizonPart {
	s.ExpiresAt, s.UnknownNames = s.ExpiresAt.UTC(), append([]string{}, s.UnknownNames...)
	return s
}

// checkEntry says what in a row is claimed without ground.
func (d Document) checkEntry(entry storage.ReportEntry) (faults []string) {
	fault := func(when bool, text string) {
		if when {
			faults = append(faults, text)
		}
	}
	frontChannel, backChannel := slices.Contains(entry.Channels, FrontChannel), slices.Contains(entry.Channels, BackChannel)
	hasExpired := !entry.ExpiresAt.IsZero() && !entry.ExpiresAt.After(d.asOf())
	switch entry.Trust {
	case storage.TrustRevoked:
		// It may have been closed in the second of which iat is the beginning.
		boundPassed := !entry.ExpiresAt.IsZero() && entry.ExpiresAt.Before(d.asOf().Add(time.Second))
		fault(!boundPassed && (entry.Kind == KindClientSession || entry.BoundBy != BoundByEnforcement), "closed, although no bound has passed")
	case storage.TrustConfirmed:
		fault(entry.Kind != KindClientSession || !backChannel || entry.Delivery != storage.DeliveryDone, "confirmed, although it was not told directly")
		fault(entry.NotifiedAt.IsZero(), "confirmed, but not when")
		fault(entry.Renotification == RenotificationPending || entry.Renotification == RenotificationFailed, "confirmed before the answer to the second telling")
	case storage.TrustExpiring:
		fault(entry.ExpiresAt.IsZero() || hasExpired, "bounded by nothing that lies ahead")
		fault(entry.BoundBy == "" || entry.BoundBy == BoundByNothing, "bounded, but not by what")
	case storage.TrustNotified:
		fault(!frontChannel && entry.Delivery != storage.DeliveryDone, "told, but by no channel it has")
	case storage.TrustUnknown:
	default:
		fault(true, fmt.Sprintf("%q is no trust state", entry.Trust))
	}
	fault(!entry.NotifiedAt.IsZero() && entry.NotifiedAt.Before(d.EndedAt), "told before the end")
	fault(!entry.LastAnswer.At.IsZero() && entry.LastAnswer.At.Before(d.EndedAt), "answered before the end")
	fault(entry.Delivery == storage.DeliveryDone && !backChannel, "delivered, although it has no back channel")
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
