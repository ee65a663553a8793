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
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// The paths of the endpoints, as http.ServeMux patterns.
const (
	Path       = "/register"
	ClientPath = "/register/{client}"
)

// maxOpenClients is how many dynamic clients there may be before open registration takes no more. Every stranger may
// call it, so without a bound one stranger could fill the store; 10,000 of the usual size take about 20 MB.
const maxOpenClients = 10_000

// Store is what registration asks of the store.
type Store interface {
	RegisterClient(ctx context.Context, c storage.Client, token storage.Hash, at time.Time, e ...storage.Event) error
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	ListClients(ctx context.Context, p storage.Page) ([]*storage.Client, string, error)
	InitialAccessToken(ctx context.Context, hash storage.Hash, at time.Time) (storage.InitialAccessToken, error)
}

// Handler serves dynamic client registration and its management.
type Handler struct {
	Issuer        string              // no trailing slash
	Policy        policy.Registration // CheckDefaults accepts its Defaults
	Registrar     *Registrar
	Store         Store
	Terminator    *logout.Terminator
	RemoteAddress func(*http.Request) string // of the caller, for the audit trail; nil: unknown
	Log           *slog.Logger               // nil: the default logger

	capacityMu sync.Mutex // held while an open registration looks for room and takes it
	openQuota  dailyQuota // of open registration
}

// Register serves POST /register (RFC 7591 §3, Registration §3).
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) {
	if !h.Policy.Enabled() {
		http.NotFound(w, r)
		return
	}
	ctx, now := r.Context(), h.Registrar.Now()
	defaults, initialToken, err := h.authorize(r, now)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	body, err := readBody(w, r)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	m, err := requestedMetadata(body, defaults, h.Registrar.Policy)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	if !h.Policy.Logo {
		m.LogoURI = ""
	}
	if initialToken.Hash.IsZero() {
		if err := h.openQuota.consume(now); err != nil {
			h.writeError(w, r, err)
			return
		}
	}
	c, secret, err := h.Registrar.NewClient(ctx, m, "")
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	token := keys.Random("")
	c.Dynamic, c.RegistrationToken = true, storage.HashOf(token)
	event := h.auditEvent(
		r,
		"client.registered",
		c.ClientID,
		map[string]string{"name": c.ClientName, "initial_token": initialToken.Name},
	)
	if err := h.createClient(ctx, c, initialToken.Hash, now, event); err != nil {
		h.writeError(w, r, err)
		return
	}
	h.writeClient(w, r, http.StatusCreated, &c, secret, token)
}

// authorize returns the defaults for the clients of this caller, and the initial access token that the caller
// presented, if any.
func (h *Handler) authorize(r *http.Request, now time.Time) (defaults []byte, t storage.InitialAccessToken, err error) {
	token, found := bearerToken(r)
	if !found && h.Policy.Mode == policy.RegistrationOpen {
		return h.Policy.Defaults, storage.InitialAccessToken{}, nil
	}
	if !found {
		return nil, storage.InitialAccessToken{}, errNoToken
	}
	t, err = h.Store.InitialAccessToken(r.Context(), storage.HashOf(token), now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.InitialAccessToken{}, errInvalidToken
	}
	return t.Defaults, t, err
}

// createClient creates the client and takes one use off the initial access token.
func (h *Handler) createClient(
	ctx context.Context,
	c storage.Client,
	initialToken storage.Hash,
	now time.Time,
	e storage.Event,
) error {
	if initialToken.IsZero() {
		h.capacityMu.Lock()
		defer h.capacityMu.Unlock()
		if err := h.checkCapacity(ctx); err != nil {
			return err
		}
	}
	err := h.Store.RegisterClient(ctx, c, initialToken, now, e)
	if errors.Is(err, storage.ErrRevoked) {
		return errInvalidToken // used up by another request at the same time
	}
	return err
}

func (h *Handler) checkCapacity(ctx context.Context) error {
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
		if dynamic >= maxOpenClients {
			return errClientLimit
		}
		if next == "" {
			return nil
		}
		page.After = next
	}
}

// bearerToken is the token of the Authorization header (RFC 6750 §2.1).
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// auditEvent is the audit line of a change, written in the same transaction.
func (h *Handler) auditEvent(r *http.Request, kind, client string, detail map[string]string) storage.Event {
	for name, value := range detail {
		if value == "" {
			delete(detail, name)
		}
	}
	return storage.Event{
		At:      h.Registrar.Now(),
		Kind:    kind,
		By:      "client:" + client,
		Client:  client,
		Address: h.remoteAddress(r),
		Detail:  detail,
	}
}

func (h *Handler) remoteAddress(r *http.Request) string {
	if h.RemoteAddress == nil {
		return ""
	}
	return h.RemoteAddress(r)
}

func (h *Handler) log() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}
