package admin

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// InitialTokenStore keeps initial access tokens.
type InitialTokenStore interface {
	PutInitialToken(ctx context.Context, t storage.InitialToken, e ...storage.Event) error
	ListInitialTokens(ctx context.Context) ([]storage.InitialToken, error)
	DeleteInitialToken(ctx context.Context, name string, e ...storage.Event) error
}

// InitialToken lets its holder register clients (RFC 7591 §3).
type InitialToken struct {
	Name     string          `json:"name"`
	Token    string          `json:"token,omitempty"`    // only in the answer that made it
	Defaults json.RawMessage `json:"defaults,omitempty"` // the per-client choices that its clients get
	Uses     int             `json:"uses"`               // registrations left; -1: unlimited
	Created  time.Time       `json:"created"`
	Expires  time.Time       `json:"expires,omitzero"`
}

// InitialTokenRequest asks for an initial access token.
type InitialTokenRequest struct {
	Name     string          `json:"name"`
	Defaults json.RawMessage `json:"defaults,omitempty"`
	Uses     int             `json:"uses,omitempty"`   // 0: one; -1: unlimited
	Expires  time.Time       `json:"expires,omitzero"` // never, if it is left out
}

// InitialTokenList is every initial access token, by name.
type InitialTokenList struct {
	Tokens []InitialToken `json:"initial_tokens"`
}

func (a *api) addInitialToken(w http.ResponseWriter, r *http.Request) error {
	var q InitialTokenRequest
	if err := readBody(w, r, &q); err != nil {
		return err
	}
	if q.Uses == 0 {
		q.Uses = 1
	}
	now := a.Now()
	switch {
	case q.Name == "" || q.Name == "." || q.Name == ".." || checkText(q.Name, 128) != nil:
		return invalid("name", "is not 1 to 128 characters that can be shown")
	case q.Uses < -1:
		return invalid("uses", "is not a number of registrations, or -1 for any number")
	case !q.Expires.IsZero() && !q.Expires.After(now):
		return invalid("expires", "is past")
	}
	if err := register.CheckDefaults(q.Defaults); err != nil {
		return err
	}
	tokens, err := a.Store.ListInitialTokens(r.Context())
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Name == q.Name {
			return &Error{Status: http.StatusConflict, Code: "exists", Message: "there is one of that name; remove it or choose another name", Field: "name"}
		}
	}
	secret := keys.Random("")
	t := storage.InitialToken{Hash: storage.HashOf(secret), Name: q.Name, Defaults: q.Defaults, Created: now, Expires: q.Expires, Uses: q.Uses}
	if err := a.Store.PutInitialToken(r.Context(), t, a.aboutToken("initial_token.created", q.Name)); err != nil {
		return err
	}
	shown := initialTokenOf(t)
	shown.Token = secret
	return write(w, http.StatusCreated, shown)
}

func (a *api) aboutToken(kind, name string) storage.Event {
	event := a.event(kind)
	event.Detail = map[string]string{"name": name}
	return event
}

func initialTokenOf(t storage.InitialToken) InitialToken {
	return InitialToken{Name: t.Name, Defaults: t.Defaults, Uses: t.Uses, Created: t.Created, Expires: t.Expires}
}

func (a *api) listInitialTokens(w http.ResponseWriter, r *http.Request) error {
	if _, err := query(r); err != nil {
		return err
	}
	tokens, err := a.Store.ListInitialTokens(r.Context())
	if err != nil {
		return err
	}
	list := InitialTokenList{Tokens: make([]InitialToken, 0, len(tokens))}
	for _, t := range tokens {
		list.Tokens = append(list.Tokens, initialTokenOf(t))
	}
	return write(w, http.StatusOK, list)
}

func (a *api) removeInitialToken(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	if err := a.Store.DeleteInitialToken(r.Context(), name, a.aboutToken("initial_token.removed", name)); err != nil {
		return namedIn(err, "name", "initial access token", name)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
