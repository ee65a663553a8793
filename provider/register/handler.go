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

// Store is the part of storage.Store that this package uses.
type Store interface {
	RegisterClient(ctx context.Context, c storage.Client, token storage.Hash, at time.Time, e ...storage.Event) error
	PutClient(ctx context.Context, c storage.Client, e ...storage.Event) error
	Client(ctx context.Context, id string) (*storage.Client, error)
	DynamicClientUsage(ctx context.Context) (storage.ClientUsage, error)
	UnusedClients(ctx context.Context, createdBefore, usedBefore time.Time, limit int) ([]string, error)
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

	capacityMu    sync.Mutex // held while a registration or a change checks the capacity and stores the client
	registrations quota      // accepted open registrations
	changes       quota      // accepted changes, if registration is open
}

// Register handles POST /register (RFC 7591 §3, Registration §3).
func (h *Handler) Register(w http.ResponseWriter, r *http.Request) {
	if !h.Policy.Enabled() {
		http.NotFound(w, r)
		return
	}
	ctx := r.Context()
	now := h.Registrar.Now()
	defaults, initialToken, err := h.authorize(r, now)
	if err != nil {
		h.writeError(w, r, err)
		return
	}
	isOpen := initialToken.Hash.IsZero()
	if isOpen {
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
	token := keys.Random()
	c.RegistrationToken = storage.HashOf(token)
	detail := map[string]string{"name": c.ClientName, "initial_token": initialToken.Name}
	event := h.auditEvent(r, "client.registered", c.ClientID, detail)
	if err := h.createClient(ctx, c, initialToken.Hash, event); err != nil {
		h.writeError(w, r, err)
		return
	}
	h.writeClient(w, r, http.StatusCreated, &c, secret, token)
}

// authorize returns the defaults for clients that this caller registers, and the caller's initial access token. The
// token is zero for open registration.
func (h *Handler) authorize(
	r *http.Request,
	now time.Time,
) (defaults []byte, initialToken storage.InitialAccessToken, err error) {
	token, hasToken := bearerToken(r)
	if !hasToken && h.Policy.Mode == policy.RegistrationOpen {
		return h.Policy.Defaults, storage.InitialAccessToken{}, nil
	}
	if !hasToken {
		return nil, storage.InitialAccessToken{}, errNoToken
	}
	initialToken, err = h.Store.InitialAccessToken(r.Context(), storage.HashOf(token), now)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, storage.InitialAccessToken{}, errInvalidToken
	}
	return initialToken.Defaults, initialToken, err
}

// dailyLimit returns the limit for registrations in a day. The same limit applies to changes.
func (h *Handler) dailyLimit() limit {
	return limit{total: h.Policy.PerDay, perNetwork: h.Policy.PerDayNetwork}
}

// createClient stores the client. It counts one use of the initial access token or, for open registration, one
// registration of the day.
func (h *Handler) createClient(
	ctx context.Context,
	c storage.Client,
	initialToken storage.Hash,
	event storage.Event,
) error {
	h.capacityMu.Lock()
	defer h.capacityMu.Unlock()
	isOpen := initialToken.IsZero()
	if err := h.checkCapacity(ctx, nil, &c, isOpen); err != nil {
		return err
	}
	if isOpen { // checked again, because capacityMu was not held in Register
		if err := h.registrations.check(event.At, event.Address, h.dailyLimit()); err != nil {
			return err
		}
	}
	err := h.Store.RegisterClient(ctx, c, initialToken, event.At, event)
	if errors.Is(err, storage.ErrRevoked) {
		return errInvalidToken // another request has used it up at the same time
	}
	if err != nil {
		return err
	}
	if isOpen {
		h.registrations.count(event.At, event.Address)
	}
	return nil
}

// reservedFactor is the total capacity divided by the capacity for open registration. The rest is reserved for callers
// with an initial access token and for changes of clients, so that strangers cannot use it up.
const reservedFactor = 2

// checkCapacity returns an error if there is no capacity for c. old is the client before a change, or nil for a new
// one. isOpen says that c comes from open registration.
func (h *Handler) checkCapacity(ctx context.Context, old, c *storage.Client, isOpen bool) error {
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
	maxClients := h.Policy.MaxClients
	maxBytes := int64(h.Policy.MaxTotalBytes)
	if !isOpen {
		maxClients *= reservedFactor
		maxBytes *= reservedFactor
	}
	tooMany := maxClients > 0 && usage.Clients >= maxClients
	tooLarge := maxBytes > 0 && usage.Bytes+growth > maxBytes
	if old == nil && tooMany {
		return errClientLimit
	}
	if growth > 0 && tooLarge {
		return errClientLimit
	}
	return nil
}

// recordSize returns the approximate size of a client in the store, in bytes.
func recordSize(c *storage.Client) (int64, error) {
	record, err := json.Marshal(c)
	if err != nil {
		return 0, fmt.Errorf("encode client: %w", err)
	}
	return int64(len(record)), nil
}

// bearerToken returns the token of the Authorization header (RFC 6750 §2.1). ok is false if the header has none.
func bearerToken(r *http.Request) (token string, ok bool) {
	scheme, token, found := strings.Cut(r.Header.Get("Authorization"), " ")
	if !found || !strings.EqualFold(scheme, "Bearer") {
		return "", false
	}
	return strings.TrimSpace(token), true
}

// auditEvent returns the audit event of a change. It removes empty values from detail.
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
