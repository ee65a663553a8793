package admin

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// ClientStore has the methods of the store that the routes of clients call.
type ClientStore interface {
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListClients(ctx context.Context, p storage.Page) (clients []*storage.Client, next string, err error)
	ClientActivity(ctx context.Context, id string) (storage.ClientActivity, error)
}

// ClientRecord is a client in the API: its metadata and its state. Only the answer to a request that stores a new
// secret contains the secret.
type ClientRecord struct {
	storage.Metadata
	Secret   string    `json:"client_secret,omitempty"`
	Dynamic  bool      `json:"dynamic"` // registered itself
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// ClientList is a page of clients.
type ClientList struct {
	Clients []ClientRecord `json:"clients"`
	Next    string         `json:"next,omitempty"`
}

func toClientRecord(c *storage.Client, secret string) ClientRecord {
	return ClientRecord{
		Metadata: c.Metadata,
		Secret:   secret,
		Dynamic:  c.Dynamic,
		Disabled: c.Disabled,
		Created:  c.Created,
		Updated:  c.Updated,
	}
}

func (a *api) findClient(ctx context.Context, id string) (*storage.Client, error) {
	c, err := a.Store.Client(ctx, id)
	return c, explainNotFound(err, "client", id)
}

// splitSecret removes client_secret from members and returns it, because storage.Metadata has no such field.
func splitSecret(members map[string]json.RawMessage) (secret string, err error) {
	value, hasSecret := members["client_secret"]
	if !hasSecret {
		return "", nil
	}
	if err := decodeValue(value, &secret, "a string"); err != nil {
		return "", invalid("client_secret", "is not a string")
	}
	delete(members, "client_secret")
	return secret, nil
}

func (a *api) addClient(w http.ResponseWriter, r *http.Request) error {
	members, err := readObject(w, r)
	if err != nil {
		return err
	}
	secret, err := splitSecret(members)
	if err != nil {
		return err
	}
	body, err := json.Marshal(members)
	if err != nil {
		return err
	}
	m, err := register.DecodeStrict(body)
	if err != nil {
		return err
	}
	ctx := r.Context()
	c, newSecret, err := a.Registrar.NewClient(ctx, m, secret)
	if err != nil {
		return err
	}
	if err := a.Store.PutClient(ctx, c, a.auditEventFor(r.Context(), "client.created", "", c.ClientID)); err != nil {
		return err
	}
	return writeJSON(w, http.StatusCreated, toClientRecord(&c, newSecret))
}

func (a *api) listClients(w http.ResponseWriter, r *http.Request) error {
	_, page, err := parsePage(r)
	if err != nil {
		return err
	}
	clients, next, err := a.Store.ListClients(r.Context(), page)
	if err != nil {
		return err
	}
	list := ClientList{Clients: make([]ClientRecord, 0, len(clients)), Next: next}
	for _, c := range clients {
		list.Clients = append(list.Clients, toClientRecord(c, ""))
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) showClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toClientRecord(c, ""))
}

// changeClient merges the body into the metadata (RFC 7396): null sets a member to its default. The change also ends
// access that the new metadata no longer allows, such as offline access.
func (a *api) changeClient(w http.ResponseWriter, r *http.Request) error {
	patch, err := readObject(w, r)
	if err != nil {
		return err
	}
	secret, err := splitSecret(patch)
	if err != nil {
		return err
	}
	ctx := r.Context()
	old, err := a.findClient(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	m, err := mergeMetadata(old.Metadata, patch)
	if err != nil {
		return err
	}
	c, newSecret, err := a.Registrar.UpdateClient(ctx, old, m, secret)
	if err != nil {
		return err
	}
	if selector, endsAccess := logout.SelectorForMetadataChange(old, &c); endsAccess {
		change := storage.Change{Client: &c}
		_, err = a.terminate(ctx, selector, storage.ReasonClientChanged, change, "client.changed")
	} else {
		err = a.Store.PutClient(ctx, c, a.auditEventFor(r.Context(), "client.changed", "", c.ClientID))
	}
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toClientRecord(&c, newSecret))
}

// mergeMetadata returns m with the members of patch. A null removes a member (RFC 7396).
func mergeMetadata(m storage.Metadata, patch map[string]json.RawMessage) (storage.Metadata, error) {
	// The merge removes nulls, so a misspelt name with a null would look like success. Check all names before.
	patchBody, err := json.Marshal(patch)
	if err != nil {
		return m, err
	}
	if _, err := register.DecodeStrict(patchBody); err != nil {
		return m, err
	}
	body, err := json.Marshal(m)
	if err != nil {
		return m, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return m, err
	}
	maps.Copy(members, patch)
	isNull := func(_ string, value json.RawMessage) bool { return string(value) == "null" }
	maps.DeleteFunc(members, isNull)
	merged, err := json.Marshal(members)
	if err != nil {
		return m, err
	}
	return register.DecodeStrict(merged)
}

// rotateSecret gives the client a new secret and revokes the old one.
func (a *api) rotateSecret(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	old, err := a.findClient(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	withoutSecret := *old
	withoutSecret.SecretHash = storage.Hash{}
	withoutSecret.SecretWrapped = nil
	c, secret, err := a.Registrar.UpdateClient(ctx, &withoutSecret, old.Metadata, "")
	if err != nil {
		return err
	}
	if secret == "" {
		return &Error{
			Status:  http.StatusConflict,
			Code:    "invalid",
			Message: "the client has no secret with " + c.TokenEndpointAuthMethod,
			Field:   "token_endpoint_auth_method",
		}
	}
	if err := a.Store.PutClient(ctx, c, a.auditEventFor(r.Context(), "client.secret", "", c.ClientID)); err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, toClientRecord(&c, secret))
}

// disableClient disables the client, ends its client sessions and grants, offline access included, and notifies it of
// these terminations.
func (a *api) disableClient(w http.ResponseWriter, r *http.Request) error {
	old, err := a.findClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	c := *old
	c.Disabled = true
	c.Updated = a.Now()
	result, err := a.terminate(
		r.Context(),
		storage.Selector{Client: c.ClientID, IncludeOffline: true},
		storage.ReasonClientDisabled,
		storage.Change{Client: &c},
		"client.disabled",
	)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}

func (a *api) enableClient(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	old, err := a.findClient(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	c := *old
	if c.Disabled {
		c.Disabled = false
		c.Updated = a.Now()
		event := a.auditEventFor(ctx, "client.enabled", "", c.ClientID)
		if err := a.Store.PutClient(ctx, c, event); err != nil {
			return err
		}
	}
	return writeJSON(w, http.StatusOK, toClientRecord(&c, ""))
}

func (a *api) removeClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.findClient(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	result, err := a.terminate(
		r.Context(),
		storage.Selector{Client: c.ClientID, IncludeOffline: true},
		storage.ReasonClientRemoved,
		storage.Change{RemoveClient: c.ClientID},
		"client.removed",
	)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, result)
}
