package storage

import (
	"context"
	"time"
)

// Reason says why something ended.
type Reason string

// The reasons, as they stand in audit, report and log.
const (
	ReasonLogout             Reason = "rp_initiated"         // RP-Initiated Logout 1.0
	ReasonAccount            Reason = "account"              // the user, on the account page
	ReasonIdle               Reason = "idle_timeout"         //
	ReasonAbsolute           Reason = "absolute_lifetime"    //
	ReasonOtherUser          Reason = "other_user"           // someone else signed in on this browser
	ReasonPasswordChange     Reason = "password_change"      //
	ReasonPasswordReset      Reason = "password_reset"       //
	ReasonEmailChange        Reason = "email_change"         //
	ReasonNotMe              Reason = "not_me"               // "this wasn't me"
	ReasonAdmin              Reason = "administrator"        //
	ReasonUserDisabled       Reason = "user_disabled"        //
	ReasonUserRemoved        Reason = "user_removed"         //
	ReasonClientSignOut      Reason = "client_sign_out"      // signed out at one client only
	ReasonConsentWithdrawn   Reason = "consent_withdrawn"    //
	ReasonClientDisabled     Reason = "client_disabled"      //
	ReasonClientRemoved      Reason = "client_removed"       //
	ReasonClientChanged      Reason = "client_changed"       // its metadata allow less than before
	ReasonRefreshReuse       Reason = "refresh_reuse"        // a refresh token was used twice, which shows theft
	ReasonCodeReuse          Reason = "code_reuse"           //
	ReasonTokenRevoked       Reason = "token_revoked"        // by its client (RFC 7009)
	ReasonOfflineAccessEnded Reason = "offline_access_ended" // only offline access was ended
)

// Cause is why and by whom something ends.
type Cause struct {
	ID      string `json:"id"` // random; one for each act, the same in all pages of a bulk logout
	Reason  Reason `json:"reason"`
	By      string `json:"by"`                // "user:SUB", "client:ID", "admin", "system"
	Client  string `json:"client,omitempty"`  // the client that asked, if one did
	Address string `json:"address,omitempty"` // of the browser or administrator
}

// Selector says what ends. Exactly one of Sessions, Subject, AllUsers, Expired and Grant is set, or Client alone,
// which means the same as with AllUsers. [Selection] decides what a selector takes.
type Selector struct {
	Sessions       []SessionID `json:"sessions,omitempty"`        // these sessions
	Subject        string      `json:"sub,omitempty"`             // the sessions of one user
	AllUsers       bool        `json:"all_users,omitempty"`       // all sessions
	Expired        bool        `json:"expired,omitempty"`         // sessions past their deadline; each one's reason is its ExpiryReason
	Grant          string      `json:"grant,omitempty"`           // this grant and nothing else
	Except         SessionID   `json:"except,omitempty"`          // but not this session
	Client         string      `json:"client,omitempty"`          // of the selected sessions only this client's part and grants
	IncludeOffline bool        `json:"include_offline,omitempty"` // also the offline grants of the selected users (and client)
	OfflineOnly    bool        `json:"offline_only,omitempty"`    // with IncludeOffline, and Subject, AllUsers or Client: only offline grants
}

// Change is written in the transaction of a termination; the zero value is nothing.
type Change struct {
	User            *User     // stored as by PutUser, for disabling or a new password; a new password also removes the user's links
	RemoveUser      string    // subject; never used again
	Client          *Client   // stored as by PutClient
	RemoveClient    string    //
	WithdrawConsent *Consent  // Subject and Client name it
	NewSession      *Session  // stored as by CreateSession, and not ended by the same call
	UseLink         Hash      // a one-time link that this uses; ErrAlreadyUsed if it is gone
	Factors         *Factors  // of a user, with the stored Revision (ErrChanged)
	RequireSession  SessionID // ErrRevoked if this session is no longer active
	RemoveLinks     string    // subject: all open one-time links of this user are removed
	ForgetBrowsers  string    // subject: all remembered browsers of this user are forgotten, as with a new password
	Events          []Event   // audit lines beyond those of the terminations themselves
}

