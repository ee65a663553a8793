package account

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Sessions handles GET /account: the browsers and apps in which the user is signed in.
func (h *Handler) Sessions(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireViewer(w, r)
	if !ok {
		return err
	}
	page, err := h.sessionsPage(w, r, v)
	if err != nil {
		return err
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Sessions(w, page))
	return nil
}

func (h *Handler) sessionsPage(w http.ResponseWriter, r *http.Request, v viewer) (templates.SessionsPage, error) {
	ctx := r.Context()
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return templates.SessionsPage{}, err
	}
	page := templates.SessionsPage{AccountPage: accountPage, Action: h.Site.Path("/account/sessions")}
	sessions, err := h.sessions(ctx, v)
	if err != nil {
		return page, err
	}
	appName := h.appNames(ctx)
	for _, s := range sessions {
		view := templates.Session{
			ID:         storage.SessionHash(s.ID),
			Device:     templates.ParseDevice(s.UserAgent),
			Address:    s.Address,
			SignedIn:   s.AuthTime,
			LastActive: s.LastActive,
			Ends:       s.Deadline(),
			Current:    s.ID == v.session.ID,
			RememberMe: s.RememberMe,
		}
		for _, clientSession := range s.ClientSessions {
			view.Applications = append(view.Applications, templates.AppUse{
				ID:      view.ID + " " + clientSession.Client, // SignOut splits it at the space
				Name:    appName(clientSession.Client),
				LastUse: clientSession.LastUsed,
			})
		}
		page.Sessions = append(page.Sessions, view)
	}
	const allClients, offlineOnly = "", false
	grants, err := h.Store.ListGrants(ctx, v.user.Subject, allClients, offlineOnly, h.Site.Now())
	if err != nil {
		return page, err
	}
	for _, g := range grants {
		if g.Offline() {
			page.Offline = append(page.Offline, offlineAccess(g, appName))
		}
	}
	page.AllHorizon, err = h.horizon(ctx, sessions, grants)
	return page, err
}

// offlineAccess converts an offline grant to the form that pages show.
func offlineAccess(g storage.Grant, appName func(clientID string) string) templates.OfflineAccess {
	return templates.OfflineAccess{
		ID:          g.ID,
		Application: appName(g.Client),
		Device:      templates.ParseDevice(g.UserAgent),
		Since:       g.Created,
		LastUse:     g.LastUsed,
		Ends:        g.Deadline(),
	}
}

// horizon estimates the trust horizon if all these sessions ended now.
func (h *Handler) horizon(
	ctx context.Context,
	sessions []storage.Session,
	grants []storage.Grant,
) (*templates.Horizon, error) {
	options := logout.PreviewOptions{Lifetimes: h.Lifetimes}
	estimate, err := logoutview.EstimateHorizon(ctx, h.Store, sessions, grants, h.Site.Now(), options)
	if err != nil {
		return nil, err
	}
	pageHorizon := logoutview.PageHorizon(estimate, h.Upstreams)
	return &pageHorizon, nil
}

// SignOut handles POST /account/sessions. The name of the pressed button says what ends: a session ("sign-out",
// "not-me"), a client session ("leave"), offline access ("end-offline") or several sessions ("scope").
func (h *Handler) SignOut(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireForm(w, r)
	if !ok {
		return err
	}
	sessions, err := h.sessions(r.Context(), v)
	if err != nil {
		return err
	}
	// findSession returns the id of the user's session with this hash. The result is empty if there is none.
	findSession := func(hash string) []storage.SessionID {
		for _, s := range sessions {
			if storage.SessionHash(s.ID) == hash {
				return []storage.SessionID{s.ID}
			}
		}
		return nil
	}
	subject := v.user.Subject
	switch {
	case form.Get("sign-out") != "":
		ids := findSession(form.Get("sign-out"))
		return h.endSelected(w, r, v, ids, storage.ReasonAccount, templates.NoticeSignedOut)
	case form.Get("not-me") != "":
		ids := findSession(form.Get("not-me"))
		return h.endSelected(w, r, v, ids, storage.ReasonNotMe, templates.NoticeNotMe)
	case form.Get("leave") != "":
		hash, client, _ := strings.Cut(form.Get("leave"), " ")
		hasClientSession := slices.ContainsFunc(sessions, func(s storage.Session) bool {
			return storage.SessionHash(s.ID) == hash && s.ClientSession(client) != nil
		})
		if !hasClientSession {
			h.redirectWithNotice(w, "/account", templates.NoticeOver)
			return nil
		}
		req := storage.EndRequest{
			Selector: storage.Selector{Sessions: findSession(hash), Client: client},
			Cause:    h.cause(r, v, storage.ReasonClientSignOut),
		}
		return h.endAndReport(w, r, v, req, "/account", templates.NoticeAppSignedOut)
	case form.Get("end-offline") != "":
		return h.endOffline(w, r, v, form.Get("end-offline"), "/account")
	case form.Get("scope") == string(templates.ScopeOthers):
		req := storage.EndRequest{
			Selector: storage.Selector{Subject: subject, Except: v.session.ID},
			Cause:    h.cause(r, v, storage.ReasonAccount),
		}
		return h.endAndReport(w, r, v, req, "/account", templates.NoticeSignedOut)
	case form.Get("scope") == string(templates.ScopeAll), form.Get("scope") == string(templates.ScopeAllOffline):
		includeOffline := form.Get("scope") == string(templates.ScopeAllOffline)
		return h.endAndRender(w, r, v, storage.ScopeAll, storage.EndRequest{
			Selector: storage.Selector{Subject: subject, IncludeOffline: includeOffline},
			Cause:    h.cause(r, v, storage.ReasonAccount),
		})
	default:
		h.redirectWithNotice(w, "/account", templates.NoticeNothing)
	}
	return nil
}

