package storage

import (
	"context"
	"time"
)

// Reason says why a session, client session or grant ended.
type Reason string

// The reasons, as the audit trail, reports and logs show them.
const (
	ReasonLogout             Reason = "rp_initiated" // RP-Initiated Logout 1.0
	ReasonAccount            Reason = "account"      // the user signed out on the account page
	ReasonIdle               Reason = "idle_timeout"
	ReasonAbsolute           Reason = "absolute_lifetime"
	ReasonOtherUser          Reason = "other_user" // another user signed in with the same browser
	ReasonPasswordChange     Reason = "password_change"
	ReasonPasswordReset      Reason = "password_reset"
	ReasonEmailChange        Reason = "email_change"
	ReasonFactorChange       Reason = "factor_change" // a passkey, an authenticator app or recovery codes were changed
	ReasonNotMe              Reason = "not_me"        // the user did not recognise a session
	ReasonAdmin              Reason = "administrator"
	ReasonUserDisabled       Reason = "user_disabled"
	ReasonUserRemoved        Reason = "user_removed"
	ReasonClientSignOut      Reason = "client_sign_out" // the user signed out at one client only
	ReasonConsentWithdrawn   Reason = "consent_withdrawn"
	ReasonClientDisabled     Reason = "client_disabled"
	ReasonClientRemoved      Reason = "client_removed"
	ReasonClientChanged      Reason = "client_changed" // the new metadata allow less than before
	ReasonRefreshReuse       Reason = "refresh_reuse"  // a refresh token was used twice, which shows theft
	ReasonCodeReuse          Reason = "code_reuse"
	ReasonTokenRevoked       Reason = "token_revoked"        // the client revoked a token (RFC 7009)
	ReasonOfflineAccessEnded Reason = "offline_access_ended" // only offline access was ended
	ReasonUpstreamLogout     Reason = "upstream_logout"      // the upstream of the session said that its session is over
	ReasonUpstreamExpired    Reason = "upstream_expiry"      // session_expiry of the upstream has passed
	ReasonUpstreamRecheck    Reason = "upstream_recheck"     // the upstream refused a silent check of the session
	ReasonUnlinked           Reason = "unlinked"             // the user unlinked the upstream account of the session
	ReasonGroupLeft          Reason = "group_left"           // the user left a group that the client admits
	ReasonRestore            Reason = "restore"              // the store was restored from a backup
)

// Cause says why and by whom sessions are ended.
type Cause struct {
	ID      string `json:"id"` // random; all terminations of one EndRequest have the same
	Reason  Reason `json:"reason"`
	By      string `json:"by"`                // "user:SUB", "client:ID", "upstream:ID", "admin", "admin:OSUSER", "system"
	Client  string `json:"client,omitempty"`  // the client that requested the logout, if one did
	Address string `json:"address,omitempty"` // of the browser or the administrator
}

// Selector selects the sessions, client sessions and grants that a termination ends. Exactly one of Sessions, Subject,
// AllUsers, Expired, Grant and Upstream is set, or Client alone, which means the same as with AllUsers. [Selection]
// evaluates a selector.
type Selector struct {
	Sessions []SessionID `json:"sessions,omitempty"`  // these sessions
	Subject  string      `json:"sub,omitempty"`       // the sessions of one user
	AllUsers bool        `json:"all_users,omitempty"` // all sessions
	Expired  bool        `json:"expired,omitempty"`   // sessions that have expired; Session.ExpiryReason is the reason
	Grant    string      `json:"grant,omitempty"`     // only this grant

	Upstream UpstreamSelector `json:"upstream,omitzero"` // sessions that came from an upstream; whole ones only

	Except SessionID `json:"except,omitempty"` // this session stays
	Client string    `json:"client,omitempty"` // only this client's client sessions and grants

	// Unadmitted, with Subject or with Client, selects only client sessions and grants of clients that do not admit the
	// user (Client.Admits). The store evaluates it once, after Change: see Selection.NotAdmitted.
	Unadmitted bool `json:"unadmitted,omitempty"`

	IncludeOffline bool `json:"include_offline,omitempty"` // also the offline grants of the selected users (and client)
	OfflineOnly    bool `json:"offline_only,omitempty"`    // with IncludeOffline: only offline grants, no sessions
}

