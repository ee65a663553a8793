package logout

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Check returns the contradictions in a document, in sentences; none if it is consistent. It needs no server and no
// key: only the signature shows that the issuer made the document.
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
			fault("entry %d (%s of %s): %s", i+1, entry.Kind, entry.Client, text)
		}
		if slices.ContainsFunc(
			d.Entries[:i],
			func(o storage.ReportEntry) bool { return o.Kind == entry.Kind && o.Client == entry.Client },
		) {
			fault("entry %d (%s of %s): stands there twice", i+1, entry.Kind, entry.Client)
		}
	}
	e := newEstimate(d.Entries, d.asOf(), awaitsConfirmation)
	for _, n := range []struct {
		name              string
		claimed, computed HorizonPart
	}{{"op", d.OP, e.OP}, {"tokens", d.Tokens, e.Tokens}, {"clients", d.Clients, e.Clients}} {
		if !reflect.DeepEqual(normalize(n.claimed), normalize(n.computed)) {
			fault("%s does not follow from the entries", n.name)
		}
	}
	return append(faults, d.checkAudit()...)
}

// asOf returns the moment at which the entries are read.
func (d Document) asOf() time.Time { return latest(time.Unix(d.IssuedAt, 0).UTC(), d.EndedAt) }

// normalize makes two parts comparable: one instant has several representations, and so has an empty list.
func normalize(s HorizonPart) HorizonPart {
	s.ExpiresAt, s.UnknownNames = s.ExpiresAt.UTC(), append([]string{}, s.UnknownNames...)
	return s
}

// checkEntry returns the claims of an entry that do not follow from its other fields.
func (d Document) checkEntry(entry storage.ReportEntry) (faults []string) {
	fault := func(when bool, text string) {
		if when {
			faults = append(faults, text)
		}
	}
	frontChannel, backChannel := slices.Contains(
		entry.Channels,
		FrontChannel,
	), slices.Contains(
		entry.Channels,
		BackChannel,
	)
	hasExpired := !entry.ExpiresAt.IsZero() && !entry.ExpiresAt.After(d.asOf())
	switch entry.Trust {
	case storage.TrustRevoked:
		// The bound may have passed within the second of iat, which has whole seconds.
		boundPassed := !entry.ExpiresAt.IsZero() && entry.ExpiresAt.Before(d.asOf().Add(time.Second))
		fault(
			!boundPassed && (entry.Kind == KindClientSession || entry.BoundBy != BoundByEnforcement),
			"revoked, although no bound has passed",
		)
	case storage.TrustConfirmed:
		fault(
			entry.Kind != KindClientSession || !backChannel || entry.Delivery != storage.DeliveryDone,
			"confirmed, although the client was not notified through the back channel",
		)
		fault(entry.NotifiedAt.IsZero(), "confirmed, but without the time of the notification")
		fault(
			entry.Renotification == RenotificationPending || entry.Renotification == RenotificationFailed,
			"confirmed before the client answered the re-notification",
		)
	case storage.TrustExpiring:
		fault(entry.ExpiresAt.IsZero() || hasExpired, "expiring, but without an expiry that lies ahead")
		fault(
			entry.BoundBy == "" || entry.BoundBy == BoundByNothing,
			"expiring, but without what the expiry is bound by",
		)
	case storage.TrustNotified:
		fault(
			!frontChannel && entry.Delivery != storage.DeliveryDone,
			"notified, but by no channel that the client has",
		)
	case storage.TrustUnknown:
	default:
		fault(true, fmt.Sprintf("%q is no trust state", entry.Trust))
	}
	fault(!entry.NotifiedAt.IsZero() && entry.NotifiedAt.Before(d.EndedAt), "notified before the end")
	fault(!entry.LastAnswer.At.IsZero() && entry.LastAnswer.At.Before(d.EndedAt), "answered before the end")
	fault(entry.Delivery == storage.DeliveryDone && !backChannel, "delivered, although it has no back channel")
	return faults
}

// checkAudit returns what is wrong with the audit lines. Each must match its hash, follow the line before it if that
// is the previous one, and be about this logout.
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
