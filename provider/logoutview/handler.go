package logoutview

import (
	"context"
	"errors"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Store is the part of storage.Store that this package uses.
type Store interface {
	ClientFinder
	SessionLister
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
	ListReports(
		ctx context.Context,
		f storage.ReportFilter,
		p storage.Page,
	) (reports []storage.Report, next string, err error)
	UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error
}

// Handler serves /signed-out/… and ends sessions at the request of the browser that owns one of them.
type Handler struct {
	Site       *web.Site
	Store      Store
	Terminator *logout.Terminator
	Policy     policy.Logout
	Upstreams  upstream.Set // a logout may end the session at one of them too
}

// OfflineClientNames returns the names of the clients that keep offline access when the user's sessions end. It names
// each client once.
func (h *Handler) OfflineClientNames(ctx context.Context, subject string) ([]string, error) {
	const allClients, offlineOnly = "", true
	grants, err := h.Store.ListGrants(ctx, subject, allClients, offlineOnly, h.Site.Now())
	if err != nil {
		return nil, err
	}
	var names []string
	seen := map[string]bool{}
	for _, g := range grants {
		if seen[g.Client] {
			continue
		}
		seen[g.Client] = true
		names = append(names, h.clientName(ctx, g.Client))
	}
	return names, nil
}

// AppNames returns the names of the clients of these sessions, each once. notified are the clients that are notified
// when the sessions end; unnotified have no logout URI.
func (h *Handler) AppNames(ctx context.Context, sessions []storage.Session) (notified, unnotified []string, err error) {
	seen := map[string]bool{}
	for _, s := range sessions {
		for _, clientSession := range s.ClientSessions {
			if seen[clientSession.Client] {
				continue
			}
			seen[clientSession.Client] = true
			client, err := h.Store.Client(ctx, clientSession.Client)
			switch {
			case errors.Is(err, storage.ErrNotFound): // the client was removed
			case err != nil:
				return nil, nil, err
			case hasLogoutURI(client):
				notified = append(notified, h.clientName(ctx, client.ClientID))
			default:
				unnotified = append(unnotified, h.clientName(ctx, client.ClientID))
			}
		}
	}
	return notified, unnotified, nil
}

// clientName returns the client's name or, if it cannot be read or is empty, the client ID.
func (h *Handler) clientName(ctx context.Context, id string) string {
	if c, err := h.Store.Client(ctx, id); err == nil && c.ClientName != "" {
		return c.ClientName
	}
	return id
}

// hasLogoutURI reports whether the client can be notified of session terminations.
func hasLogoutURI(c *storage.Client) bool {
	return c.BackchannelLogoutURI != "" || c.FrontchannelLogoutURI != ""
}
