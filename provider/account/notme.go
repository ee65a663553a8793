package account

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// PathNotMe is the page of the link in a notice.
const PathNotMe = mail.PathNotMe + "{link}"

const purposeNotMe = "not-me"

// securing is what the link in a notice does to an account.
type securing struct {
	link     storage.OneTimeLink
	user     storage.User
	restores bool            // the address of the link is the user's again
	factors  storage.Factors // after the removal of what was added since the event
	removes  bool            // factors were removed
	unlinked []storage.Identity
	mayReset bool // a link to the user's mailbox may set a password
}

// ShowNotMe handles GET /not-me/{link}. It changes nothing: mail scanners open links.
func (h *Handler) ShowNotMe(w http.ResponseWriter, r *http.Request) error {
	s, err := h.openNotMe(r)
	if err != nil {
		return err
	}
	interactionID, err := h.Site.SealInteraction(w, r, purposeNotMe, s.link.Hash.String(), formLifetime)
	if err != nil {
		return err
	}
	page := templates.NotMePage{
		Page:           h.Site.Page(r),
		Action:         h.Site.Path(r.URL.EscapedPath()),
		Interaction:    interactionID,
		Login:          s.user.Name,
		RemovesFactors: s.removes || len(s.unlinked) > 0,
		HasPassword:    s.user.Password != "",
		MayReset:       s.mayReset,
	}
	if s.restores {
		page.RestoredEmail = s.link.Address
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.NotMe(w, page))
	return nil
}

// openNotMe finds the link and what it would do. The link needs no session: the attacker may have changed the password.
func (h *Handler) openNotMe(r *http.Request) (securing, error) {
	errLinkInvalid := web.PageError{
		Status: http.StatusGone,
		Reason: "the link of the notice is unknown, used or expired, or its address is no longer the user's",
	}
	now := h.Site.Now()
	link, err := h.Store.OneTimeLink(r.Context(), storage.HashOf(r.PathValue("link")), now)
	if errors.Is(err, storage.ErrNotFound) || (err == nil && link.Purpose != storage.LinkNotMe) {
		return securing{}, errLinkInvalid
	}
	if err != nil {
		return securing{}, err
	}
	user, err := h.Store.User(r.Context(), link.Subject)
	if errors.Is(err, storage.ErrNotFound) {
		return securing{}, errLinkInvalid
	}
	if err != nil {
		return securing{}, err
	}
	if user.Disabled || !user.HasMailbox(link.Address, now) {
		return securing{}, errLinkInvalid
	}
	s := securing{link: link, user: user, restores: user.Email != link.Address || !user.EmailVerified}
	return s, h.findAddedSince(r.Context(), &s)
}

// findAddedSince finds what was added to the account since the event of the notice: an attacker may have added it.
//
// If no second factor is left, the mailbox alone must not give access to an account that had one. The user then needs
// an administrator.
func (h *Handler) findAddedSince(ctx context.Context, s *securing) error {
	factors, err := h.Store.Factors(ctx, s.user.Subject)
	if err != nil {
		return err
	}
	hadSecondFactor := factors.HasSecondFactor()
	isNew := func(created time.Time) bool { return !created.Before(s.link.Created) }
	count := len(factors.Passkeys)
	factors.Passkeys = slices.DeleteFunc(factors.Passkeys, func(p storage.Passkey) bool { return isNew(p.Created) })
	s.removes = len(factors.Passkeys) != count
	if factors.TOTP != nil && isNew(factors.TOTP.Created.Truncate(time.Millisecond)) {
		factors.TOTP = nil
		s.removes = true
	}
	if len(factors.RecoveryCodes) > 0 && isNew(factors.RecoveryCreated.Truncate(time.Millisecond)) {
		factors.RecoveryCodes = nil
		s.removes = true
	}
	s.factors = factors
	linked, err := h.Store.ListIdentities(ctx, s.user.Subject)
	if err != nil {
		return err
	}
	s.unlinked = slices.DeleteFunc(linked, func(i storage.Identity) bool { return !isNew(i.Created) })
	lostSecondFactor := hadSecondFactor && !factors.HasSecondFactor()
	s.mayReset = !lostSecondFactor && mayResetByMail(s.user, factors, h.Authn)
	return nil
}

