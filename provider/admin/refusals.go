package admin

import (
	"context"
	"net/http"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// RefusalList has the last refused requests of a client since the server started, newest first.
type RefusalList struct {
	Refusals []web.ClientRefusal `json:"refusals"`
}

func (a *api) listRefusals(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	c, err := a.findClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	list := a.Refusals.Of(c.ClientID)
	if list == nil {
		list = []web.ClientRefusal{}
	}
	return writeJSON(w, http.StatusOK, RefusalList{list})
}

// maxSearchedReports is the number of reports that neverSignedIn reads.
const maxSearchedReports = 5000

// neverSignedIn returns the clients of the list that have no client session and no entry in the newest reports: no
// user has signed in to them, or not for a long time.
func (a *api) neverSignedIn(ctx context.Context, clients []*storage.Client) (map[string]bool, error) {
	never := map[string]bool{}
	for _, c := range clients {
		if c.Disabled || !c.CanJoinSession() {
			continue
		}
		sessions, _, err := a.Store.ListSessions(
			ctx, storage.Selector{Client: c.ClientID}, a.Now(), storage.Page{Limit: 1})
		if err != nil {
			return nil, err
		}
		if len(sessions) == 0 {
			never[c.ClientID] = true
		}
	}
	page := storage.Page{Limit: maxLimit}
	for searched := 0; len(never) > 0 && searched < maxSearchedReports; searched += maxLimit {
		reports, next, err := a.Store.ListReports(ctx, storage.ReportFilter{}, page)
		if err != nil {
			return nil, err
		}
		for _, report := range reports {
			for _, entry := range report.Entries {
				delete(never, entry.Client)
			}
		}
		if next == "" {
			break
		}
		page.After = next
	}
	return never, nil
}
