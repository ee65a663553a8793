package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The kinds of report entries: the values of ReportEntry.Kind.
const (
	KindClientSession = "client_session" // the session that a client made for itself
	KindAccessTokens  = "access_tokens"  // the access tokens that a client was given
	KindOfflineAccess = "offline_access" // the offline access of a client, which a logout leaves unless asked to end it
)

// The channels by which a client is notified: the values of ReportEntry.Channels.
const (
	BackChannel  = "backchannel"
	FrontChannel = "frontchannel"
)

// The states of a re-notification: the values of ReportEntry.Renotification.
const (
	RenotificationPending = "pending"
	RenotificationDone    = "done"
	RenotificationFailed  = "failed"
)

// trustRank orders trust states by how certain the end is. The state of an entry only moves up.
func trustRank(s storage.TrustState) int {
	switch s {
	case storage.TrustNotified:
		return 1
	case storage.TrustExpiring:
		return 2
	case storage.TrustConfirmed:
		return 3
	case storage.TrustRevoked:
		return 4
	default:
		return 0
	}
}

// MergeEntry returns old with what next adds to it. The trust state only moves towards revoked, a bound only comes
// nearer, and a delivery that is done stays done.
func MergeEntry(old, next storage.ReportEntry) storage.ReportEntry {
	entry := old
	switch {
	case trustRank(next.Trust) > trustRank(old.Trust):
		entry.Trust = next.Trust
		if !next.ExpiresAt.IsZero() {
			entry.ExpiresAt, entry.BoundBy = next.ExpiresAt, next.BoundBy
		}
	case old.Trust == storage.TrustExpiring && next.Trust == storage.TrustExpiring && next.ExpiresAt.Before(old.ExpiresAt):
		entry.ExpiresAt, entry.BoundBy = next.ExpiresAt, next.BoundBy
	}
	if old.NotifiedAt.IsZero() || trustRank(next.Trust) > trustRank(old.Trust) && !next.NotifiedAt.IsZero() {
		entry.NotifiedAt = next.NotifiedAt
	}
	entry.Attempts = max(old.Attempts, next.Attempts)
	if !next.LastAnswer.At.Before(old.LastAnswer.At) {
		entry.LastAnswer = next.LastAnswer
	}
	if old.Delivery != storage.DeliveryDone && next.Delivery != "" {
		entry.Delivery = next.Delivery
	}
	if old.Renotification != RenotificationDone && next.Renotification != "" {
		entry.Renotification = next.Renotification
	}
	entry.NextAttempt = next.NextAttempt
	if entry.Delivery != storage.DeliveryPending && entry.Renotification != RenotificationPending {
		entry.NextAttempt = time.Time{}
	}
	return entry
}

// EntryAt returns entry as it stands at now: an expiring entry is revoked when its bound has passed. ExpiresAt and
// BoundBy stay, so that the entry still shows why.
func EntryAt(entry storage.ReportEntry, now time.Time) storage.ReportEntry {
	if entry.Trust == storage.TrustExpiring && !now.Before(entry.ExpiresAt) {
		entry.Trust = storage.TrustRevoked
	}
	return entry
}

// entryUpdater returns the change of the report entry that an outcome of delivery d brings. d is the delivery as
// claimed.
func entryUpdater(
	d storage.Delivery,
	state storage.DeliveryState,
	next time.Time,
	a storage.Answer,
) func(storage.ReportEntry) storage.ReportEntry {
	return func(old storage.ReportEntry) storage.ReportEntry {
		old = EntryAt(old, a.At)
		entry := old
		entry.LastAnswer, entry.NextAttempt = a, next
		if d.Renotification {
			entry = applyRenotification(entry, state, a)
		} else {
			entry = applyNotification(entry, d, state, a)
		}
		if d.Untrusted {
			entry.Trust = old.Trust // its answers prove nothing: the entry ends by its bound or stays unknown
		}
		return MergeEntry(old, entry)
	}
}

// applyNotification applies the outcome of a first notification. If a re-notification follows, the answer confirms
// nothing yet: the relying party may still have been creating its session.
func applyNotification(
	entry storage.ReportEntry,
	d storage.Delivery,
	state storage.DeliveryState,
	a storage.Answer,
) storage.ReportEntry {
	entry.Delivery, entry.Attempts = state, d.Attempts
	if state != storage.DeliveryDone {
		return entry
	}
	entry.NotifiedAt, entry.Trust = a.At, storage.TrustConfirmed
	if entry.Renotification == RenotificationPending || entry.Renotification == RenotificationFailed {
		entry.Trust = storage.TrustNotified
	}
	return entry
}

// applyRenotification applies the outcome of a re-notification. Its success counts for the first notification too:
// the relying party accepted a logout token.
func applyRenotification(entry storage.ReportEntry, state storage.DeliveryState, a storage.Answer) storage.ReportEntry {
	switch state {
	case storage.DeliveryDone:
		entry.Renotification, entry.Delivery = RenotificationDone, storage.DeliveryDone
		entry.Trust, entry.NotifiedAt = storage.TrustConfirmed, a.At
	case storage.DeliveryPending:
		entry.Renotification = RenotificationPending
	default:
		entry.Renotification = RenotificationFailed
	}
	return entry
}

// MarkFrontChannelNotified returns the change of a report when the browser is given the frames of a front-channel
// logout for those clients. It proves nothing. Neither does a frame's load event, which comes for errors and refusals
// too (Front-Channel Logout 1.0 has no answer).
func MarkFrontChannelNotified(clients []string, at time.Time) func(*storage.Report) {
	return func(r *storage.Report) {
		for _, client := range clients {
			if entry := r.Entry(KindClientSession, client); entry != nil {
				current := EntryAt(*entry, at)
				notified := current
				notified.Trust, notified.NotifiedAt = storage.TrustNotified, at
				*entry = MergeEntry(current, notified)
			}
		}
	}
}

// DeliveriesFinished reports whether no first notification of the report is pending. A re-notification is not waited
// for.
func DeliveriesFinished(r storage.Report) bool {
	for _, entry := range r.Entries {
		if entry.Delivery == storage.DeliveryPending {
			return false
		}
	}
	return true
}
