package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The kinds of holders, as they stand in Row.Kind.
const (
	KindClientSession = "client_session" // the session that a relying party made for itself
	KindAccessTokens  = "access_tokens"  // the access tokens it was given
	KindOfflineAccess = "offline_access" // its offline access, which no logout ends unless asked to
)

// The channels of an application, as they stand in Row.Channels.
const (
	BackChannel  = "backchannel"
	FrontChannel = "frontchannel"
)

// The states of a second telling, as they stand in Row.Late.
const (
	RenotificationPending = "pending"
	RenotificationDone    = "done"
	RenotificationFailed  = "failed"
)

// trustRank orders trust states: a row only moves up.
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

// MergeEntry is what a row becomes when next is learned about it. Trust only moves towards closed, a bound only comes nearer, and a
// delivery that was done stays done.
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

// EntryAt is a row as it reads at that moment: what was bounded is closed once its bound has passed. Until and Basis stay, so that
// it still shows that it expired.
func EntryAt(entry storage.ReportEntry, now time.Time) storage.ReportEntry {
	if entry.Trust == storage.TrustExpiring && !now.Before(entry.ExpiresAt) {
		entry.Trust = storage.TrustRevoked
	}
	return entry
}

// entryUpdater is the row's part of a delivery's outcome. d is the delivery as claimed.
func entryUpdater(d storage.Delivery, state storage.DeliveryState, next time.Time, a storage.Answer) func(storage.ReportEntry) storage.ReportEntry {
	return func(old storage.ReportEntry) storage.ReportEntry {
		old = EntryAt(old, a.At) // what has expired by then is closed, and stays so
		entry := old
		entry.LastAnswer, entry.NextAttempt = a, next
		if d.Renotification {
			return MergeEntry(old, applyRenotification(entry, state, a))
		}
		entry.Delivery, entry.Attempts = state, d.Attempts
		if state == storage.DeliveryDone {
			entry.NotifiedAt = a.At
			entry.Trust = storage.TrustConfirmed
			// A relying party that was still creating its session when it answered has confirmed nothing: the second telling decides.
			if old.Renotification == RenotificationPending || old.Renotification == RenotificationFailed {
				entry.Trust = storage.TrustNotified
			}
		}
		return MergeEntry(old, entry)
	}
}

// applyRenotification is the outcome of a second telling. Its success counts for the first too: the relying party took a logout token.
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

// MarkFrontChannelNotified notes that the browser was given the frames of a front-channel logout for those clients. Nothing is proved by it, nor would
// be by a frame's load event: it comes for errors and refusals too (Front-Channel Logout 1.0 knows no answer).
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

// DeliveriesFinished reports whether every application that is told directly has answered, or was given up. A second telling is not waited for.
func DeliveriesFinished(r storage.Report) bool {
	for _, entry := range r.Entries {
		if entry.Delivery == storage.DeliveryPending {
			return false
		}
	}
	return true
}
