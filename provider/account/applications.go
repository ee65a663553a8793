package account

import (
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Applications is GET /account/applications: what applications may do, and which keep access while the person is away.
func (h *Handler) Applications(w http.ResponseWriter, r *http.Request) {
	who, ok := h.enter(w, r)
	if !ok {
		return
	}
	page, err := h.applicationsPage(w, r, who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	policy := web.PagePolicy{FormSelf: true}
	for _, a := range page.Applications {
		policy.Images = append(policy.Images, web.LogoOrigins(&a.Application)...)
	}
	web.PageHeaders(w, policy)
	h.Site.Render(r, templates.Applications(w, page))
}

func (h *Handler) applicationsPage(w http.ResponseWriter, r *http.Request, who person) (templates.ApplicationsPage, error) {
	ctx := r.Context()
	shell, err := h.shell(w, r, who)
	page := templates.ApplicationsPage{AccountPage: shell, Action: h.Site.Path("/account/applications")}
	if err != nil {
		return page, err
	}
	consents, err := h.Store.ListConsents(ctx, who.user.Subject)
	if err != nil {
		return page, err
	}
	grants, err := h.Store.ListGrants(ctx, who.user.Subject, "", false, h.Site.Now())
	if err != nil {
		return page, err
	}
	sessions, err := h.sessions(ctx, who)
	if err != nil {
		return page, err
	}
	find, name := h.applications(ctx), h.names(ctx)
	byClient := map[string]*templates.Allowed{}
	order := []string{}
	of := func(client string) *templates.Allowed {
		if byClient[client] == nil {
			byClient[client] = &templates.Allowed{Application: *find(client)}
			order = append(order, client)
		}
		return byClient[client]
	}
	for _, c := range consents {
		a := of(c.Client)
		a.ID, a.Scopes, a.Claims, a.Since = c.Client, c.Scope, c.Claims, c.At
	}
	for _, s := range sessions {
		for _, m := range s.Members {
			a := of(m.Client)
			if device := templates.Device(s.UserAgent); !slices.Contains(a.Devices, device) {
				a.Devices = append(a.Devices, device)
			}
			if m.LastUsed.After(a.LastUse) {
				a.LastUse = m.LastUsed
			}
		}
	}
	for _, g := range grants {
		a := of(g.Client)
		if g.LastUsed.After(a.LastUse) {
			a.LastUse = g.LastUsed
		}
		if len(a.Scopes) == 0 {
			a.Scopes = g.Scope
		}
		if g.Offline() {
			a.Offline = append(a.Offline, offlineOf(g, name))
		}
	}
	slices.SortFunc(order, func(a, b string) int { return byClient[b].LastUse.Compare(byClient[a].LastUse) })
	for _, client := range order {
		page.Applications = append(page.Applications, *byClient[client])
	}
	return page, nil
}

// Withdraw is POST /account/applications: withdraw what an application was allowed, or end its offline access.
func (h *Handler) Withdraw(w http.ResponseWriter, r *http.Request) {
	who, form, ok := h.submitted(w, r)
	if !ok {
		return
	}
	if grant := form.Get("end-offline"); grant != "" {
		h.endOffline(w, r, who, grant, "/account/applications")
		return
	}
	client := form.Get("withdraw")
	if client == "" {
		h.done(w, "/account/applications", "nothing")
		return
	}
	switch _, err := h.Store.Consent(r.Context(), who.user.Subject, client); {
	case errors.Is(err, storage.ErrNotFound):
		h.done(w, "/account/applications", "over")
		return
	case err != nil:
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	// What the application holds ends with what it was allowed, offline access included; single sign-on lives on.
	sel := storage.Selector{Subject: who.user.Subject, Client: client, Offline: true}
	change := storage.Change{Withdraw: &storage.Consent{Subject: who.user.Subject, Client: client}}
	h.end(w, r, who, sel, storage.ReasonConsentWithdrawn, change, "/account/applications", "withdrawn")
}
