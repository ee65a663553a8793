package policy

import "time"

// Authn is how users prove who they are.
type Authn struct {
	// What every sign-in needs: a password (`password`), two factors (`mfa`), or a passkey (`passkey`). A passkey alone
	// counts as two factors. A user who has not set up the required factor does so when signing in. A client may require
	// more (`require_authn`). A user who has an authenticator app is always asked for its code, or for a passkey.
	Require string `yaml:"require" default:"password" oneof:"password mfa passkey"`
	// For how long a user may choose not to be asked for the second factor in the same browser. It ends earlier with a
	// change of the password or of a factor, and with "This wasn't me". `0`: the choice is not offered.
	RememberBrowser time.Duration `yaml:"remember_browser" default:"30d" min:"0" max:"365d"`
}
