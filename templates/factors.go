package templates

import (
	"io"
	"time"
)

// FactorsPage lists the ways in which the user signs in besides the password. Its forms post interaction, remove=WHAT
// and what "end-others" adds to RemoveAction, interaction to RecoveryAction, and interaction, rename=WHAT and name to
// RenameAction.
type FactorsPage struct {
	AccountPage
	Passkeys        []Passkey
	TOTP            *TOTPFactor // nil: no authenticator app
	RecoveryCodes   int         // unused ones
	RecoveryCreated time.Time   // zero: there never were any
	Browsers        int         // that are not asked for the second factor
	OfferPasskeys   bool
	AddPasskeyURL   string
	AddTOTPURL      string
	RemoveAction    string
	RecoveryAction  string
	RenameAction    string
	Problem         Problem
	Linked          []LinkedAccount
	Linkable        []UpstreamLink // other providers at which the user has no linked account; URL is not used
	LinkAction      string         // takes interaction and link=ID
	UnlinkAction    string         // takes interaction and unlink=KEY
	MayHaveRecovery bool           // there is a factor that recovery codes stand in for
}

// Passkey is a passkey of the user.
type Passkey struct {
	ID       string // opaque
	Name     string
	Created  time.Time
	LastUsed time.Time // zero: never
	Synced   bool      // it is backed up and can be on several devices
}

// LinkedAccount is an account of another provider with which the user signs in.
type LinkedAccount struct {
	Key      string // opaque
	Provider string // the name of the provider
	Name     string // of the account there; may be empty
	Created  time.Time
}

// TOTPFactor is the user's authenticator app.
type TOTPFactor struct {
	Created  time.Time
	LastUsed time.Time
}

// Factors writes "Sign-in methods".
func Factors(w io.Writer, p FactorsPage) error { return render(w, p.Page, "factors", p) }

// Tab names this page's tab.
func (p FactorsPage) Tab() string { return "security" }

// factorRemoval is the form that removes one factor.
type factorRemoval struct{ Action, Interaction, What, Name string }
