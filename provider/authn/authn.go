package authn

import (
	"context"
	"encoding/json"
	"io"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// Authenticator is one way to prove who a user is. Its methods are safe for concurrent use.
type Authenticator interface {
	// Method names the authenticator in sealed interactions and in the log. It is lower-case and never changes.
	Method() string
	// Label is the name, in the catalog of package templates, of the text of the link that leads from another
	// method's page to this one's.
	Label() string
	// Page prepares the page that asks for the proof. It writes nothing; the caller sets the headers and then calls
	// the returned function.
	Page(ctx context.Context, prompt Prompt) (write func(io.Writer) error, err error)
	// Authenticate checks what the page's form sent. It returns a *[Refusal] if that proves nothing. Any other error
	// is a fault of ours, and the user is not authenticated.
	Authenticate(ctx context.Context, attempt Attempt) (Authentication, error)
	// Recheck returns storage.ErrRevoked if the credential of a is no longer valid. signin calls it after it has stored
	// the session, because a credential can be replaced while it is checked.
	Recheck(ctx context.Context, a Authentication) error
}

// Authentication is a user and how the user proved to be that user (Core §2: sub, auth_time, amr, acr).
type Authentication struct {
	User     storage.User
	AuthTime time.Time        // before any record was read, so that a logout from then on also ends what follows
	Sequence storage.Sequence // the store's, from before any record was read
	AMR      []string         // RFC 8176
	ACR      string
}

// Prompt is what a page that asks for a proof shows. Action and Interaction are where and with what the form is sent.
type Prompt struct {
	Page            templates.Page
	Action          string
	Interaction     string
	Application     *templates.App // the app that the user signs in to; nil: one of our own pages
	User            *storage.User  // the only user who may answer; nil: any
	Login           string         // what the user typed before, or login_hint
	RememberMe      bool
	Problem         templates.Problem // why the attempt before was refused
	OtherAccountURL string
	CancelURL       string // back to the app; empty: none
	OtherMethods    []templates.SignInMethod

	// Seal seals state into a new interaction and returns the Action and Interaction to use instead.
	// [Attempt.State] is that state when the form comes back.
	Seal func(state any) (action, interaction string, err error)
}

// Attempt is one attempt to prove who a user is.
type Attempt struct {
	Form  url.Values
	User  *storage.User   // the only user who may be proven; nil: the form names the user
	State json.RawMessage // what the page sealed; nil: nothing
	At    time.Time       // taken before anything was read

	Sequence storage.Sequence // the store's, from before anything was read

	Address string                      // of the browser; empty: not known
	Device  func(subject string) string // names the browser if that user has signed in with it before; else empty
}

// Refusal is the error of an attempt that proved nothing.
type Refusal struct {
	Problem templates.Problem // for the user; it never says whether an account exists
	Reason  string            // for the log
	Subject string            // of the user that was named, for the log; empty: there is none
}

func (r *Refusal) Error() string { return "authentication refused: " + r.Reason }
