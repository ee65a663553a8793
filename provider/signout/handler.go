package signout

import (
	"context"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Store is the part of storage.Store that this package uses.
type Store interface {
	Client(ctx context.Context, id string) (*storage.Client, error)
	User(ctx context.Context, subject string) (storage.User, error)
	logoutview.SessionLister
	SessionBySID(ctx context.Context, sid string, at time.Time) (storage.Session, storage.ClientSession, error)
	ListGrants(ctx context.Context, subject, client string, offlineOnly bool, at time.Time) ([]storage.Grant, error)
}

// HintVerifier verifies ID token hints. It also accepts expired hints and hints that a retired key signed (RP-Initiated
// Logout 1.0 §2).
type HintVerifier interface {
	VerifyHint(token string) (keys.Hint, error)
}

// Handler serves /end_session.
type Handler struct {
	Site         *web.Site
	Store        Store
	Terminator   *logout.Terminator
	View         *logoutview.Handler
	HintVerifier HintVerifier
	SubjectFor   func(subject string, c *storage.Client) string
	Lifetimes    logout.Lifetimes
	Policy       policy.Logout
}

// Purposes of sealed interactions: an interaction that was sealed for one purpose does not open for another.
const (
	purposeRequest = "end-session" // a POST that was redirected to a GET
	purposeConfirm = "sign-out"    // the confirmation page
)

// requestLifetime is how long a sealed logout request is valid.
const requestLifetime = 10 * time.Minute
