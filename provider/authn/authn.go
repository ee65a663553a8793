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
	// Label returns the key, in the catalog of package templates, of the text of the link to this method's page.
	Label() string
	// Page prepares the page that asks for the proof. It writes nothing; the caller sets the headers and then calls
	// the returned function.
	Page(ctx context.Context, prompt Prompt) (write func(io.Writer) error, err error)
	// Authenticate checks the form that the page sent. It returns a *[Refusal] if the form does not authenticate the
	// user. Any other error is internal. The user is authenticated only if the error is nil.
	Authenticate(ctx context.Context, attempt Attempt) (Authentication, error)
	// Recheck returns storage.ErrRevoked if the credential of a is no longer valid. Package signin calls it after it
	// has stored the session: the credential may have been replaced while Authenticate checked it.
	Recheck(ctx context.Context, a Authentication) error
}

// Authentication is a user and how the user proved to be that user (Core §2: sub, auth_time, amr, acr).
type Authentication struct {
	User     storage.User
	AuthTime time.Time        // before any record was read; a logout after that also ends the new session
	Sequence storage.Sequence // the store's sequence before any record was read
	AMR      []string         // RFC 8176
	ACR      string

	RecoveryCodes []string // new recovery codes, which the user must see once

	Upstream storage.UpstreamSession // of a sign-in at another provider
}

// Prompt has the contents of a page that asks the user for a credential.
type Prompt struct {
	Page            templates.Page
	Action          string         // the URL that the form is sent to
	Interaction     string         // the sealed interaction that the form carries
	Application     *templates.App // the app that the user signs in to; nil: the account pages
	User            *storage.User  // the only user who may sign in; nil: any user
	Login           string         // the name that the user typed before, or login_hint
	RememberMe      bool
	Problem         templates.Problem // why the previous attempt was refused
	OtherAccountURL string
	CancelURL       string // back to the app; empty: none
	OtherMethods    []templates.SignInMethod
	Upstreams       []templates.UpstreamLink
	RememberDays    int             // the page offers to remember this browser for so many days; 0: no offer
	State           json.RawMessage // the state that the page before sealed; nil: none

	// Seal seals state into a new interaction and returns the Action and Interaction to use instead.
	// [Attempt.State] is that state when the form comes back.
	Seal func(state any) (action, interaction string, err error)
}

// Attempt is one attempt of a user to authenticate.
type Attempt struct {
	Form  url.Values
	User  *storage.User   // the only user who may be authenticated; nil: the form names the user
	State json.RawMessage // the state that the page sealed; nil: none
	At    time.Time       // before any record was read

	Sequence storage.Sequence // the store's sequence before any record was read

	Address   string // of the browser; empty: unknown
	UserAgent string // of the browser
	// Device returns the identifier of the browser if that user has signed in with it before, else "".
	Device func(subject string) string
}

// Refusal is the error of an attempt that did not authenticate a user.
type Refusal struct {
	Problem templates.Problem // for the user; it never says whether an account exists
	Reason  string            // for the log
	Subject string            // the user in the attempt, for the log; empty: no such user
}

func (r *Refusal) Error() string { return "authentication refused: " + r.Reason }
