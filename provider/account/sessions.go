package account

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/signout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Sessions is GET /account: where the person is signed in.
func (h *Handler) Sessions(w http.ResponseWriter, r *http.Request) {
	who, ok := h.enter(w, r)
	if !ok {
		return
	}
	page, err := h.sessionsPage(w, r, who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	web.PageHeaders(w, web.PagePolicy{FormSelf: true})
	h.Site.Render(r, templates.Sessions(w, page))
}

func (h *Handler) sessionsPage(w http.ResponseWriter, r *http.Request, who person) (templates.SessionsPage, error) {
	ctx := r.Context()
	shell, err := h.shell(w, r, who)
	if err != nil {
		return templates.SessionsPage{}, err
	}
	page := templates.SessionsPage{AccountPage: shell, Action: h.Site.Path("/account/sessions")}
	all, err := h.sessions(ctx, who)
	if err != nil {
		return page, err
	}
	name := h.names(ctx)
	for _, s := range all {
		one := templates.Session{ID: storage.SessionHash(s.ID), Device: templates.Device(s.UserAgent), Address: s.Address, SignedIn: s.AuthTime,
			LastActive: s.LastActive, Ends: s.Deadline(), Current: s.ID == who.session.ID, Keep: s.Keep}
		for _, m := range s.Members {
			one.Applications = append(one.Applications, templates.Use{ID: one.ID + " " + m.Client, Name: name(m.Client), LastUse: m.LastUsed})
		}
		page.Sessions = append(page.Sessions, one)
	}
	grants, err := h.Store.ListGrants(ctx, who.user.Subject, "", false, h.Site.Now())
	if err != nil {
		return page, err
	}
	for _, g := range grants {
		if g.Offline() {
			page.Offline = append(page.Offline, offlineOf(g, name))
		}
	}
	horizon, err := h.horizon(ctx, all, grants)
	page.Everywhere = horizon
	return page, err
}

func offlineOf(g storage.Grant, name func(string) string) templates.Offline {
	return templates.Offline{ID: g.ID, Application: name(g.Client), Device: templates.Device(g.UserAgent), Since: g.Created, LastUse: g.LastUsed, Ends: g.Deadline()}
}

// horizon is what would remain if all these sessions ended now.
func (h *Handler) horizon(ctx context.Context, sessions []storage.Session, grants []storage.Grant) (*templates.Horizon, error) {
	estimate, err := signout.Estimate(ctx, h.Store, sessions, grants, h.Site.Now(), logout.Options{Lifetimes: h.Lifetimes})
	if err != nil {
		return nil, err
	}
	figures := signout.Figures(estimate)
	return &figures, nil
}

// SignOut is POST /account/sessions.
func (h *Handler) SignOut(w http.ResponseWriter, r *http.Request) {
	who, form, ok := h.submitted(w, r)
	if !ok {
		return
	}
	all, err := h.sessions(r.Context(), who)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	// Only the person's own sessions can be named, by a hash that means nothing elsewhere.
	find := func(hash string) []storage.SessionID {
		for _, s := range all {
			if storage.SessionHash(s.ID) == hash {
				return []storage.SessionID{s.ID}
			}
		}
		return nil
	}
	subject := who.user.Subject
	switch {
	case form.Get("sign-out") != "":
		h.endThese(w, r, who, find(form.Get("sign-out")), storage.ReasonAccount, "signed-out")
	case form.Get("not-me") != "":
		h.endThese(w, r, who, find(form.Get("not-me")), storage.ReasonNotMe, "not-me")
	case form.Get("leave") != "":
		hash, client, _ := strings.Cut(form.Get("leave"), " ")
		if ids := find(hash); ids != nil && slices.ContainsFunc(all, func(s storage.Session) bool { return s.ID == ids[0] && s.Member(client) != nil }) {
			h.end(w, r, who, storage.Selector{Sessions: ids, Client: client}, storage.ReasonApplication, storage.Change{}, "/account", "left")
			return
		}
		h.done(w, "/account", "over")
	case form.Get("end-offline") != "":
		h.endOffline(w, r, who, form.Get("end-offline"), "/account")
	case form.Get("extent") == string(templates.ExtentSelected) && len(form["session"]) > 0:
		var ids []storage.SessionID
		for _, hash := range form["session"] {
			ids = append(ids, find(hash)...)
		}
		h.endThese(w, r, who, ids, storage.ReasonAccount, "signed-out")
	case form.Get("extent") == string(templates.ExtentOthers):
		h.end(w, r, who, storage.Selector{Subject: subject, Except: who.session.ID}, storage.ReasonAccount, storage.Change{}, "/account", "signed-out")
	case form.Get("extent") == string(templates.ExtentEverywhere), form.Get("extent") == string(templates.ExtentOffline):
		sel := storage.Selector{Subject: subject, Offline: form.Get("extent") == string(templates.ExtentOffline)}
		h.Leave(w, r, &who.session, templates.ExtentEverywhere, sel, h.cause(r, who, storage.ReasonAccount), storage.Change{})
	default:
		h.done(w, "/account", "nothing")
	}
}

// endThese ends the sessions named, this browser's perhaps among them.
func (h *Handler) endThese(w http.ResponseWriter, r *http.Request, who person, ids []storage.SessionID, reason storage.Reason, what string) {
	path := "/account"
	if reason == storage.ReasonNotMe {
		path = "/account/security"
	}
	if len(ids) == 0 {
		h.done(w, path, "over")
		return
	}
	sel := storage.Selector{Sessions: ids}
	if slices.Contains(ids, who.session.ID) {
		h.Leave(w, r, &who.session, templates.ExtentBrowser, sel, h.cause(r, who, reason), storage.Change{})
		return
	}
	h.end(w, r, who, sel, reason, storage.Change{}, path, what)
}

// end ends sessions of other browsers, or shares, and leads to the report where there is one to see, else back.
func (h *Handler) end(w http.ResponseWriter, r *http.Request, who person, sel storage.Selector, reason storage.Reason, change storage.Change, back, what string) {
	outcome, err := h.Ender.End(r.Context(), sel, h.cause(r, who, reason), change)
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	for _, e := range outcome.Ended {
		if reason == storage.ReasonApplication && e.Session.ID == who.session.ID {
			h.Site.MarkLeft(w, r, sel.Client) // it must not sign the person in again unnoticed
		}
	}
	if len(outcome.Ended) == 0 && change.Withdraw == nil {
		what = "over"
	}
	if len(outcome.Reports) == 1 && back == "/account" && len(outcome.Ended[0].Session.Members) > 0 {
		web.Redirect(w, h.Site.Path("/account/reports/"+outcome.Reports[0]))
		return
	}
	h.done(w, back, what)
}

// endOffline ends one offline grant, if it is the person's.
func (h *Handler) endOffline(w http.ResponseWriter, r *http.Request, who person, grant, back string) {
	grants, err := h.Store.ListGrants(r.Context(), who.user.Subject, "", true, h.Site.Now())
	if err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	if !slices.ContainsFunc(grants, func(g storage.Grant) bool { return g.ID == grant }) {
		h.done(w, back, "over")
		return
	}
	if _, err := h.Ender.End(r.Context(), storage.Selector{Grant: grant}, h.cause(r, who, storage.ReasonOffline), storage.Change{}); err != nil {
		h.Site.Error(w, r, web.FaultOf(err))
		return
	}
	h.done(w, back, "offline")
}
