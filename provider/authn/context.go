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

// RequiredACR returns the acr for the strongest of these values of the setting authn.require. An empty acr means any.
func RequiredACR(settings ...string) string {
	switch {
	case slices.Contains(settings, "passkey"):
		return ACRPasskey
	case slices.Contains(settings, "mfa"):
		return ACRMultiFactor
	}
	return ""
}

// Meets reports whether acr is as strong as required. Any acr meets an empty one.
func Meets(acr, required string) bool {
	return slices.Index(ACRValues(), acr) >= slices.Index(ACRValues(), required)
}

// StatedACR returns the acr in tokens of a session with acr: the strongest one, not stronger than acr, that the client
// accepts. If the client accepts none, it is acr. Core §5.5.1.1: a client that names values gets one of them.
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
	if Meets(acr, required) {
		return true
	}
	return required == ACRMultiFactor && slices.Contains(amr, AMRRemembered)
}

// UnmetACR returns the acr that the strongest of settings, such as authn.require and require_authn, demands of a grant.
// It returns "" if the user's authentication for the grant meets it. The acr of a grant may be weaker than the one that
// its amr allow, because the client may ask for a weaker one.
func UnmetACR(g *storage.Grant, settings ...string) string {
	required := RequiredACR(settings...)
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

// Combine returns the authentication by two methods. It has the time and the sequence of the first one.
func Combine(first, second Authentication) Authentication {
	second.AuthTime = first.AuthTime
	second.Sequence = first.Sequence
	second.Upstream = first.Upstream
	second.AMR = combineAMR(first.AMR, second.AMR)
	second.ACR = acrOf(second.AMR)
	return second
}

// WithRemembered adds [AMRRemembered] to an authentication, for a browser that was remembered at an earlier second
// factor.
func WithRemembered(a Authentication) Authentication {
	a.AMR = append(slices.Clone(a.AMR), AMRRemembered)
	return a
}

// OfSession returns the authentication of an existing session, to which a second factor is to be added.
func OfSession(s storage.Session, user storage.User, sequence storage.Sequence) Authentication {
	return Authentication{User: user, AuthTime: s.AuthTime, Sequence: sequence, AMR: s.AMR, ACR: s.ACR}
}

// SecondFactorLifetime is how long after a correct password the user may give the second factor.
const SecondFactorLifetime = 10 * time.Minute

// combineAMR returns the amr of an authentication by two methods, each value once.
func combineAMR(first, second []string) []string {
	var amr []string
	for _, method := range slices.Concat(first, second, []string{amrMultiFactor}) {
		if method != AMRRemembered && !slices.Contains(amr, method) {
			amr = append(amr, method)
		}
	}
	return amr
}

// acrOf returns the acr of an authentication with these amr values.
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
