package policy

import "time"

// Session holds the settings for the lifetime of sessions.
type Session struct {
	// A session that is not used for this long expires.
	Idle time.Duration `yaml:"idle" default:"8h" max:"session.absolute"`
	// A session expires this long after the sign-in, used or not.
	Absolute time.Duration `yaml:"absolute" default:"1d"`
	// `session.idle` for users who chose "Keep me signed in".
	RememberIdle time.Duration `yaml:"remember_idle" default:"14d" max:"session.remember_absolute"`
	// `session.absolute` for users who chose "Keep me signed in".
	RememberAbsolute time.Duration `yaml:"remember_absolute" default:"30d"`
	// How many sessions a user may have. At that number a user who signs in can end the oldest ones. `0`: no limit.
	MaxPerUser int `yaml:"max_per_user" default:"1000" min:"0"`
	// `notify`: when a session expires, its clients are notified as after any other end. `silent`: they are not.
	ExpiryNotice string `yaml:"expiry_notice" default:"notify" oneof:"notify silent"`
	// `lax`: browsers send the session cookie only with requests of the same site, and when a user follows a link.
	// `none`: browsers that allow third-party cookies send the session cookie with requests of other sites, for silent
	// renewal in a frame of an app on another site. It needs an https issuer. See "Silent renewal" in
	// docs/applications.md for what that gives up.
	CookieSameSite string `yaml:"cookie_samesite" default:"lax" oneof:"lax none"`
}

// Longest is the longest time that a session can last.
func (s Session) Longest() time.Duration { return max(s.Absolute, s.RememberAbsolute) }

// CrossSiteCookie reports whether browsers send the session cookie with requests of other sites.
func (s Session) CrossSiteCookie() bool { return s.CookieSameSite == "none" }

// SilentExpiry reports whether clients are not notified of sessions that expire.
func (s Session) SilentExpiry() bool { return s.ExpiryNotice == "silent" }
