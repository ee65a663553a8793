package logout

import (
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Check returns the contradictions in a document as texts; none if the document is consistent. It needs no server and
// no key. Only the signature shows that the issuer made the document.
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
	computed := newEstimate(d.Entries, d.asOf(), awaitsConfirmation)
	checkPart := func(name string, inDocument, computed HorizonPart) {
		if !reflect.DeepEqual(normalize(inDocument), normalize(computed)) {
			fault("%s does not follow from the entries", name)
		}
	}
	checkPart("op", d.OP, computed.OP)
	checkPart("tokens", d.Tokens, computed.Tokens)
	checkPart("clients", d.Clients, computed.Clients)
	checkPart("upstream", d.Upstream, computed.Upstream)
	if !d.Chain.equal(reportChain(computed, d.EndedAt)) {
		fault("chain does not follow from the entries")
	}
	return append(faults, d.checkAudit()...)
}

// asOf returns the time to which the entries of the document apply.
func (d Document) asOf() time.Time { return latest(time.Unix(d.IssuedAt, 0).UTC(), d.EndedAt) }

// normalize makes two parts comparable with reflect.DeepEqual: times in UTC, and an empty list instead of nil.
func normalize(s HorizonPart) HorizonPart {
	s.ExpiresAt = s.ExpiresAt.UTC()
	s.UnknownNames = append([]string{}, s.UnknownNames...)
	return s
}

// checkEntry returns the contradictions between the fields of an entry.
func (d Document) checkEntry(entry storage.ReportEntry) (faults []string) {
	fault := func(condition bool, text string) {
		if condition {
			faults = append(faults, text)
		}
	}
	if entry.Kind == KindUpstreamSession {
		confirmed := entry.Trust == storage.TrustConfirmed
		fault(confirmed != (d.Reason == storage.ReasonUpstreamLogout), "only a logout at the upstream confirms its end")
		fault(entry.Trust == storage.TrustExpiring, "expiring, although nothing limits a session at an upstream")
		fault(!entry.NotifiedAt.IsZero() && entry.NotifiedAt.Before(d.EndedAt), "notified before the end")
		return faults
	}
	frontChannel := slices.Contains(entry.Channels, FrontChannel)
	backChannel := slices.Contains(entry.Channels, BackChannel)
	hasExpired := !entry.ExpiresAt.IsZero() && !entry.ExpiresAt.After(d.asOf())
	switch entry.Trust {
	case storage.TrustRevoked:
		// iat has whole seconds: the bound may have passed within that second.
		boundPassed := !entry.ExpiresAt.IsZero() && entry.ExpiresAt.Before(d.asOf().Add(time.Second))
		revokedAtOnce := entry.Kind != KindClientSession && entry.BoundBy == BoundByEnforcement
		fault(!boundPassed && !revokedAtOnce, "revoked, although no bound has passed")
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

// checkAudit returns the faults of the audit lines. Each line must match its hash and be about this logout. If two
// lines have successive numbers, the second must contain the hash of the first.
func (d Document) checkAudit() (faults []string) {
	if len(d.Audit) == 0 {
		faults = append(faults, "it names no audit line")
	}
	var previous storage.Event
	for i, e := range d.Audit {
		isFirst := i == 0
		isSuccessor := !isFirst && e.Seq == previous.Seq+1
		otherSession := e.Session != "" && e.Session != d.Session // the line of an offline grant has no session
		switch {
		case !e.Follows(e.Seq-1, e.Prev):
			faults = append(faults, fmt.Sprintf("audit line %d was changed: its hash is another", e.Seq))
		case !isFirst && e.Seq <= previous.Seq:
			faults = append(faults, fmt.Sprintf("audit line %d is out of order", e.Seq))
		case isSuccessor && e.Prev != previous.Hash:
			faults = append(faults, fmt.Sprintf("audit line %d does not follow the line before", e.Seq))
		case e.Cause != d.Txn || otherSession:
			faults = append(faults, fmt.Sprintf("audit line %d is about something else", e.Seq))
		case e.Reason != d.Reason:
			faults = append(faults, fmt.Sprintf("audit line %d gives another reason", e.Seq))
		}
		previous = e
	}
	return faults
}
