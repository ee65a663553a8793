package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// WeakestClientSessions adds the entries of client sessions in reports, as they are at now, to entries. Of several
// client sessions of one client it keeps only the one with the least certain trust state.
func WeakestClientSessions(
	entries []storage.ReportEntry,
	reports []storage.Report,
	now time.Time,
) []storage.ReportEntry {
	for _, report := range reports {
		for _, entry := range report.Entries {
			if entry.Kind != KindClientSession {
				continue
			}
			entry = EntryAt(entry, now)
			i := slices.IndexFunc(entries, func(e storage.ReportEntry) bool { return e.Client == entry.Client })
			switch {
			case i < 0:
				entries = append(entries, entry)
			case certainty(entry.Trust) < certainty(entries[i].Trust):
				entries[i] = entry
			}
		}
	}
	return entries
}

// LessCertain reports whether a is a less certain trust state than b.
func LessCertain(a, b storage.TrustState) bool { return trustRank(a) < trustRank(b) }

// certainty orders the trust states as trustRank does, but revoked and confirmed are equal: after both, nothing is
// trusted any more.
func certainty(s storage.TrustState) int {
	return min(trustRank(s), trustRank(storage.TrustConfirmed))
}
