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
	ReasonAccount            Reason = "account"              // the person, on the account page
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
	ReasonClientSignOut      Reason = "client_sign_out"      // signed out at one application only
	ReasonConsentWithdrawn   Reason = "consent_withdrawn"    //
	ReasonClientDisabled     Reason = "client_disabled"      //
	ReasonClientRemoved      Reason = "client_removed"       //
	ReasonClientChanged      Reason = "client_changed"       // its metadata allow it less than before
	ReasonRefreshReuse       Reason = "refresh_reuse"        // a refresh token was used twice: theft shows
	ReasonCodeReuse          Reason = "code_reuse"           //
	ReasonTokenRevoked       Reason = "token_revoked"        // by its client (RFC 7009)
	ReasonOfflineAccessEnded Reason = "offline_access_ended" // offline access ended by its own button
)

// Cause is why and by whom something ends.
type Cause struct {
	ID      string `json:"id"` // random; one for each act, the same in all pages of a mass ending
	Reason  Reason `json:"reason"`
	By      string `json:"by"`                // "user:SUB", "client:ID", "admin", "system"
	Client  string `json:"client,omitempty"`  // the relying party that asked, if one did
	Address string `json:"address,omitempty"` // of the browser or administrator
}

// Selector says what ends. Exactly one of Sessions, Subject, Everyone, Overdue and Grant is set, or Client alone (the same as with Everyone).
type Selector struct {
	Sessions       []SessionID `json:"sessions,omitempty"`        // these
	Subject        string      `json:"sub,omitempty"`             // one user's
	AllUsers       bool        `json:"all_users,omitempty"`       // all
	Expired        bool        `json:"expired,omitempty"`         // what is past its deadline; the cause's reason is each session's ExpiryReason
	Grant          string      `json:"grant,omitempty"`           // this grant and nothing else
	Except         SessionID   `json:"except,omitempty"`          // but this one
	Client         string      `json:"client,omitempty"`          // only this client's memberships and grants in what is selected
	IncludeOffline bool        `json:"include_offline,omitempty"` // offline grants of the selected users (and client) too

	OfflineOnly bool `json:"offline_only,omitempty"` // with Offline, and Subject, Everyone or Client: these grants and nothing else
}

// Change is what is written in the transaction of an ending; the zero value is nothing.
type Change struct {
	User            *User    // stored as by PutUser; disabling or a new password comes this way, and with a new password all the person's links are gone
	RemoveUser      string   // subject; never used again
	Client          *Client  // stored as by PutClient
	RemoveClient    string   //
	WithdrawConsent *Consent // Subject and Client name it
	NewSession      *Session // a new session that begins in the same instant (someone else signed in on this browser)
	UseLink         Hash     // a one-time link that this uses; ErrSpent if it is gone
	RemoveLinks     string   // subject: all open one-time links of this user are removed
	Events          []Event  // audit lines beyond those of the endings themselves
}

// EndRequest asks for an ending: Selector says what ends, Cause why and by whom. Change is written in the same transaction.
type EndRequest struct {
	Selector Selector
	Cause    Cause
	Change   Change
}

// SecureUser extends a request that ends sessions of a user: it also ends what another person could hold who acted as the user, which is every open
// one-time link and, unless keepOffline is set, all offline access.
func (r *EndRequest) SecureUser(subject string, keepOffline bool) {
	r.Change.RemoveLinks = subject
	r.Selector.IncludeOffline = !keepOffline
}

// Termination is one session, one membership or one grant that ended, as it was in the transaction that ended it. A membership that a mass ending under
// way had not come to yet stands by itself, with the Cause and At of that ending.
type Termination struct {
	Cause            Cause
	EndedAt          time.Time
	Session          Session            // zero when only a grant ended; Members are those that ended
	WholeSession     bool               // the session itself ended, not only memberships
	Grants           []Grant            // the grants that died; of one that is bound to a session and ended alone, Trust is that of its membership
	RemainingOffline []Grant            // the user's offline grants of the members' clients that live on
	Clients          map[string]*Client // every client of Members, Grants and Offline, as it was before the change; a client already gone is missing
	User             User               // before the change
}

// Plan is what is written for one Ended.
type Plan struct {
	Report     *Report
	Deliveries []Delivery
}

// TerminationCount is what a selector would end.
type TerminationCount struct {
	Sessions       int `json:"sessions"`
	ClientSessions int `json:"client_sessions"` // memberships
	Deliveries     int `json:"deliveries"`      // members with a back-channel logout URI
	Grants         int `json:"grants"`
}

// BulkLogout is a mass ending under way or finished.
type BulkLogout struct {
	Cause     Cause            `json:"cause"`
	Selector  Selector         `json:"selector"`
	StartedAt time.Time        `json:"started_at"` // t0: what began after it is not touched
	Done      TerminationCount `json:"done"`
	Finished  time.Time        `json:"finished_at,omitzero"`
}

// Terminations is how sessions end.
type Terminations interface {
	// EndSessions applies change and ends what sel selects as of at, in one transaction: it removes the sessions, or only the
	// memberships where sel names a client, kills the grants and tokens bound to them, leaves a fence against codes issued at or before at, writes
	// what plan returns for each, one audit line for each, and stores the reports. What began after at is not selected, unless it is a session
	// named by its id, which never comes again, or in the first call something that began more than ClockStep after at.
	//
	// It ends at most limit sessions (limit 0: no limit) and says whether more remain. Then the fence of this first call makes all of them dead at once, and an
	// Ending is kept, so that the caller, or after a crash another, goes on by calling again with the same sel, cause and at
	// and a zero Change until more is false. Nothing selected is not an error: change is applied all the same.
	//
	// plan is pure and may run twice. Errors are those of the change: ErrExists, ErrChanged, ErrNotFound, ErrSpent, and ErrEnded where its session
	// may not begin.
	EndSessions(ctx context.Context, req EndRequest, at time.Time, limit int, plan func(Termination) Plan) (ended []Termination, more bool, err error)
	// CountTerminations counts what sel would end as of at, and changes nothing.
	CountTerminations(ctx context.Context, sel Selector, at time.Time) (TerminationCount, error)
	// ListBulkLogouts lists mass endings, unfinished ones first; finished ones are kept for a day.
	ListBulkLogouts(ctx context.Context) ([]BulkLogout, error)
}

// ClockStep is how much later than an ending something must say it began for that to mean that the clock was ahead then and has been put back:
// no request takes this long from reading the clock to its transaction.
const ClockStep = time.Minute

// CutoffLifetime is how long a fence is kept after its ending is complete: longer than any code or interaction handle lives.
const CutoffLifetime = 2 * time.Hour
