package templates

import "time"

// AccountPage is what the pages of the account share. Their forms post interaction to their Action, and what each
// struct says.
type AccountPage struct {
	Page
	Interaction     string
	SessionsURL     string
	ApplicationsURL string
	SecurityURL     string
	ActivityURL     string
	SignOutURL      string // leads to the sign-out confirmation
	Notice          Notice // what was just done; empty: nothing
	NoticeURL       string // where details of it are; empty: no link
}

// Notice names what was just done on an account page.
type Notice string

// The notices.
const (
	NoticeSignedOut    Notice = "signed_out"     // one device
	NoticeNothing      Notice = "nothing"        // nothing was selected
	NoticeOver         Notice = "over"           // it had ended before
	NoticeAppSignedOut Notice = "app_signed_out" // one app on one device
	NoticeBackground   Notice = "background"     // offline access of one app
	NoticeWithdrawn    Notice = "withdrawn"      // an app's consent
	NoticePassword     Notice = "password"       // changed
	NoticeSameEmail    Notice = "same_email"     // not changed
	NoticeEmail        Notice = "email"          // changed
	NoticeNotMe        Notice = "not_me"         // a device was signed out with "This wasn't me"
)

// noticeTexts are the texts of the notices.
var noticeTexts = map[Notice]string{
	NoticeSignedOut:    "notice.signed_out",
	NoticeNothing:      "notice.nothing",
	NoticeOver:         "notice.over",
	NoticeAppSignedOut: "notice.app_signed_out",
	NoticeBackground:   "notice.background",
	NoticeWithdrawn:    "notice.withdrawn",
	NoticePassword:     "notice.password",
	NoticeSameEmail:    "notice.same_email",
	NoticeEmail:        "notice.email",
	NoticeNotMe:        "notice.not_me",
}

// notice puts a notice in words; empty for one that does not exist, since the name comes from the page's address.
func (l *locale) notice(n Notice) Text {
	if noticeTexts[n] == "" {
		return nil
	}
	return l.text(noticeTexts[n])
}

// AppUse is one app of a session.
type AppUse struct {
	ID      string // opaque; posted as leave=ID to sign out of this app in that session
	Name    string
	LastUse time.Time
}

// OfflineAccess is an app's background access (Core §11): it survives a sign-out and is removed by its own button.
type OfflineAccess struct {
	ID          string // opaque; posted as end-offline=ID
	Application string
	Device      Device // where it was given
	Since       time.Time
	LastUse     time.Time
	Ends        time.Time // by itself; zero: never
}
