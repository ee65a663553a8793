package signout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Store is what signing out asks of the store.
type Store interface {
	Client(ctx context.Context, id string) (*storage.Client, error)
	User(ctx context.Context, subject string) (storage.User, error)
	SessionLister
	SessionBySID(ctx context.Context, sid string, at time.Time) (storage.Session, storage.ClientSession, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
	ListReports(ctx context.Context, f storage.ReportFilter, p storage.Page) (reports []storage.Report, next string, err error)
	UpdateReport(ctx context.Context, id string, change func(*storage.Report)) error
}

// HintVerifier verifies ID token hints: expired ones and those signed by retired keys count (RP-Initiated Logout 1.0 §2).
type HintVerifier interface {
	VerifyHint(token string) (keys.Hint, error)
}

// Handler serves /end_session and /signed-out/….
type Handler struct {
	Site          *web.Site
	Store         Store
	Terminator    *logout.Terminator
	HintVerifier  HintVerifier
	SubjectFor    func(subject string, c *storage.Client) string
	Lifetimes     logout.Lifetimes
	DefaultScope  templates.LogoutScope // what a sign-out ends where neither client nor person says otherwise
	AlwaysConfirm bool                  // ask even where the hint would spare the question
	ContinueAfter time.Duration         // how long the signed-out page waits for applications before it goes on
}

const (
	purposeRequest = "end-session" // a POST on its way to our own GET
	purposeConfirm = "sign-out"
	purposeStatus  = "status"

	requestLifetime = 10 * time.Minute
	statusLifetime  = 10 * time.Minute
	maxFrames       = 50
)

// OfflineNames are the applications of grants that survive, each once, by name.
func (h *Handler) offlineClientNames(ctx context.Context, subject string) ([]string, error) {
	grants, err := h.Store.ListGrants(ctx, subject, "", true, h.Site.Now())
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

func (h *Handler) clientName(ctx context.Context, id string) string {
	if c, err := h.Store.Client(ctx, id); err == nil && c.ClientName != "" {
		return c.ClientName
	}
	return id
}
