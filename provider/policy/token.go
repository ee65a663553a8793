package policy

import "time"

// Token holds the lifetimes of codes, tokens and offline access.
type Token struct {
	// Allow the implicit and the hybrid flow: response types that give tokens at the authorization endpoint. They travel
	// in the address of the browser (RFC 9700 §2.1.2).
	Implicit bool `yaml:"implicit" default:"false"`
	// Lifetime of an authorization code; at most `10m` (RFC 6749 §4.1.2).
	Code time.Duration `yaml:"code" default:"1m" max:"10m"`
	// Lifetime of an opaque access token. It is revoked with its session all the same.
	Opaque time.Duration `yaml:"opaque" default:"1h"`
	// Lifetime of a JWT access token. A resource server that verifies it without introspection accepts it until then,
	// so this bounds how long a logout can be ignored.
	JWT time.Duration `yaml:"jwt" default:"10m"`
	// Lifetime of an ID token.
	IDToken time.Duration `yaml:"id" default:"10m"`
	// For this long a refresh token that was exchanged gives the same successor again, since answers get lost and two
	// tabs refresh at once. Later, it counts as stolen (RFC 9700 §4.14.2).
	RefreshGrace time.Duration `yaml:"refresh_grace" default:"30s" min:"0" max:"5m"`
	// Offline access that is not used for this long expires. `0`: it does not expire by disuse.
	OfflineIdle time.Duration `yaml:"offline_idle" default:"90d" min:"0"`
	// Offline access expires this long after it was granted, used or not. `0`: it has no such limit.
	OfflineAbsolute time.Duration `yaml:"offline_absolute" default:"180d" min:"0"`
}