// endSelected ends the sessions with these ids. If this browser's session is one of them, the answer is the
// signed-out page.
func (h *Handler) endSelected(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	ids []storage.SessionID,
	reason storage.Reason,
	notice templates.Notice,
) error {
	path := "/account"
	if reason == storage.ReasonNotMe {
		path = "/account/security"
	}
	if len(ids) == 0 {
		h.redirectWithNotice(w, path, templates.NoticeOver)
		return nil
	}
	req := storage.EndRequest{Selector: storage.Selector{Sessions: ids}, Cause: h.cause(r, v, reason)}
	if reason == storage.ReasonNotMe {
		const keepOffline = false
		req.SecureUser(v.user.Subject, keepOffline) // also ends one-time links
	}
	if slices.Contains(ids, v.session.ID) {
		return h.endAndRender(w, r, v, storage.ScopeSession, req)
	}
	return h.endAndReport(w, r, v, req, path, notice)
}

// endAndRender ends sessions, this browser's among them, and answers with the signed-out page.
func (h *Handler) endAndRender(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	scope storage.LogoutScope,
	req storage.EndRequest,
) error {
	return h.LogoutView.EndAndRender(w, r, logoutview.Logout{EndRequest: req, Session: &v.session, Scope: scope})
}

// endAndReport ends sessions of other browsers, or client sessions. It redirects to the report, if there is one with
// entries, else to returnPath with a notice.
func (h *Handler) endAndReport(
	w http.ResponseWriter,
	r *http.Request,
	v viewer,
	req storage.EndRequest,
	returnPath string,
	notice templates.Notice,
) error {
	result, err := h.Terminator.End(r.Context(), req)
	if err != nil {
		return err
	}
	for _, termination := range result.Terminations {
		if req.Cause.Reason == storage.ReasonClientSignOut && termination.Session.ID == v.session.ID {
			h.Site.RememberSignOut(w, r, req.Selector.Client) // the next request of this client asks the user first
		}
	}
	if len(result.Terminations) == 0 && req.Change.WithdrawConsent == nil {
		notice = templates.NoticeOver
	}
	oneReport := returnPath == "/account" && len(result.ReportIDs) == 1
	hasEntries := oneReport && len(result.Terminations[0].Session.ClientSessions) > 0
	if hasEntries {
		web.Redirect(w, h.Site.Path("/account/reports/"+result.ReportIDs[0]))
		return nil
	}
	h.redirectWithNotice(w, returnPath, notice)
	return nil
}

// endOffline ends one offline grant, if it is the user's.
func (h *Handler) endOffline(w http.ResponseWriter, r *http.Request, v viewer, grantID, returnPath string) error {
	const allClients, offlineOnly = "", true
	grants, err := h.Store.ListGrants(r.Context(), v.user.Subject, allClients, offlineOnly, h.Site.Now())
	if err != nil {
		return err
	}
	isOwnGrant := slices.ContainsFunc(grants, func(g storage.Grant) bool { return g.ID == grantID })
	if !isOwnGrant {
		h.redirectWithNotice(w, returnPath, templates.NoticeOver)
		return nil
	}
	req := storage.EndRequest{
		Selector: storage.Selector{Grant: grantID},
		Cause:    h.cause(r, v, storage.ReasonOfflineAccessEnded),
	}
	if _, err := h.Terminator.End(r.Context(), req); err != nil {
		return err
	}
	h.redirectWithNotice(w, returnPath, templates.NoticeBackground)
	return nil
}
