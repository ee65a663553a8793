package templates

import (
	"io"
	"time"
)

// ActivityPage lists recent sign-ins and endings, newest first.
type ActivityPage struct {
	AccountPage
	Events   []Event
	OlderURL string // the next page; empty: no more
}

// Event is one sign-in or one ending.
type Event struct {
	At          time.Time
	Kind        string // session.created, session.ended, client_session.ended, grant.ended, user.password, user.email
	Reason      string // of an ending
	Application string // whose share ended; empty: the whole session
	Device      string
	Address     string
	ReportURL   string // what became of it; empty: no report
}

// Activity writes "Activity".
func Activity(w io.Writer, p ActivityPage) error { return render(w, "activity", p) }

// Text puts the event in words.
func (e Event) Text() string {
	switch e.Kind {
	case "session.created":
		return "Signed in"
	case "session.ended":
		return "Signed out"
	case "client_session.ended":
		return "Signed out of " + e.Application
	case "grant.ended":
		return "Access of " + e.Application + " ended"
	case "user.password":
		return "Password changed"
	case "user.email":
		return "E-mail address changed"
	}
	return e.Kind
}

// ReasonText puts the reason of an ending in words; empty if there is none.
func (e Event) ReasonText() string { return reasonTexts[e.Reason] }

// reasonTexts are the reasons of an ending, as they stand in audit and report, for the person whose session it was.
var reasonTexts = map[string]string{
	"rp_initiated":         "you signed out at an application",
	"account":              "you signed out on the account page",
	"idle_timeout":         "it was not used for too long",
	"absolute_lifetime":    "it had lasted as long as a session may",
	"other_user":           "somebody else signed in on that browser",
	"password_change":      "you changed your password",
	"password_reset":       "your password was reset",
	"email_change":         "you changed your e-mail address",
	"not_me":               "you said that it was not you",
	"administrator":        "an administrator ended it",
	"user_disabled":        "the account was disabled",
	"user_removed":         "the account was removed",
	"client_sign_out":      "you signed out at that application only",
	"consent_withdrawn":    "you withdrew what the application was allowed",
	"client_disabled":      "the application was switched off",
	"client_removed":       "the application was removed",
	"client_changed":       "the application may do less than before",
	"refresh_reuse":        "a token of the application was used twice, as if it had been stolen",
	"code_reuse":           "a code of the application was used twice",
	"token_revoked":        "the application gave it back",
	"offline_access_ended": "you ended its offline access",
}

// Tab names this page's tab.
func (p ActivityPage) Tab() string { return "activity" }
