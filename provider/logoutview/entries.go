package logoutview

import (
	"context"
	"strings"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ReportEntries converts a report's entries, as they stand at now, to the form that pages show.
func ReportEntries(report storage.Report, now time.Time) []templates.Entry {
	entries := make([]templates.Entry, 0, len(report.Entries))
	for _, entry := range report.Entries {
		entries = append(entries, pageEntry(logout.EntryAt(entry, now)))
	}
	return entries
}

func pageEntry(entry storage.ReportEntry) templates.Entry {
	name := entry.Name
	if name == "" {
		name = entry.Client
	}
	return templates.Entry{
		ID:             storage.HashOf(entry.Kind + " " + entry.Client).String()[:12],
		Kind:           entry.Kind,
		Application:    name,
		Channels:       entry.Channels,
		Trust:          templates.Trust(entry.Trust),
		Delivery:       templates.Delivery(entry.Delivery),
		NotifiedAt:     entry.NotifiedAt,
		ExpiresAt:      entry.ExpiresAt,
		Attempts:       entry.Attempts,
		NextAttempt:    entry.NextAttempt,
		Status:         entry.LastAnswer.Status,
		Class:          entry.LastAnswer.Class,
		Renotification: entry.Renotification,
	}
}

// openURL is where a user opens an app: its client_uri, else the origin of its first redirect URI on the web.
func openURL(c *storage.Client) string {
	if c.ClientURI != "" {
		return c.ClientURI
	}
	for _, uri := range c.RedirectURIs {
		if origin := web.Origin(uri); strings.HasPrefix(origin, "https://") || strings.HasPrefix(origin, "http://") {
			return origin + "/"
		}
	}
	return ""
}

// clientSessionEntries returns one entry for each client of the ended sessions. If several of its client sessions
// ended, the one about which least is known counts.
func (h *Handler) clientSessionEntries(ctx context.Context, result signOutResult) ([]templates.Entry, error) {
	now := h.Site.Now()
	filter := storage.ReportFilter{Cause: result.CauseID, At: time.UnixMilli(result.EndedAt)}
	var weakest []storage.ReportEntry
	for after := ""; ; {
		reports, next, err := h.Store.ListReports(ctx, filter, storage.Page{After: after})
		if err != nil {
			return nil, err
		}
		weakest = logout.WeakestClientSessions(weakest, reports, now)
		if after = next; after == "" {
			break
		}
	}
	entries := make([]templates.Entry, 0, len(weakest))
	for _, entry := range weakest {
		pageEntry := pageEntry(entry)
		client, err := h.Store.Client(ctx, entry.Client)
		if ignoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil {
			pageEntry.OpenURL = openURL(client)
		}
		entries = append(entries, pageEntry)
	}
	return entries, nil
}
