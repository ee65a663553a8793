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

// InitialAccessTokenStore has the methods of the store for initial access tokens.
type InitialAccessTokenStore interface {
	PutInitialAccessToken(ctx context.Context, t storage.InitialAccessToken, e ...storage.Event) error
	ListInitialAccessTokens(ctx context.Context) ([]storage.InitialAccessToken, error)
	DeleteInitialAccessToken(ctx context.Context, name string, e ...storage.Event) error
}

// InitialAccessToken allows its bearer to register clients (RFC 7591 §3).
type InitialAccessToken struct {
	Name     string          `json:"name"`
	Token    string          `json:"token,omitempty"`    // only in the answer to the request that made it
	Defaults json.RawMessage `json:"defaults,omitempty"` // default metadata of the clients that it registers
	UsesLeft int             `json:"uses_left"`          // further registrations that it allows; -1: unlimited
	Created  time.Time       `json:"created"`
	Expires  time.Time       `json:"expires,omitzero"`
}

// InitialAccessTokenRequest asks for an initial access token.
type InitialAccessTokenRequest struct {
	Name     string          `json:"name"`
	Defaults json.RawMessage `json:"defaults,omitempty"`
	MaxUses  int             `json:"max_uses,omitempty"` // 0: one; -1: unlimited
	Expires  time.Time       `json:"expires,omitzero"`   // zero: it does not expire
}

// InitialAccessTokenList lists all initial access tokens by name.
type InitialAccessTokenList struct {
	Tokens []InitialAccessToken `json:"initial_access_tokens"`
}

func (a *api) addInitialAccessToken(w http.ResponseWriter, r *http.Request) error {
	var request InitialAccessTokenRequest
	if err := readBody(w, r, &request); err != nil {
		return err
	}
	if request.MaxUses == 0 {
		request.MaxUses = 1
	}
	now := a.Now()
	// The name is a segment of the token's path, so it must not be empty or a dot segment.
	isNoSegment := request.Name == "" || request.Name == "." || request.Name == ".."
	switch {
	case isNoSegment || checkText(request.Name, maxNameBytes) != nil:
		return invalid("name", "is not 1 to %d characters that can be shown", maxNameBytes)
	case request.MaxUses < -1:
		return invalid("uses", "is not a number of registrations, or -1 for any number")
	case !request.Expires.IsZero() && !request.Expires.After(now):
		return invalid("expires", "is past")
	}
	if err := register.CheckDefaults(request.Defaults); err != nil {
		return err
	}
	tokens, err := a.Store.ListInitialAccessTokens(r.Context())
	if err != nil {
		return err
	}
	for _, t := range tokens {
		if t.Name == request.Name {
			return &Error{
				Status:  http.StatusConflict,
				Code:    "exists",
				Message: "there is one of that name; remove it or choose another name",
				Field:   "name",
			}
		}
	}
	secret := keys.Random()
	t := storage.InitialAccessToken{
		Hash:     storage.HashOf(secret),
		Name:     request.Name,
		Defaults: request.Defaults,
		Created:  now,
		Expires:  request.Expires,
		UsesLeft: request.MaxUses,
	}
	event := a.initialTokenEvent(r.Context(), "initial_token.created", request.Name)
	if err := a.Store.PutInitialAccessToken(r.Context(), t, event); err != nil {
		return err
	}
	view := toInitialAccessToken(t)
	view.Token = secret
	return writeJSON(w, http.StatusCreated, view)
}

func (a *api) initialTokenEvent(ctx context.Context, kind, name string) storage.Event {
	event := a.auditEvent(ctx, kind)
	event.Detail = map[string]string{"name": name}
	return event
}

func toInitialAccessToken(t storage.InitialAccessToken) InitialAccessToken {
	return InitialAccessToken{
		Name:     t.Name,
		Defaults: t.Defaults,
		UsesLeft: t.UsesLeft,
		Created:  t.Created,
		Expires:  t.Expires,
	}
}

func (a *api) listInitialAccessTokens(w http.ResponseWriter, r *http.Request) error {
	if _, err := parseQuery(r); err != nil {
		return err
	}
	tokens, err := a.Store.ListInitialAccessTokens(r.Context())
	if err != nil {
		return err
	}
	list := InitialAccessTokenList{Tokens: make([]InitialAccessToken, 0, len(tokens))}
	for _, t := range tokens {
		list.Tokens = append(list.Tokens, toInitialAccessToken(t))
	}
	return writeJSON(w, http.StatusOK, list)
}

func (a *api) removeInitialAccessToken(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	event := a.initialTokenEvent(r.Context(), "initial_token.removed", name)
	if err := a.Store.DeleteInitialAccessToken(r.Context(), name, event); err != nil {
		return explainNotFoundIn(err, "name", "initial access token", name)
	}
	w.WriteHeader(http.StatusNoContent)
	return nil
}
