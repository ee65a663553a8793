package account

import (
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Apps handles GET /account/applications: the apps that the user has allowed or uses, and their background access.
func (h *Handler) Apps(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	page, err := h.appsPage(w, r, v)
	if err != nil {
		return err
	}
	policy := web.PagePolicy{FormsToSelf: true}
	for _, app := range page.Applications {
		policy.ImageOrigins = append(policy.ImageOrigins, web.LogoOrigins(&app.Application)...)
	}
	web.PageHeaders(w, policy)
	h.Site.LogRenderError(r, templates.Applications(w, page))
	return nil
}

func (h *Handler) appsPage(w http.ResponseWriter, r *http.Request, v viewer) (templates.ApplicationsPage, error) {
	ctx := r.Context()
	accountPage, err := h.accountPage(w, r, v)
	page := templates.ApplicationsPage{AccountPage: accountPage, Action: h.Site.Path("/account/applications")}
	if err != nil {
		return page, err
	}
	consents, err := h.Store.ListConsents(ctx, v.user.Subject)
	if err != nil {
		return page, err
	}
	const allClients, offlineOnly = "", false
	grants, err := h.Store.ListGrants(ctx, v.user.Subject, allClients, offlineOnly, h.Site.Now())
	if err != nil {
		return page, err
	}
	sessions, err := h.sessions(ctx, v)
	if err != nil {
		return page, err
	}
	findApp := h.apps(ctx)
	appName := h.appNames(ctx)
	byClient := map[string]*templates.AppGrant{}
	clientIDs := []string{}
	findOrAdd := func(client string) *templates.AppGrant {
		if byClient[client] == nil {
			byClient[client] = &templates.AppGrant{Application: *findApp(client)}
			clientIDs = append(clientIDs, client)
		}
		return byClient[client]
	}
	for _, consent := range consents {
		app := findOrAdd(consent.Client)
		app.ID = consent.Client
		app.Scopes = consent.Scope
		app.Claims = consent.Claims
		app.Since = consent.At
	}
	for _, s := range sessions {
		for _, clientSession := range s.ClientSessions {
			app := findOrAdd(clientSession.Client)
			device := templates.ParseDevice(s.UserAgent)
			if !slices.Contains(app.Devices, device) {
				app.Devices = append(app.Devices, device)
			}
			if clientSession.LastUsed.After(app.LastUse) {
				app.LastUse = clientSession.LastUsed
			}
		}
	}
	for _, g := range grants {
		app := findOrAdd(g.Client)
		if g.LastUsed.After(app.LastUse) {
			app.LastUse = g.LastUsed
		}
		if len(app.Scopes) == 0 {
			app.Scopes = g.Scope
		}
		if g.Offline() {
			app.Offline = append(app.Offline, offlineAccess(g, appName))
		}
	}
	latestUseFirst := func(a, b string) int { return byClient[b].LastUse.Compare(byClient[a].LastUse) }
	slices.SortFunc(clientIDs, latestUseFirst)
	for _, client := range clientIDs {
		app := *byClient[client]
		app.APIScopes = h.APIScopes.Descriptions(app.Scopes)
		page.Applications = append(page.Applications, app)
	}
	return page, nil
}

// WithdrawConsent handles POST /account/applications: it withdraws the consent to a client, or ends one offline access.
func (h *Handler) WithdrawConsent(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	if grant := form.Get("end-offline"); grant != "" {
		return h.endOffline(w, r, v, grant, "/account/applications")
	}
	client := form.Get("withdraw")
	if client == "" {
		h.redirectWithNotice(w, "/account/applications", templates.NoticeNothing)
		return nil
	}
	_, err = h.Store.Consent(r.Context(), v.user.Subject, client)
	if errors.Is(err, storage.ErrNotFound) {
		h.redirectWithNotice(w, "/account/applications", templates.NoticeOver)
		return nil
	}
	if err != nil {
		return err
	}
	// The client's client sessions and offline access end with the consent. The user's sessions stay.
	request := storage.EndRequest{
		Selector: storage.Selector{Subject: v.user.Subject, Client: client, IncludeOffline: true},
		Cause:    h.cause(r, v, storage.ReasonConsentWithdrawn),
		Change:   storage.Change{WithdrawConsent: &storage.Consent{Subject: v.user.Subject, Client: client}},
	}
	return h.endAndReport(w, r, v, request, "/account/applications", templates.NoticeWithdrawn)
}