// Change is a set of changes that a store writes in the transaction of a termination. Zero fields change nothing.
type Change struct {
	User            *User      // stored as by PutUser; a new password also removes links and remembered browsers
	RemoveUser      string     // subject of a user; it is never used again
	Client          *Client    // stored as by PutClient
	RemoveClient    string     // client_id
	WithdrawConsent *Consent   // only Subject and Client count
	NewSession      *Session   // stored as by CreateSession; the same termination does not end it
	UseLink         Hash       // uses up this one-time link; ErrAlreadyUsed if it was used or removed
	Factors         *Factors   // of a user; Revision must equal the stored revision (ErrChanged)
	Unlink          []Identity // removes these links; only Issuer, Subject and User count (ErrNotFound)
	RequireSession  SessionID  // ErrRevoked if this session is no longer active
	RemoveLinks     string     // subject of a user; removes all unused one-time links of this user but those in notices
	ForgetBrowsers  string     // subject of a user; removes all remembered browsers of this user
	Mails           []Mail     // messages to queue
	Events          []Event    // audit lines in addition to those of the terminations
}

// EndRequest is a request to end sessions. The store writes Change in the same transaction.
type EndRequest struct {
	Selector  Selector
	Cause     Cause
	Change    Change
	Initiator Initiator
}

// Initiator identifies the client session from which a logout was started, if the browser returns to its client
// afterwards. The zero value stands for no such client session. The plan reads it; the store does not.
type Initiator struct {
	SID          string // of the client session
	HintVerified bool   // a verified ID token hint belongs to the session
}

// SecureUser extends a request that ends a user's sessions, for the case that an attacker acted as the user. It also
// removes the user's unused one-time links and remembered browsers and, unless keepOffline is set, ends all offline
// access.
func (r *EndRequest) SecureUser(subject string, keepOffline bool) {
	r.Change.RemoveLinks = subject
	r.Change.ForgetBrowsers = subject
	r.Selector.IncludeOffline = !keepOffline
}

// Termination describes one session, client session or grant that ended, as it was in the transaction that ended it. A
// client session that an earlier bulk logout had already ended gets a Termination of its own, with the Cause and
// EndedAt of that bulk logout.
type Termination struct {
	Cause        Cause
	EndedAt      time.Time
	Session      Session // contains only the client sessions that ended; zero if only a grant ended
	WholeSession bool    // the session itself ended, not only client sessions

	// Grants are the grants that ended. A session-bound grant that ended alone has the Trust of its client session.
	Grants []Grant
	// RemainingOffline are the user's offline grants at the same clients that did not end.
	RemainingOffline []Grant

	// Clients are all clients that the other fields name, as they were before the Change. A client that was removed
	// earlier is missing.
	Clients map[string]*Client
	User    User // as it was before the Change
}

// Plan contains the report and the deliveries that a store writes for one termination.
type Plan struct {
	Report     *Report
	Deliveries []Delivery
}

// TerminationCount counts the sessions, client sessions, deliveries and grants of terminations.
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
	Sequence  Sequence         `json:"-"` // ends records that were committed before it
	StartedAt time.Time        `json:"started_at"`
	Done      TerminationCount `json:"done"`
	Finished  time.Time        `json:"finished_at,omitzero"`
}

// Terminations ends sessions and grants.
type Terminations interface {
	// EndSessions applies req.Change and ends the sessions and grants that req.Selector selects, in one transaction.
	// It selects all records that were committed before, whatever time the clock showed. It
	//
	//   - removes the sessions or, if the selector names a client, only that client's client sessions,
	//   - revokes their grants and tokens,
	//   - writes cutoffs against earlier codes, sign-ins and tokens (Selection.CutoffScopes),
	//   - writes the audit lines, and the report and deliveries that plan returns for each termination.
	//
	// It removes the records of at most limit sessions (0: no limit). more reports whether records remain. Their
	// sessions have ended too, with the first call: the store keeps a BulkLogout and refuses them. The caller, or
	// another one after a crash, removes the remaining records by calling again with the same selector, cause and at,
	// and a zero Change, until more is false. A call does not remove sessions that another bulk logout has ended.
	//
	// It is not an error if the selector selects nothing; the store still applies the change. plan is pure and may
	// run twice. The errors are those of the change: ErrExists, ErrChanged, ErrNotFound, ErrAlreadyUsed, and
	// ErrRevoked if NewSession may not be created.
	EndSessions(
		ctx context.Context,
		req EndRequest,
		at time.Time,
		limit int,
		plan func(Termination) Plan,
	) (ended []Termination, more bool, err error)
	// CountTerminations counts the records that sel would end, and changes nothing.
	CountTerminations(ctx context.Context, sel Selection) (TerminationCount, error)
	// CountBulkLogout counts all records that a bulk logout ends, including those that it has already removed. The
	// count stays the same while the bulk logout is under way; afterwards it equals Done. ErrNotFound if the bulk
	// logout is no longer listed.
	CountBulkLogout(ctx context.Context, b BulkLogout) (TerminationCount, error)
	// ListBulkLogouts lists bulk logouts, unfinished ones first; finished ones are kept for a day.
	ListBulkLogouts(ctx context.Context) ([]BulkLogout, error)
}
