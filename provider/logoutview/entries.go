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

// ReportEntries returns the entries of a report as pages show them at now.
func ReportEntries(report storage.Report, now time.Time) []templates.Entry {
	entries := make([]templates.Entry, 0, len(report.Entries))
	for _, entry := range report.Entries {
		if entry.Kind == logout.KindUpstreamSession { // Horizon.Upstream shows it
			continue
		}
		entries = append(entries, pageEntry(logout.EntryAt(entry, now)))
	}
	return entries
}

// entryIDLength is the length of an entry's id on a page, in characters.
const entryIDLength = 12

// pageEntry converts one entry to the form that pages show.
func pageEntry(entry storage.ReportEntry) templates.Entry {
	name := entry.ClientName
	if name == "" {
		name = entry.Client
	}
	return templates.Entry{
		ID:             storage.HashOf(entry.Kind + " " + entry.Client).String()[:entryIDLength],
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
		Initiator:      entry.Initiator,
	}
}

// openURL returns the URL at which a user opens an app: its client_uri or, without one, the origin of its first http or
// https redirect URI. It returns "" if there is neither.
func openURL(c *storage.Client) string {
	if c.ClientURI != "" {
		return c.ClientURI
	}
	for _, uri := range c.RedirectURIs {
		origin := web.Origin(uri)
		if strings.HasPrefix(origin, "https://") || strings.HasPrefix(origin, "http://") {
			return origin + "/"
		}
	}
	return ""
}

// clientSessionEntries returns one entry for each client of the ended sessions. If several client sessions of a client
// ended, it returns the entry with the weakest trust state.
func (h *Handler) clientSessionEntries(ctx context.Context, result signOutResult) ([]templates.Entry, error) {
	now := h.Site.Now()
	filter := storage.ReportFilter{Cause: result.CauseID, At: time.UnixMilli(result.EndedAt)}
	var weakest []storage.ReportEntry
	var page storage.Page
	for {
		reports, next, err := h.Store.ListReports(ctx, filter, page)
		if err != nil {
			return nil, err
		}
		weakest = logout.WeakestClientSessions(weakest, reports, now)
		if next == "" {
			break
		}
		page.After = next
	}
	entries := make([]templates.Entry, 0, len(weakest))
	for _, reportEntry := range weakest {
		entry := pageEntry(reportEntry)
		client, err := h.Store.Client(ctx, reportEntry.Client)
		if ignoreNotFound(err) != nil {
			return nil, err
		}
		if err == nil {
			entry.OpenURL = openURL(client)
		}
		entries = append(entries, entry)
	}
	return entries, nil
}
