package logout

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// WeakestClientSessions adds the client sessions of reports, as they stand at now, to entries. A client with several
// client sessions gets one entry: the one about which least is known.
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

// certainty orders trust states by how certain the end is. Revoked and confirmed are equal: nothing is trusted any
// more.
func certainty(s storage.TrustState) int {
	return min(trustRank(s), trustRank(storage.TrustConfirmed))
}
