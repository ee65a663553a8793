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

// ClientStore is what the routes of clients ask of the store.
type ClientStore interface {
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListClients(ctx context.Context, p storage.Page) ([]*storage.Client, string, error)
}

// ClientRecord is a relying party as the API shows it: its metadata, and what Curfew knows besides. Its secret is there only in the
// answer to the request that set or made it.
type ClientRecord struct {
	storage.Metadata
	Secret   string    `json:"client_secret,omitempty"`
	Dynamic  bool      `json:"dynamic"` // registered itself
	Disabled bool      `json:"disabled"`
	Created  time.Time `json:"created"`
	Updated  time.Time `json:"updated"`
}

// ClientList is a page of relying parties.
type ClientList struct {
	Clients []ClientRecord `json:"clients"`
	Next    string         `json:"next,omitempty"`
}

func clientOf(c *storage.Client, secret string) ClientRecord {
	return ClientRecord{c.Metadata, secret, c.Dynamic, c.Disabled, c.Created, c.Updated}
}

func (a *api) client(ctx context.Context, id string) (*storage.Client, error) {
	c, err := a.Store.Client(ctx, id)
	return c, named(err, "client", id)
}

// splitSecret takes client_secret out of the members, since it is no metadata.
func splitSecret(members map[string]json.RawMessage) (secret string, err error) {
	if given, ok := members["client_secret"]; ok {
		if err := read(given, &secret, "a string"); err != nil {
			return "", invalid("client_secret", "is not a string")
		}
		delete(members, "client_secret")
	}
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
	c, shown, err := a.Registrar.Prepare(ctx, m, secret)
	if err != nil {
		return err
	}
	if err := a.Store.PutClient(ctx, c, a.about("client.created", "", c.ClientID)); err != nil {
		return err
	}
	return write(w, http.StatusCreated, clientOf(&c, shown))
}

func (a *api) listClients(w http.ResponseWriter, r *http.Request) error {
	_, page, err := paged(r)
	if err != nil {
		return err
	}
	clients, next, err := a.Store.ListClients(r.Context(), page)
	if err != nil {
		return err
	}
	list := ClientList{Clients: make([]ClientRecord, 0, len(clients)), Next: next}
	for _, c := range clients {
		list.Clients = append(list.Clients, clientOf(c, ""))
	}
	return write(w, http.StatusOK, list)
}

func (a *api) showClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.client(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, clientOf(c, ""))
}

// changeClient merges the body into the metadata (RFC 7396): null takes a member away, and so back to its default. What the client has and
// may not hold any more ends with it.
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
	old, err := a.client(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	m, err := merge(old.Metadata, patch)
	if err != nil {
		return err
	}
	c, shown, err := a.Registrar.Change(ctx, old, m, secret)
	if err != nil {
		return err
	}
	if sel, ends := logout.Narrowed(old, &c); ends {
		_, err = a.endWith(ctx, sel, storage.ReasonClientChanged, storage.Change{Client: &c}, "client.changed")
	} else {
		err = a.Store.PutClient(ctx, c, a.about("client.changed", "", c.ClientID))
	}
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, clientOf(&c, shown))
}

func merge(m storage.Metadata, patch map[string]json.RawMessage) (storage.Metadata, error) {
	// Names are checked before nulls vanish, so that a slip in one is not taken for done.
	names, err := json.Marshal(patch)
	if err != nil {
		return m, err
	}
	if _, err := register.DecodeStrict(names); err != nil {
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
	maps.DeleteFunc(members, func(_ string, v json.RawMessage) bool { return string(v) == "null" })
	if body, err = json.Marshal(members); err != nil {
		return m, err
	}
	return register.DecodeStrict(body)
}

// renewSecret gives the client a new secret; the old one counts no more.
func (a *api) renewSecret(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	old, err := a.client(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	bare := *old
	bare.SecretHash, bare.SecretWrapped = storage.Hash{}, nil
	c, secret, err := a.Registrar.Change(ctx, &bare, old.Metadata, "")
	if err != nil {
		return err
	}
	if secret == "" {
		return &Error{Status: http.StatusConflict, Code: "invalid", Message: "the client has no secret with " + c.TokenEndpointAuthMethod, Field: "token_endpoint_auth_method"}
	}
	if err := a.Store.PutClient(ctx, c, a.about("client.secret", "", c.ClientID)); err != nil {
		return err
	}
	return write(w, http.StatusOK, clientOf(&c, secret))
}

// disableClient ends all that the client has, offline access included; it is told a last time.
func (a *api) disableClient(w http.ResponseWriter, r *http.Request) error {
	old, err := a.client(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	c := *old
	c.Disabled, c.Updated = true, a.Now()
	result, err := a.endWith(r.Context(), storage.Selector{Client: c.ClientID, Offline: true}, storage.ReasonClientDisabled, storage.Change{Client: &c}, "client.disabled")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}

func (a *api) enableClient(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	old, err := a.client(ctx, r.PathValue("client"))
	if err != nil {
		return err
	}
	c := *old
	if c.Disabled {
		c.Disabled, c.Updated = false, a.Now()
		if err := a.Store.PutClient(ctx, c, a.about("client.enabled", "", c.ClientID)); err != nil {
			return err
		}
	}
	return write(w, http.StatusOK, clientOf(&c, ""))
}

func (a *api) removeClient(w http.ResponseWriter, r *http.Request) error {
	c, err := a.client(r.Context(), r.PathValue("client"))
	if err != nil {
		return err
	}
	result, err := a.endWith(r.Context(), storage.Selector{Client: c.ClientID, Offline: true}, storage.ReasonClientRemoved, storage.Change{RemoveClient: c.ClientID}, "client.removed")
	if err != nil {
		return err
	}
	return write(w, http.StatusOK, result)
}
