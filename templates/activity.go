package templates

import (
	"io"
	"time"
)

// ActivityPage lists recent sign-ins and sign-outs, newest first.
type ActivityPage struct {
	AccountPage
	Events   []Event
	OlderURL string // the next page; empty on the last page
}

// Event is one sign-in, one sign-out or one change of the account.
type Event struct {
	At          time.Time
	Kind        string // session.created, session.ended, client_session.ended, grant.ended, user.password, user.email
	Reason      string // of a sign-out
	Application string // the app whose client session or grant ended; empty: the whole session
	Device      Device
	Address     string
	ReportURL   string // the report of the sign-out; empty: no report
}

// Activity writes "Activity".
func Activity(w io.Writer, p ActivityPage) error { return render(w, p.Page, "activity", p) }

// eventTexts are the texts of audit events, by their kind.
var eventTexts = map[string]string{
	"session.created":      "event.signed_in",
	"session.ended":        "event.signed_out",
	"client_session.ended": "event.app_signed_out",
	"grant.ended":          "event.access_ended",
	"user.password":        "event.password",
	"user.email":           "event.email",
	"user.secured":         "event.secured",

	"user.factor_added":       "event.factor_added",
	"user.factor_removed":     "event.factor_removed",
	"user.factor_renamed":     "event.factor_renamed",
	"user.recovery_codes":     "event.recovery_codes",
	"user.recovery_code_used": "event.recovery_code_used",
	"user.browser_remembered": "event.browser_remembered",
}

// event returns the text of an event.
func (l *locale) event(e Event) Text { return l.text(eventTexts[e.Kind], "App", e.Application) }

// reasonTexts has the name of the text of each reason of a termination (storage.Reason).
var reasonTexts = map[string]string{
	"rp_initiated":         "reason.rp_initiated",
	"account":              "reason.account",
	"idle_timeout":         "reason.idle_timeout",
	"absolute_lifetime":    "reason.absolute_lifetime",
	"other_user":           "reason.other_user",
	"password_change":      "reason.password_change",
	"password_reset":       "reason.password_reset",
	"email_change":         "reason.email_change",
	"factor_change":        "reason.factor_change",
	"not_me":               "reason.not_me",
	"administrator":        "reason.administrator",
	"user_disabled":        "reason.user_disabled",
	"user_removed":         "reason.user_removed",
	"client_sign_out":      "reason.client_sign_out",
	"consent_withdrawn":    "reason.consent_withdrawn",
	"client_disabled":      "reason.client_disabled",
	"client_removed":       "reason.client_removed",
	"client_changed":       "reason.client_changed",
	"refresh_reuse":        "reason.refresh_reuse",
	"code_reuse":           "reason.code_reuse",
	"token_revoked":        "reason.token_revoked",
	"offline_access_ended": "reason.offline_access_ended",
	"upstream_logout":      "reason.upstream_logout",
	"upstream_expiry":      "reason.upstream_expiry",
	"upstream_recheck":     "reason.upstream_recheck",
	"unlinked":             "reason.unlinked",
	"group_left":           "reason.group_left",
	"restore":              "reason.restore",
}

// reason returns the text of a reason, or nil for an unknown one.
func (l *locale) reason(reason string) Text {
	if reasonTexts[reason] == "" {
		return nil
	}
	return l.text(reasonTexts[reason])
}

// Tab names this page's tab.
func (p ActivityPage) Tab() string { return "activity" }
