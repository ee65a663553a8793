package policy

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Logout holds the settings of the group logout.
type Logout struct {
	// What signing out at an app ends: that app's client session (`client`), the session of this browser (`session`),
	// or all sessions of the user (`all`). A client may have its own `logout_scope`.
	Scope storage.LogoutScope `yaml:"scope" default:"session" oneof:"client session all"`
	// Always ask the user which of the three to end.
	AlwaysConfirm bool `yaml:"ask" default:"false"`
	// What a changed password or e-mail address ends: the user's other sessions (`others`), or this one too (`all`).
	PasswordChange string `yaml:"password_change" default:"others" oneof:"others all"`
	// What the second use of a refresh token ends, since one of its two users stole it: the client session
	// (`client`), or the whole session (`session`).
	RefreshReuse string `yaml:"refresh_reuse" default:"client" oneof:"client session"`
	// How long the report of an ended session is kept.
	ReportRetention time.Duration `yaml:"report_retention" default:"90d"`
	// How long the signed-out page waits for apps to answer before it returns to the app that started the logout; at
	// most `1m`. `0`: it does not wait.
	RedirectDelay time.Duration `yaml:"wait" default:"5s" min:"0" max:"1m"`
}

// PasswordChangeEndsAll reports whether a changed password or e-mail address ends this session too.
func (l Logout) PasswordChangeEndsAll() bool { return l.PasswordChange == "all" }

// RefreshReuseEndsSession reports whether the second use of a refresh token ends the whole session.
func (l Logout) RefreshReuseEndsSession() bool { return l.RefreshReuse == "session" }
