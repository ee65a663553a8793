package logout

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The values of ReportEntry.Kind.
const (
	KindClientSession = "client_session" // the session that a client keeps for itself
	KindAccessTokens  = "access_tokens"  // the access tokens of a client
	KindOfflineAccess = "offline_access" // the offline access of a client

	KindUpstreamSession = "upstream_session" // the session at the upstream from which the ended session came
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

// trustRank orders the trust states by certainty. The state of an entry only rises.
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

// MergeEntry returns old with the changes of next. The trust state only rises, and the time at which an expiring entry
// expires only moves to an earlier time. A delivery that is done stays done.
func MergeEntry(old, next storage.ReportEntry) storage.ReportEntry {
	entry := old
	trustRises := trustRank(next.Trust) > trustRank(old.Trust)
	bothExpiring := old.Trust == storage.TrustExpiring && next.Trust == storage.TrustExpiring
	switch {
	case trustRises:
		entry.Trust = next.Trust
		if !next.ExpiresAt.IsZero() {
			entry.ExpiresAt = next.ExpiresAt
			entry.BoundBy = next.BoundBy
		}
	case bothExpiring && next.ExpiresAt.Before(old.ExpiresAt):
		entry.ExpiresAt = next.ExpiresAt
		entry.BoundBy = next.BoundBy
	}
	notifiedAnew := trustRises && !next.NotifiedAt.IsZero()
	if old.NotifiedAt.IsZero() || notifiedAnew {
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

// EntryAt returns entry as it is at now: an expiring entry becomes revoked at ExpiresAt. ExpiresAt and BoundBy stay, so
// that the entry shows the reason.
func EntryAt(entry storage.ReportEntry, now time.Time) storage.ReportEntry {
	if entry.Trust == storage.TrustExpiring && !now.Before(entry.ExpiresAt) {
		entry.Trust = storage.TrustRevoked
	}
	return entry
}

// entryUpdater returns the change that an outcome of an attempt makes to the client's report entry. d is the delivery
// as it was claimed.
func entryUpdater(
	d storage.Delivery,
	state storage.DeliveryState,
	nextAttempt time.Time,
	answer storage.Answer,
) func(storage.ReportEntry) storage.ReportEntry {
	return func(old storage.ReportEntry) storage.ReportEntry {
		old = EntryAt(old, answer.At)
		entry := old
		entry.LastAnswer = answer
		entry.NextAttempt = nextAttempt
		if d.Renotification {
			entry = applyRenotification(entry, state, answer)
		} else {
			entry = applyNotification(entry, d, state, answer)
		}
		if d.Untrusted {
			// The client's answers do not show whether it ended its session. Only ExpiresAt can change the state.
			entry.Trust = old.Trust
		}
		return MergeEntry(old, entry)
	}
}

// applyNotification applies the outcome of a first notification. If a re-notification follows, the answer does not
// confirm the logout yet: the relying party may have created its session only after that answer.
func applyNotification(
	entry storage.ReportEntry,
	d storage.Delivery,
	state storage.DeliveryState,
	answer storage.Answer,
) storage.ReportEntry {
	entry.Delivery = state
	entry.Attempts = d.Attempts
	if state != storage.DeliveryDone {
		return entry
	}
	entry.NotifiedAt = answer.At
	switch entry.Renotification {
	case RenotificationPending, RenotificationFailed:
		entry.Trust = storage.TrustNotified
	default:
		entry.Trust = storage.TrustConfirmed
	}
	return entry
}

// applyRenotification applies the outcome of a re-notification. If the relying party accepted it, the first
// notification counts as delivered too.
func applyRenotification(
	entry storage.ReportEntry,
	state storage.DeliveryState,
	answer storage.Answer,
) storage.ReportEntry {
	switch state {
	case storage.DeliveryDone:
		entry.Renotification = RenotificationDone
		entry.Delivery = storage.DeliveryDone
		entry.Trust = storage.TrustConfirmed
		entry.NotifiedAt = answer.At
	case storage.DeliveryPending:
		entry.Renotification = RenotificationPending
	default:
		entry.Renotification = RenotificationFailed
	}
	return entry
}

// MarkFrontChannelNotified returns the change of a report after the browser got the front-channel logout frames of
// clients. The entries of clients become notified, not confirmed: Front-Channel Logout 1.0 has no answer, and a
// browser fires a frame's load event for errors too.
func MarkFrontChannelNotified(clients []string, at time.Time) func(*storage.Report) {
	return func(r *storage.Report) {
		for _, client := range clients {
			if entry := r.Entry(KindClientSession, client); entry != nil {
				current := EntryAt(*entry, at)
				notified := current
				notified.Trust = storage.TrustNotified
				notified.NotifiedAt = at
				*entry = MergeEntry(current, notified)
			}
		}
	}
}

// DeliveriesFinished reports whether no first notification of the report is pending. It ignores re-notifications.
func DeliveriesFinished(r storage.Report) bool {
	for _, entry := range r.Entries {
		if entry.Delivery == storage.DeliveryPending {
			return false
		}
	}
	return true
}
