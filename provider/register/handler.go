package register

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// The paths of the endpoints, as http.ServeMux patterns.
const (
	Path       = "/register"
	ClientPath = "/register/{client}"
)

// Mode says who may register clients.
type Mode string

// The modes.
const (
	Off   Mode = "off"   // nobody; the zero value means the same
	Token Mode = "token" // who has an initial access token (RFC 7591 §3)
	Open  Mode = "open"  // everybody
)

// maxOpen is how many dynamic clients there may be before open registration takes no more. Everybody may call it, so
// without a bound anybody could fill the store; 10,000 of the usual size take about 20 MB.
const maxOpen = 10_000

// Store is what registration asks of the store.
type Store interface {
	RegisterClient(ctx context.Context, c storage.Client, token storage.Hash, at time.Time, e ...storage.Event) error
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListClients(ctx context.Context, p storage.Page) ([]*storage.Client, string, error)
	InitialToken(ctx context.Context, hash storage.Hash, at time.Time) (storage.InitialToken, error)
}

// Ender ends sessions (logout.Ender).
type Ender interface {
	End(ctx context.Context, sel storage.Selector, cause storage.Cause, change storage.Change) (logout.Outcome, error)
}

// Handler serves dynamic client registration and its management.
type Handler struct {
	Issuer    string // no trailing slash
	Mode      Mode
	Defaults  []byte // JSON: the per-client choices that open registration gives, checked by CheckDefaults
	Logos     bool   // keep logo_uri; without it a logo is left out
	Registrar *Registrar
	Store     Store
	Ender     Ender
	Address   func(*http.Request) string // of the caller, for the audit trail; nil: unknown
	Log       *slog.Logger               // nil: the default logger

	counting sync.Mutex // held while an open registration looks for room and takes it
	today    allowance  // of open registration
}

// Register serves POST /register (RFC 7591 §3, Registration §3).
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) {
	if h.Mode != Token && h.Mode != Open {
		http.NotFound(w, r)
		return
	}
	ctx, now := r.Context(), h.Registrar.Now()
	defaults, initial, err := h.admit(r, now)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	m, err := asked(body, defaults, h.Registrar.Policy)
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	if !h.Logos {
		m.LogoURI = ""
	}
	if initial.Hash.IsZero() {
		if err := h.today.take(now); err != nil {
			h.refuse(w, r, err)
			return
		}
	}
	c, secret, err := h.Registrar.Prepare(ctx, m, "")
	if err != nil {
		h.refuse(w, r, err)
		return
	}
	token := keys.Random("")
	c.Dynamic, c.RegistrationToken = true, storage.HashOf(token)
	event := h.event(r, "client.registered", c.ClientID, map[string]string{"name": c.ClientName, "initial_token": initial.Name})
	if err := h.store(ctx, c, initial.Hash, now, event); err != nil {
		h.refuse(w, r, err)
		return
	}
	h.answer(w, r, http.StatusCreated, &c, secret, token)
}

// admit tells which choices a caller's clients get, and the initial access token that lets the caller in, if there is one.
func (h *Handler) admit(r *http.Request, now time.Time) (defaults []byte, t storage.InitialToken, err error) {
	token, given := bearer(r)
	if !given && h.Mode == Open {
		return h.Defaults, storage.InitialToken{}, nil
	}
	if !given {
		return nil, storage.InitialToken{}, errNoToken
	}
	t, err = h.Store.InitialToken(r.Context(), storage.HashOf(token), now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.InitialToken{}, errToken
	}
	return t.Defaults, t, err
}

// store creates the client and takes one use off the initial access token.
func (h *Handler) store(ctx context.Context, c storage.Client, initial storage.Hash, now time.Time, e storage.Event) error {
	if initial.IsZero() {
		h.counting.Lock()
		defer h.counting.Unlock()
		if err := h.room(ctx); err != nil {
			return err
		}
	}
	err := h.Store.RegisterClient(ctx, c, initial, now, e)
	if errors.Is(err, storage.ErrEnded) {
		return errToken // used up by somebody else in this very moment
	}
	return err
}

func (h *Handler) room(ctx context.Context) error {
	dynamic := 0
	for page := (storage.Page{Limit: 1000}); ; {
		clients, next, err := h.Store.ListClients(ctx, page)
		if err != nil {
			return err
		}
		for _, c := range clients {
			if c.Dynamic {
				dynamic++
			}
		}
		if dynamic >= maxOpen {
			return errNoRoom
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}

// bearer is the token of the Authorization header (RFC 6750 §2.1).
func bearer(r *http.Request) (string, bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// event is the audit line of a change, written in the same transaction.
func (h *Handler) event(r *http.Request, kind, client string, detail map[string]string) storage.Event {
	for name, value := range detail {
		if value == "" {
			delete(detail, name)
		}
	}
	return storage.Event{At: h.Registrar.Now(), Kind: kind, By: "client:" + client, Client: client, Address: h.address(r), Detail: detail}
}

func (h *Handler) address(r *http.Request) string {
	if h.Address == nil {
		return ""
	}
	return h.Address(r)
}

func (h *Handler) log() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}
