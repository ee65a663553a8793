package admin

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// RefusalList has the last refused requests of a client, newest first: those since the server started, and the stored
// one if it is another.
type RefusalList struct {
	Refusals []storage.ClientRefusal `json:"refusals"`
}

func (a *api) listRefusals(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	c, err := a.findClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	list, err := a.lastRefusals(r.Context(), c.ClientID)
	if err != nil {
		return err
	}
	if list == nil {
		list = []storage.ClientRefusal{}
	}
	return writeJSON(w, http.StatusOK, RefusalList{list})
}

// lastRefusals returns the last refusals of a client, newest first. The store has one of an earlier run or of another
// replica.
func (a *api) lastRefusals(ctx context.Context, client string) ([]storage.ClientRefusal, error) {
	list := a.Refusals.Of(client)
	activity, err := a.Store.ClientActivity(ctx, client)
	stored := activity.LastRefusal
	isListed := slices.ContainsFunc(list, func(r storage.ClientRefusal) bool { return r.RequestID == stored.RequestID })
	if err != nil || stored.At.IsZero() || isListed {
		return list, err
	}
	list = append(list, stored)
	slices.SortStableFunc(list, func(a, b storage.ClientRefusal) int { return b.At.Compare(a.At) })
	return list, nil
}

// maxSearchedReports is the number of reports that neverSignedIn reads.
const maxSearchedReports = 5000

// neverSignedIn returns the clients of the list to which no user has signed in. The store records the first sign-in.
// Sign-ins before it did so have left a client session, or an entry in the newest reports.
func (a *api) neverSignedIn(ctx context.Context, clients []*storage.Client) (map[string]bool, error) {
	never := map[string]bool{}
	for _, c := range clients {
		if c.Disabled || !c.CanJoinSession() {
			continue
		}
		activity, err := a.Store.ClientActivity(ctx, c.ClientID)
		if err != nil {
			return nil, err
		}
		if !activity.FirstSignIn.IsZero() {
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
