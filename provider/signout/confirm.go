package signout

import (
	"context"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// ConfirmPath takes what the confirmation page sends.
const ConfirmPath = "/end_session/confirm"

// confirmation is what the confirmation page asks about.
type confirmation struct {
	Verdict verdict           `json:"v"`
	Session storage.SessionID `json:"s"`
}

// confirm asks what to end. The first choice is what would happen by default.
func (h *Handler) confirm(w http.ResponseWriter, r *http.Request, d verdict, session *storage.Session) {
	ctx := r.Context()
	user, err := h.Store.User(ctx, session.Subject)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	handle, err := h.Site.Handle(w, r, purposeConfirm, confirmation{d, session.ID}, requestLife)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	page := templates.SignOutPage{Page: h.Site.Page(r), Action: h.Site.Path(ConfirmPath), Handle: handle, Application: h.application(ctx, d), Problem: d.Problem}
	page.Account = user.Name
	if user.Email != "" {
		page.Account = user.Email
	}
	if page.Offline, err = h.offlineNames(ctx, session.Subject); err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	for _, extent := range h.choices(r, d, session) {
		preview, err := h.preview(ctx, extent, session, d.Client)
		if err != nil {
			h.Site.Error(w, r, web.FaultOf(err))
			return
		}
		page.Choices = append(page.Choices, templates.SignOutChoice{Extent: extent, Preview: preview})
	}
	web.PageHeaders(w, web.PagePolicy{Forms: true, Images: web.LogoOrigins(page.Application)}) // no form-action: the answer may lead to the application
	if d.Problem != "" {
		w.WriteHeader(http.StatusBadRequest)
	}
	h.Site.Render(r, templates.SignOut(w, page))
}

// preview is what would remain after that extent.
func (h *Handler) preview(ctx context.Context, extent templates.Extent, session *storage.Session, client string) (*templates.Horizon, error) {
	now := h.Site.Now()
	grants, err := h.Store.ListGrants(ctx, session.Subject, "", false, now)
	if err != nil {
		return nil, err
	}
	sessions := []storage.Session{*session}
	switch extent {
	case templates.ExtentApplication:
		sessions[0].Members = nil
		if m := session.Member(client); m != nil {
			sessions[0].Members = []storage.Member{*m}
		}
	case templates.ExtentEverywhere:
		if sessions, err = AllSessions(ctx, h.Store, session.Subject, now); err != nil {
			return nil, err
		}
	}
	estimate, err := Estimate(ctx, h.Store, sessions, grants, now, logout.Options{Lifetimes: h.Lifetimes})
	if err != nil {
		return nil, err
	}
	figures := Figures(estimate)
	return &figures, nil
}

// choices are the extents that make sense here, the default first.
func (h *Handler) choices(r *http.Request, d verdict, session *storage.Session) []templates.Extent {
	all := []templates.Extent{templates.ExtentBrowser, templates.ExtentEverywhere}
	if session.Member(d.Client) != nil {
		all = append(all, templates.ExtentApplication)
	}
	first := h.extent(r, d)
	slices.SortStableFunc(all, func(a, b templates.Extent) int {
		switch {
		case a == b:
			return 0
		case a == first:
			return -1
		case b == first:
			return 1
		}
		return 0
	})
	return all
}

// Confirm is POST /end_session/confirm.
func (h *Handler) Confirm(w http.ResponseWriter, r *http.Request) {
	form, err := web.Params(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	var c confirmation
	if _, err := h.Site.OpenHandle(r, purposeConfirm, form.Get("handle"), &c); err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	d, err := h.current(r.Context(), c.Verdict)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	d.Problem = "" // the person has seen it; a target it was about is not in the verdict
	switch extent := templates.Extent(form.Get("extent")); {
	case !signedIn:
		h.nobody(w, r, d)
	case session.ID != c.Session:
		// Somebody else signed in meanwhile: they were not asked.
		h.confirm(w, r, c.Verdict, &session)
	case slices.Contains(h.choices(r, d, &session), extent):
		h.end(w, r, d, &session, extent)
	default:
		page := templates.MessagePage{Page: h.Site.Page(r), Title: "You are still signed in", Text: "Nothing was ended.", LinkURL: h.Site.Path("/account"), LinkText: "See where you are signed in"}
		web.PageHeaders(w, web.PagePolicy{FormSelf: true})
		h.Site.Render(r, templates.Message(w, page))
	}
}

// selector says what an extent ends.
func selector(extent templates.Extent, session *storage.Session, client string) storage.Selector {
	switch extent {
	case templates.ExtentApplication:
		return storage.Selector{Sessions: []storage.SessionID{session.ID}, Client: client}
	case templates.ExtentEverywhere:
		return storage.Selector{Subject: session.Subject}
	}
	return storage.Selector{Sessions: []storage.SessionID{session.ID}}
}
