package register

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/json"
	"errors"
	"net/http"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// Read handles GET /register/{client} (RFC 7592 §2.1).
func (h *Handler) Read(w http.ResponseWriter, r *http.Request) {
	c, token, err := h.authenticate(r)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	h.writeClient(w, r, http.StatusOK, c, "", token)
}

// Update handles PUT /register/{client} (RFC 7592 §2.2). The sent metadata replaces the client's, except the members
// that only an operator may set.
func (h *Handler) Update(w http.ResponseWriter, r *http.Request) {
	old, token, err := h.authenticate(r)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	if err := checkIdentity(body, old); err != nil {
		h.writeError(w, r, err)
		return
	}
	extensions, err := extensionsOf(&old.Metadata)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	m, err := requestedMetadata(body, extensions, h.Registrar.Policy)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	if !h.Policy.Logo {
		m.LogoURI = ""
	}
	now := h.Registrar.Now()
	address := h.remoteAddress(r)
	isLimited := h.Policy.Mode == policy.RegistrationOpen
	if isLimited {
		if err := h.changes.check(now, address, h.dailyLimit()); err != nil {
			h.writeError(w, r, err)
			return
		}
	}
	c, secret, err := h.Registrar.UpdateClient(r.Context(), old, m, "")
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	if err := h.saveClient(r, old, c); err != nil {
		h.writeError(w, r, err)
		return
	}
	if isLimited {
		h.changes.count(now, address)
	}
	h.writeClient(w, r, http.StatusOK, &c, secret, token)
}

// saveClient stores a changed client. It ends the sessions and grants that the change no longer allows.
func (h *Handler) saveClient(r *http.Request, old *storage.Client, c storage.Client) error {
	h.capacityMu.Lock()
	defer h.capacityMu.Unlock()
	const isOpen = false
	if err := h.checkCapacity(r.Context(), old, &c, isOpen); err != nil {
		return err
	}
	event := h.auditEvent(r, "client.changed", c.ClientID, nil)
	sel, endsSessions := logout.SelectorForMetadataChange(old, &c)
	if !endsSessions {
		return h.Store.PutClient(r.Context(), c, event)
	}
	cause := storage.Cause{
		ID:      rand.Text(),
		Reason:  storage.ReasonClientChanged,
		By:      event.By,
		Client:  c.ClientID,
		Address: event.Address,
	}
	event.Cause = cause.ID
	event.Reason = cause.Reason
	_, err := h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: sel,
		Cause:    cause,
		Change:   storage.Change{Client: &c, Events: []storage.Event{event}},
	})
	return err
}

// Remove handles DELETE /register/{client} (RFC 7592 §2.3). All client sessions of the client end, and the client is
// notified for the last time.
func (h *Handler) Remove(w http.ResponseWriter, r *http.Request) {
	c, _, err := h.authenticate(r)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	cause := storage.Cause{
		ID:      rand.Text(),
		Reason:  storage.ReasonClientRemoved,
		By:      "client:" + c.ClientID,
		Client:  c.ClientID,
		Address: h.remoteAddress(r),
	}
	event := h.auditEvent(r, "client.removed", c.ClientID, nil)
	event.Cause = cause.ID
	event.Reason = cause.Reason
	_, err = h.Terminator.End(r.Context(), storage.EndRequest{
		Selector: storage.Selector{Client: c.ClientID, IncludeOffline: true},
		Cause:    cause,
		Change:   storage.Change{RemoveClient: c.ClientID, Events: []storage.Event{event}},
	})
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	setNoStore(w)
	w.WriteHeader(http.StatusNoContent)
}

// authenticate returns the client of the request and the registration access token that the caller sent. A wrong token
// and an unknown client get the same error (RFC 7592 §2.1 requires 401 for both).
func (h *Handler) authenticate(r *http.Request) (c *storage.Client, token string, err error) {
	token, hasToken := bearerToken(r)
	if !hasToken {
		return nil, "", errNoToken
	}
	c, err = h.Store.Client(r.Context(), r.PathValue("client"))
	if errors.Is(err, storage.ErrNotFound) {
		return nil, "", errInvalidToken
	}
	if err != nil {
		return nil, "", err
	}
	hash := storage.HashOf(token)
	tokenMatches := subtle.ConstantTimeCompare(c.RegistrationToken[:], hash[:]) == 1
	if c.RegistrationToken.IsZero() || !tokenMatches {
		return nil, "", errInvalidToken
	}
	if c.Disabled {
		return nil, "", errDisabled
	}
	return c, token, nil
}

// checkIdentity checks that an update contains the right client_id and, if it contains a client_secret, the right one
// (RFC 7592 §2.2).
func checkIdentity(body []byte, c *storage.Client) error {
	var sent struct {
		ID     string  `json:"client_id"`
		Secret *string `json:"client_secret"`
	}
	if err := json.Unmarshal(body, &sent); err != nil {
		return decodeProblem(err)
	}
	if sent.ID != c.ClientID {
		return Problems{
			{
				Code:  InvalidMetadata,
				Field: "client_id",
				Text:  "is not that of this registration; send it as it is (RFC 7592 §2.2)",
			},
		}
	}
	if sent.Secret == nil {
		return nil
	}
	hash := storage.HashOf(*sent.Secret)
	secretMatches := subtle.ConstantTimeCompare(c.SecretHash[:], hash[:]) == 1
	if !secretMatches {
		return Problems{
			{
				Code:  InvalidMetadata,
				Field: "client_secret",
				Text:  "is not the current one, and no other can be chosen; leave it out (RFC 7592 §2.2)",
			},
		}
	}
	return nil
}