// EndRequest asks for a termination: Selector says what ends, Cause why and by whom. Change is written in the same
// transaction.
type EndRequest struct {
	Selector Selector
	Cause    Cause
	Change   Change
}

// SecureUser extends a request that ends sessions of a user. It also ends what an attacker who acted as the user
// could hold: every open one-time link, every remembered browser and, unless keepOffline is set, all offline access.
func (r *EndRequest) SecureUser(subject string, keepOffline bool) {
	r.Change.RemoveLinks = subject
	r.Change.ForgetBrowsers = subject
	r.Selector.IncludeOffline = !keepOffline
}

// Termination is one session, one client session or one grant that ended, as it was in the transaction that ended it.
// A client session that a bulk logout under way had ended before stands by itself, with the Cause and EndedAt of that
// bulk logout.
type Termination struct {
	Cause            Cause
	EndedAt          time.Time
	Session          Session            // with the client sessions that ended; zero when only a grant ended
	WholeSession     bool               // the session itself ended, not only client sessions
	Grants           []Grant            // the grants that ended; a bound one that ended alone has the Trust of its client session
	RemainingOffline []Grant            // the user's offline grants of the same clients that stay
	Clients          map[string]*Client // every client named here, as it was before the change; a client removed before is missing
	User             User               // before the change
}

// Plan is what is written for one termination.
type Plan struct {
	Report     *Report
	Deliveries []Delivery
}

// TerminationCount counts what a selection ends.
type TerminationCount struct {
	Sessions       int `json:"sessions"`
	ClientSessions int `json:"client_sessions"`
	Deliveries     int `json:"deliveries"` // client sessions of clients with a back-channel logout URI
	Grants         int `json:"grants"`
}

// BulkLogout is a termination of many sessions, under way or finished.
type BulkLogout struct {
	Cause     Cause            `json:"cause"`
	Selector  Selector         `json:"selector"`
	Sequence  Sequence         `json:"-"` // what was committed before it has ended
	StartedAt time.Time        `json:"started_at"`
	Done      TerminationCount `json:"done"`
	Finished  time.Time        `json:"finished_at,omitzero"`
}

// Terminations is how sessions end.
type Terminations interface {
	// EndSessions applies req.Change and ends what req.Selector selects, in one transaction, dated at. It takes
	// everything that was committed before, whatever the times of those records are: it removes the sessions, or only
	// the client sessions where the selector names a client, revokes the grants and tokens bound to them, leaves
	// cutoffs against codes and sign-ins that began before (Selection.CutoffScopes), and writes what plan returns for
	// each termination, the audit lines and the reports.
	//
	// It removes at most limit sessions (0: no limit) and reports whether more remain. They have all ended with this
	// first call already; a BulkLogout is kept, so that this caller, or another after a crash, removes the rest by
	// calling again with the same selector, cause and at, and a zero Change, until more is false. A session that a
	// bulk logout under way has ended is left to it. Nothing selected is not an error: the change is applied all the
	// same.
	//
	// plan is pure and may run twice. Errors are those of the change: ErrExists, ErrChanged, ErrNotFound,
	// ErrAlreadyUsed, and ErrRevoked where its session may not begin.
	EndSessions(
		ctx context.Context,
		req EndRequest,
		at time.Time,
		limit int,
		plan func(Termination) Plan,
	) (ended []Termination, more bool, err error)
	// CountTerminations counts what sel ends, and changes nothing.
	CountTerminations(ctx context.Context, sel Selection) (TerminationCount, error)
	// CountBulkLogout counts all that a bulk logout ends, what it has removed already included. The count does not
	// change while the bulk logout goes on, and is its Done when it is finished. ErrNotFound if it is not listed any
	// more.
	CountBulkLogout(ctx context.Context, b BulkLogout) (TerminationCount, error)
	// ListBulkLogouts lists bulk logouts, unfinished ones first; finished ones are kept for a day.
	ListBulkLogouts(ctx context.Context) ([]BulkLogout, error)
}
