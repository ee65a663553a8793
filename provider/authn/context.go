package authn

import (
	"slices"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// The authentication context classes (Core §2, acr), weakest first. phr is registered by OpenID Connect Extended
// Authentication Profile ACR Values 1.0 §2.
const (
	ACRPassword    = "1"   // a password alone
	ACRMultiFactor = "mfa" // two factors of different kinds
	ACRPasskey     = "phr" // a passkey (phishing-resistant) that verified its user, or a passkey after a password
)

// The method references (RFC 8176 §2).
const (
	amrPassword    = "pwd"
	amrOneTimeCode = "otp"
	amrHardwareKey = "hwk"
	amrSoftwareKey = "swk"
	amrUser        = "user"
	amrMultiFactor = "mfa"
	// AMRRemembered stands for a browser that was remembered at an earlier second factor (rba: risk-based
	// authentication).
	AMRRemembered = "rba"
)

// ACRValues returns the authentication context classes that a client can ask for (Core §2, acr), weakest first.
func ACRValues() []string { return []string{ACRPassword, ACRMultiFactor, ACRPasskey} }

// Required returns the acr that a value of the setting authn.require stands for; empty: any.
func Required(setting string) string {
	switch setting {
	case "mfa":
		return ACRMultiFactor
	case "passkey":
		return ACRPasskey
	}
	return ""
}

// Meets reports whether acr is as strong as required. Any acr meets an empty one.
func Meets(acr, required string) bool {
	return slices.Index(ACRValues(), acr) >= slices.Index(ACRValues(), required)
}

// StatedACR returns the acr that tokens state for a session with acr: its own, or the strongest weaker one that the
// client accepts. Core §5.5.1.1: a client that names values gets one of them.
func StatedACR(acr string, accepts func(value any) bool) string {
	values := ACRValues()
	for i := slices.Index(values, acr); i >= 0; i-- {
		if accepts(values[i]) {
			return values[i]
		}
	}
	return acr
}

// MeetsPolicy reports whether an authentication is as strong as the operator demands. For two factors a remembered
// browser counts as the second one.
func MeetsPolicy(acr string, amr []string, required string) bool {
	return Meets(acr, required) || required == ACRMultiFactor && slices.Contains(amr, AMRRemembered)
}

// UnmetACR returns the acr that settings such as authn.require and require_authn demand of a grant and that the user's
// authentication for it does not meet; empty: it meets them all. A grant can state a weaker acr than its methods are
// worth, if the client asked for that.
func UnmetACR(g *storage.Grant, settings ...string) string {
	required := ""
	for _, setting := range settings {
		required = Stronger(required, Required(setting))
	}
	if MeetsPolicy(g.ACR, g.AMR, required) || Meets(acrOf(g.AMR), required) {
		return ""
	}
	return required
}

// Stronger returns the stronger of two acr values.
func Stronger(a, b string) string {
	if Meets(a, b) {
		return a
	}
	return b
}

// Combine is an authentication by two methods. It began with the first one.
func Combine(first, second Authentication) Authentication {
	second.AuthTime, second.Sequence = first.AuthTime, first.Sequence
	second.AMR = combineAMR(first.AMR, second.AMR)
	second.ACR = acrOf(second.AMR)
	return second
}

// WithRemembered is an authentication by one method in a browser that was remembered at an earlier second factor.
func WithRemembered(a Authentication) Authentication {
	a.AMR = append(slices.Clone(a.AMR), AMRRemembered)
	return a
}

// OfSession is the authentication of a session whose user proves one thing more.
func OfSession(s storage.Session, user storage.User, sequence storage.Sequence) Authentication {
	return Authentication{User: user, AuthTime: s.AuthTime, Sequence: sequence, AMR: s.AMR, ACR: s.ACR}
}

// SecondFactorLifetime is how long a correct password waits for the second factor.
const SecondFactorLifetime = 10 * time.Minute

func combineAMR(first, second []string) []string {
	var amr []string
	for _, method := range slices.Concat(first, second, []string{amrMultiFactor}) {
		if method != AMRRemembered && !slices.Contains(amr, method) {
			amr = append(amr, method)
		}
	}
	return amr
}

func acrOf(amr []string) string {
	has := func(method string) bool { return slices.Contains(amr, method) }
	switch {
	case !has(amrMultiFactor):
		return ACRPassword
	case has(amrHardwareKey) || has(amrSoftwareKey):
		return ACRPasskey
	}
	return ACRMultiFactor
}
