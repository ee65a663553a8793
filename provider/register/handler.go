package register

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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

// Store is what registration asks of the store.
type Store interface {
	RegisterClient(ctx context.Context, c storage.Client, token storage.Hash, at time.Time, e ...storage.Event) error
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	DynamicClientUsage(ctx context.Context) (storage.ClientUsage, error)
	UnusedClients(ctx context.Context, neverUsed, disused time.Time, limit int) ([]string, error)
	InitialAccessToken(ctx context.Context, hash storage.Hash, at time.Time) (storage.InitialAccessToken, error)
}

// Handler serves dynamic client registration and its management.
type Handler struct {
	Issuer        string              // without a trailing slash
	Policy        policy.Registration // its Defaults must pass CheckDefaults
	Registrar     *Registrar
	Store         Store
	Terminator    *logout.Terminator
	RemoteAddress func(*http.Request) string // address of the caller, for the audit log; nil: unknown
	Log           *slog.Logger               // nil: the default logger

	capacityMu    sync.Mutex // held while a registration or a change looks for room and takes it
	registrations quota      // accepted ones of open registration
	changes       quota      // accepted ones where registration is open
}

// Register handles POST /register (RFC 7591 §3, Registration §3).
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
	open := initialToken.Hash.IsZero()
	if open {
		if err := h.registrations.check(now, h.remoteAddress(r), h.dailyLimit()); err != nil {
			h.writeError(w, r, err)
			return
		}
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
	c, secret, err := h.Registrar.NewSelfRegistered(ctx, m)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	token := keys.Random("")
	c.RegistrationToken = storage.HashOf(token)
	event := h.auditEvent(
		r,
		"client.registered",
		c.ClientID,
		map[string]string{"name": c.ClientName, "initial_token": initialToken.Name},
	)
	if err := h.createClient(ctx, c, initialToken.Hash, event); err != nil {
		h.writeError(w, r, err)
		return
	}
	h.writeClient(w, r, http.StatusCreated, &c, secret, token)
}

// authorize returns the defaults for clients that this caller registers, and the caller's initial access token. The
// token is zero for open registration.
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

// dailyLimit is how many registrations, and how many changes, are taken in a day.
func (h *Handler) dailyLimit() limit {
	return limit{total: h.Policy.PerDay, perNetwork: h.Policy.PerDayNetwork}
}

// createClient creates the client and takes one use off the initial access token, or off the day's registrations.
func (h *Handler) createClient(
	ctx context.Context,
	c storage.Client,
	initialToken storage.Hash,
	e storage.Event,
) error {
	h.capacityMu.Lock()
	defer h.capacityMu.Unlock()
	open := initialToken.IsZero()
	if err := h.checkCapacity(ctx, nil, &c, open); err != nil {
		return err
	}
	if open {
		if err := h.registrations.check(e.At, e.Address, h.dailyLimit()); err != nil {
			return err
		}
	}
	err := h.Store.RegisterClient(ctx, c, initialToken, e.At, e)
	if errors.Is(err, storage.ErrRevoked) {
		return errInvalidToken // another request has used it up at the same time
	}
	if err == nil && open {
		h.registrations.count(e.At, e.Address)
	}
	return err
}

// reservedFactor is how many times the limits of open registration hold for the rest: strangers who use up all the room
// must not keep out the callers to whom an operator gave a token, nor keep clients from changing.
const reservedFactor = 2

// checkCapacity returns an error if there is no room for a new client (old is nil), or for a client that has grown.
func (h *Handler) checkCapacity(ctx context.Context, old, c *storage.Client, open bool) error {
	usage, err := h.Store.DynamicClientUsage(ctx)
	if err != nil {
		return err
	}
	growth, err := recordSize(c)
	if err != nil {
		return err
	}
	if old != nil {
		before, err := recordSize(old)
		if err != nil {
			return err
		}
		growth -= before
	}
	maxClients, maxBytes := h.Policy.MaxClients, int64(h.Policy.MaxTotalBytes)
	if !open {
		maxClients, maxBytes = maxClients*reservedFactor, maxBytes*reservedFactor
	}
	switch {
	case old == nil && maxClients > 0 && usage.Clients >= maxClients,
		growth > 0 && maxBytes > 0 && usage.Bytes+growth > maxBytes:
		return errClientLimit
	}
	return nil
}

// recordSize is about how many bytes a client takes in the store.
func recordSize(c *storage.Client) (int64, error) {
	record, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("encode client: %w", err)
	}
	return int64(len(record)), nil
}

// bearerToken returns the token of the Authorization header (RFC 6750 §2.1).
func bearerToken(r *http.Request) (string, bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// auditEvent returns the audit event of a change. It leaves out empty details.
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

// remoteAddress returns the address of the caller, or "" if it is unknown.
func (h *Handler) remoteAddress(r *http.Request) string {
	if h.RemoteAddress == nil {
		return ""
	}
	return h.RemoteAddress(r)
}

// log returns the configured logger or, without one, the default logger.
func (h *Handler) log() *slog.Logger {
	if h.Log != nil {
		return h.Log
	}
	return slog.Default()
}
