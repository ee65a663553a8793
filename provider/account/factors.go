package account

import (
	"cmp"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// pathFactors is the page of passkeys and second factors.
const pathFactors = "/account/factors"

// freshFor is how long after a sign-in the user may change factors. Later the user must first sign in again, because
// someone else may use a browser that was left signed in.
const freshFor = 15 * time.Minute

// requireFresh does the same as requireViewer for the pages of factors, and also requires a recent sign-in.
func (h *Handler) requireFresh(w http.ResponseWriter, r *http.Request) (v viewer, ok bool, err error) {
	if v, ok, err = h.requireViewer(w, r); !ok {
		return v, false, err
	}
	if !h.isFresh(v) {
		return v, false, h.RedirectToSignInAgain(w, r, pathFactors)
	}
	return v, true, nil
}

// isFresh reports whether the user signed in recently.
func (h *Handler) isFresh(v viewer) bool { return h.Site.Now().Sub(v.session.AuthTime) < freshFor }

// requireFreshForm does the same as requireForm for the forms of factors, and also requires a recent sign-in.
func (h *Handler) requireFreshForm(
	w http.ResponseWriter,
	r *http.Request,
) (v viewer, form url.Values, ok bool, err error) {
	v, form, ok, err = h.requireForm(w, r)
	if !ok {
		return v, nil, false, err
	}
	if !h.isFresh(v) {
		return v, nil, false, h.RedirectToSignInAgain(w, r, pathFactors)
	}
	return v, form, true, nil
}

// Factors handles GET /account/factors.
func (h *Handler) Factors(w http.ResponseWriter, r *http.Request) error {
	v, ok, err := h.requireFresh(w, r)
	if !ok {
		return err
	}
	return h.renderFactors(w, r, v, templates.Problem{})
}

func (h *Handler) renderFactors(w http.ResponseWriter, r *http.Request, v viewer, problem templates.Problem) error {
	factors, err := h.Store.Factors(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	accountPage, err := h.accountPage(w, r, v)
	if err != nil {
		return err
	}
	now := h.Site.Now()
	page := templates.FactorsPage{
		AccountPage:     accountPage,
		RecoveryCodes:   len(factors.RecoveryCodes),
		RecoveryCreated: factors.RecoveryCreated,
		MayHaveRecovery: factors.HasSecondFactor(),
		AddTOTPURL:      h.Site.Path(pathFactors + "/totp"),
		RemoveAction:    h.Site.Path(pathFactors),
		RecoveryAction:  h.Site.Path(pathFactors + "/recovery"),
		RenameAction:    h.Site.Path(pathFactors + "/name"),
		Problem:         problem,
	}
	linked, err := h.Store.ListIdentities(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	h.addLinked(&page, linked)
	if h.Passkeys != nil {
		page.OfferPasskeys = true
		page.AddPasskeyURL = h.Site.Path(pathFactors + "/passkey")
	}
	for _, b := range factors.Browsers {
		if now.Before(b.Expires) {
			page.Browsers++
		}
	}
	for _, p := range factors.Passkeys {
		page.Passkeys = append(page.Passkeys, templates.Passkey{
			ID:       passkeyFieldID(p),
			Name:     p.Name,
			Created:  p.Created,
			LastUsed: p.LastUsed,
			Synced:   p.BackedUp,
		})
	}
	if factors.TOTP != nil {
		page.TOTP = &templates.TOTPFactor{Created: factors.TOTP.Created, LastUsed: factors.TOTP.LastUsed}
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	if problem.Fault != "" {
		w.WriteHeader(http.StatusUnprocessableEntity)
	}
	h.Site.LogRenderError(r, templates.Factors(w, page))
	return nil
}

const passkeyPrefix = "passkey-"

// passkeyFieldID returns the value that stands for a passkey in forms.
func passkeyFieldID(p storage.Passkey) string {
	return passkeyPrefix + base64.RawURLEncoding.EncodeToString(p.ID)
}

// errFactorNeeded says that the user needs the factor that would be removed.
var errFactorNeeded = errors.New("the last factor that the policy demands cannot be removed")

// RemoveFactor handles POST /account/factors: it removes a passkey, the authenticator app or remembered browsers.
func (h *Handler) RemoveFactor(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireFreshForm(w, r)
	if !ok {
		return err
	}
	factor := form.Get("remove") // "browsers", "totp", or a passkeyFieldID
	if factor == "browsers" {
		return h.forgetBrowsers(w, r, v)
	}
	linked, err := h.Store.ListIdentities(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	kind, _, _ := strings.Cut(factor, "-")
	event := h.factorEvent(r, v, authn.EventFactorRemoved, kind)
	err = h.changeFactors(r, v, form, event, templates.MailFactorRemoved, func(f *storage.Factors) error {
		if factor == "totp" {
			f.TOTP = nil
		}
		isRemoved := func(p storage.Passkey) bool { return passkeyFieldID(p) == factor }
		f.Passkeys = slices.DeleteFunc(f.Passkeys, isRemoved)
		if !f.HasSecondFactor() {
			f.RecoveryCodes = nil // there is no second factor left that they could replace
		}
		return h.checkPolicy(v, *f, len(linked))
	})
	if errors.Is(err, errFactorNeeded) {
		return h.renderFactors(w, r, v, templates.Problem{Fault: templates.FactorNeeded})
	}
	if err != nil {
		return err
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeFactorRemoved)
	return nil
}

// forgetBrowsers removes the user's remembered browsers.
func (h *Handler) forgetBrowsers(w http.ResponseWriter, r *http.Request, v viewer) error {
	event := h.factorEvent(r, v, authn.EventFactorRemoved, "browser")
	forget := func(f *storage.Factors) error {
		f.ForgetBrowsers()
		return nil
	}
	if err := h.Store.ChangeFactors(r.Context(), v.user.Subject, forget, event); err != nil {
		return err
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeBrowsersForgotten)
	return nil
}

// checkPolicy returns errFactorNeeded if a user with only these factors and that many linked accounts could not sign in
// any more: the policy requires another factor, or the user has neither a password nor a passkey nor a linked account.
func (h *Handler) checkPolicy(v viewer, f storage.Factors, linked int) error {
	required := authn.RequiredACR(h.Authn.RequirementsOf(v.user)...)
	hasPasskey := len(f.Passkeys) > 0
	switch {
	case v.user.Password == "" && !hasPasskey && linked == 0:
		return errFactorNeeded
	case required == authn.ACRMultiFactor && !f.HasSecondFactor():
		return errFactorNeeded
	case required == authn.ACRPasskey && !hasPasskey:
		return errFactorNeeded
	}
	return nil
}

// changeFactors changes the user's factors and, if the form says so, ends the other sessions and background access, in
// one transaction. It fails if this session has ended, so that an ended session cannot add a factor. It also removes
// all remembered browsers. The user gets a message of that kind. event is of factorEvent.
func (h *Handler) changeFactors(
	r *http.Request,
	v viewer,
	form url.Values,
	event storage.Event,
	message templates.MailKind,
	change func(*storage.Factors) error,
) error {
	factors, err := h.Store.Factors(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	if err := change(&factors); err != nil {
		return err
	}
	factors.ForgetBrowsers()
	if err := h.notify(r, &event, v.user, message, event.Detail["factor"]); err != nil {
		return err
	}
	req := storage.EndRequest{
		Selector: storage.Selector{Subject: v.user.Subject, Except: v.session.ID, OfflineOnly: true},
		Cause:    h.cause(r, v, storage.ReasonFactorChange),
		Change: storage.Change{
			Factors:        &factors,
			RequireSession: v.session.ID,
			Events:         []storage.Event{event},
		},
	}
	if form.Get("end-sessions") != "" {
		req.Selector.OfflineOnly = false
		req.Change.RemoveLinks = v.user.Subject
	}
	req.Selector.IncludeOffline = form.Get("end-background") != ""
	_, err = h.Terminator.End(r.Context(), req)
	return err
}

// factorEvent returns the audit event of a change. It is made before the new factor: the link in the notice of the
// event removes what was added from then on.
func (h *Handler) factorEvent(r *http.Request, v viewer, kind, factor string) storage.Event {
	return authn.FactorEvent(h.Site.Now(), kind, v.user.Subject, h.Site.ClientAddress(r), factor)
}

// NewRecoveryCodes handles POST /account/factors/recovery: it replaces the recovery codes and shows the new ones.
func (h *Handler) NewRecoveryCodes(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireFreshForm(w, r)
	if !ok {
		return err
	}
	var codes []string
	event := h.factorEvent(r, v, authn.EventRecoveryCodes, "recovery")
	err = h.changeFactors(r, v, form, event, templates.MailRecoveryCodes, func(f *storage.Factors) error {
		codes = h.RecoveryCodes.Replace(f, h.Site.Now())
		return nil
	})
	if err != nil {
		return err
	}
	h.renderRecoveryCodes(w, r, codes)
	return nil
}

// renderRecoveryCodes shows new recovery codes, once.
func (h *Handler) renderRecoveryCodes(w http.ResponseWriter, r *http.Request, codes []string) {
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.RecoveryCodes(w, templates.RecoveryCodesPage{
		Page:        h.Site.Page(r),
		Codes:       codes,
		ContinueURL: h.Site.Path(pathFactors),
	}))
}

// accountName returns the name of the account on pages: the e-mail address or, without one, the user name.
func accountName(user storage.User) string { return cmp.Or(user.Email, user.Name) }
