package policy

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// GroupRequirements has a value of authn.require for each group whose members need more than all users.
type GroupRequirements map[string]string

// Authn is how users prove who they are.
type Authn struct {
	// What every sign-in needs: a password (`password`), two factors (`mfa`), or a passkey (`passkey`). A passkey alone
	// counts as two factors. A user who has not set up the required factor does so when signing in. A client may require
	// more (`require_authn`). A user who has an authenticator app is always asked for its code, or for a passkey.
	Require string `yaml:"require" default:"password" oneof:"password mfa passkey"`
	// What the members of a group need at every sign-in, besides `authn.require`: a mapping of groups to its values, such
	// as `{admins: passkey}`. The strongest requirement holds. See [groups.md](groups.md).
	RequireGroups GroupRequirements `yaml:"require_groups"`
	// For how long a user may choose not to be asked for the second factor in the same browser. It ends earlier with a
	// change of the password or of a factor, and with "This wasn't me". `0`: the choice is not offered.
	RememberBrowser time.Duration `yaml:"remember_browser" default:"30d" min:"0" max:"365d"`
}

// RequirementsOf returns the values of Require and RequireGroups that hold for a user.
func (a Authn) RequirementsOf(u storage.User) []string {
	requirements := []string{a.Require}
	for _, group := range u.Groups {
		if value := a.RequireGroups[group]; value != "" {
			requirements = append(requirements, value)
		}
	}
	return requirements
}

// AllRequirements returns the values of Require and RequireGroups.
func (a Authn) AllRequirements() []string {
	requirements := []string{a.Require}
	for _, value := range a.RequireGroups {
		requirements = append(requirements, value)
	}
	return requirements
}
