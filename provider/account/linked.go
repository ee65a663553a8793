package account

import (
	"errors"
	"net/http"
	"slices"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// linked.go links and unlinks accounts of upstreams.

// linkKeyLength is the length of the key by which a form names a linked account, in characters.
const linkKeyLength = 22

// linkKey names a linked account in forms.
func linkKey(i storage.Identity) string {
	return storage.HashOf("linked " + i.Issuer + " " + i.Subject).String()[:linkKeyLength]
}

// addLinked adds the linked accounts to the page, and the upstreams at which the user has none.
func (h *Handler) addLinked(page *templates.FactorsPage, linked []storage.Identity) {
	page.LinkAction = h.Site.Path(pathFactors + "/link")
	page.UnlinkAction = h.Site.Path(pathFactors + "/unlink")
	for _, i := range linked {
		account := templates.LinkedAccount{Key: linkKey(i), Provider: h.providerName(i), Name: i.Name, Created: i.Created}
		page.Linked = append(page.Linked, account)
	}
	for _, p := range h.Upstreams {
		isLinked := func(i storage.Identity) bool { return i.Issuer == p.Issuer }
		if !slices.ContainsFunc(linked, isLinked) {
			page.Linkable = append(page.Linkable, templates.UpstreamLink{ID: p.ID, Name: p.Name})
		}
	}
}

// providerName returns the name of the upstream of a linked account.
func (h *Handler) providerName(i storage.Identity) string {
	if p := h.Upstreams.Find(i.Provider); p != nil {
		return p.Name
	}
	return i.Provider
}

// Link handles POST /account/factors/link: it sends the user to an upstream, to link an account there.
func (h *Handler) Link(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireFreshForm(w, r)
	if !ok {
		return err
	}
	return h.LinkUpstream(w, r, form.Get("link"), pathFactors, v.session)
}

// Unlink handles POST /account/factors/unlink. The user's other sessions that came from that account end.
func (h *Handler) Unlink(w http.ResponseWriter, r *http.Request) error {
	v, form, ok, err := h.requireFreshForm(w, r)
	if !ok {
		return err
	}
	linked, err := h.Store.ListIdentities(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	chosen := slices.IndexFunc(linked, func(i storage.Identity) bool { return linkKey(i) == form.Get("unlink") })
	if chosen < 0 {
		h.redirectWithNotice(w, pathFactors, templates.NoticeOver)
		return nil
	}
	factors, err := h.Store.Factors(r.Context(), v.user.Subject)
	if err != nil {
		return err
	}
	if err := h.checkPolicy(v, factors, len(linked)-1); errors.Is(err, errFactorNeeded) {
		return h.renderFactors(w, r, v, templates.Problem{Fault: templates.FactorNeeded})
	}
	identity := linked[chosen]
	event := h.factorEvent(r, v, authn.EventFactorRemoved, identity.Provider)
	if err := h.notify(r, &event, v.user, templates.MailUnlinked, h.providerName(identity)); err != nil {
		return err
	}
	_, err = h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{
			Upstream: storage.UpstreamSelector{Issuer: identity.Issuer, Subject: identity.Subject},
			Except:   v.session.ID,
		},
		Cause: h.cause(r, v, storage.ReasonUnlinked),
		Change: storage.Change{
			Unlink:         []storage.Identity{identity},
			RequireSession: v.session.ID,
			Events:         []storage.Event{event},
		},
	})
	if errors.Is(err, storage.ErrNotFound) { // unlinked in another tab
		h.redirectWithNotice(w, pathFactors, templates.NoticeOver)
		return nil
	}
	if err != nil {
		return err
	}
	h.redirectWithNotice(w, pathFactors, templates.NoticeUnlinked)
	return nil
}