// NotMe handles POST /not-me/{link}. One transaction uses the link up, ends all sessions and background access of the
// user, revokes the other links and the remembered browsers, removes what was added since the event, and replaces the
// password by one that nobody knows. The user then sets a new password. If mail alone may not give access to the
// account, the user has no password from then on, and an administrator helps.
func (h *Handler) NotMe(w http.ResponseWriter, r *http.Request) error {
	s, err := h.openNotMe(r)
	if err != nil {
		return err
	}
	form, err := web.Params(r)
	if err != nil {
		return err
	}
	var formLink string // for which the form was shown
	_, err = h.Site.OpenInteraction(r, purposeNotMe, form.Get("interaction"), &formLink)
	if err != nil || formLink != s.link.Hash.String() {
		return web.PageError{
			Text:    templates.ErrorAccountPageExpired,
			LinkURL: h.Site.Path(r.URL.EscapedPath()),
			Link:    templates.LinkOpenAgain,
		}
	}
	session, signedIn, err := h.Site.Session(r)
	if err != nil {
		return err
	}
	if err := h.secureAccount(r, &s); err != nil {
		return err
	}
	h.unlock(r, s.user.Subject)
	if signedIn && session.Subject == s.user.Subject {
		h.Site.ClearSessionCookie(w, r)
	}
	if s.mayReset {
		return h.redirectToReset(w, r, s)
	}
	page := templates.MessagePage{
		Page:    h.Site.Page(r),
		Message: templates.MessageSecured,
		LinkURL: h.Site.Path("/account"),
	}
	if s.user.Password != "" {
		page.Message = templates.MessageSecuredAsk
	}
	web.PageHeaders(w, web.PagePolicy{FormsToSelf: true})
	h.Site.LogRenderError(r, templates.Message(w, page))
	return nil
}

// secureAccount ends everything that an attacker could hold. If another user has the former address by now, the account
// stays without a verified address, and mail cannot set a password.
func (h *Handler) secureAccount(r *http.Request, s *securing) error {
	now := h.Site.Now()
	user := s.user
	user.FixEmail(s.link.Address, now)
	user.Updated = now
	switch {
	case !s.mayReset:
		user.Password = "" // so that PathForgot sets none either
	case user.Password != "":
		hash, err := h.Hasher.Hash(r.Context(), keys.Random())
		if err != nil {
			return err
		}
		user.Password = hash
	}
	cause := storage.Cause{
		Reason:  storage.ReasonNotMe,
		By:      "user:" + user.Subject,
		Address: h.Site.ClientAddress(r),
	}
	event := storage.Event{
		At: now, Kind: "user.secured", By: cause.By, Subject: user.Subject, Address: cause.Address,
	}
	request := storage.EndRequest{
		Selector: storage.Selector{Subject: user.Subject},
		Cause:    cause,
		Change: storage.Change{
			User:    &user,
			UseLink: s.link.Hash,
			Unlink:  s.unlinked,
			Events:  []storage.Event{event},
		},
	}
	if s.removes {
		request.Change.Factors = &s.factors
	}
	const keepOffline = false
	request.SecureUser(user.Subject, keepOffline)
	_, err := h.Terminator.End(r.Context(), request)
	if errors.Is(err, storage.ErrExists) && s.restores {
		s.mayReset = false
		user.Email, user.EmailVerified, user.Password = s.user.Email, false, ""
		_, err = h.Terminator.End(r.Context(), request)
	}
	return err
}

// redirectToReset makes a link with which the user sets a new password, and redirects to it.
func (h *Handler) redirectToReset(w http.ResponseWriter, r *http.Request, s securing) error {
	now := h.Site.Now()
	secret := keys.Random()
	link := storage.OneTimeLink{
		Hash:    storage.HashOf(secret),
		Purpose: storage.LinkMailedReset,
		Subject: s.user.Subject,
		Address: s.link.Address,
		Created: now,
		Expires: now.Add(resetMailLifetime),
	}
	event := storage.Event{At: now, Kind: "user.reset_link", By: "user:" + s.user.Subject, Subject: s.user.Subject}
	if err := h.Store.PutOneTimeLink(r.Context(), link, event); err != nil {
		return err
	}
	web.Redirect(w, h.Site.Path("/reset/"+secret))
	return nil
}

// notify lets an audit event carry a message to the user, who is as before the event.
func (h *Handler) notify(
	r *http.Request,
	e *storage.Event,
	user storage.User,
	kind templates.MailKind,
	what string,
) error {
	return h.Notices.Attach(e, user, mail.Notice{Kind: kind, What: what, UserAgent: web.UserAgent(r)})
}
