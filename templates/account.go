package templates

import "time"

// AccountPage has the fields that all account pages have. The form of each page posts interaction and the fields that
// its struct names to its Action.
type AccountPage struct {
	Page
	Interaction     string
	SessionsURL     string
	ApplicationsURL string
	SecurityURL     string
	ActivityURL     string
	SignOutURL      string // the sign-out confirmation
	Notice          Notice // says what the user has just done; empty: no notice
	NoticeURL       string // has details of it; empty: no link
}

// Notice names the text that confirms what the user has just done.
type Notice string

// The notices.
const (
	NoticeSignedOut         Notice = "signed_out"     // one device
	NoticeNothing           Notice = "nothing"        // nothing was selected
	NoticeOver              Notice = "over"           // the session or access had already ended
	NoticeAppSignedOut      Notice = "app_signed_out" // one app on one device
	NoticeBackground        Notice = "background"     // offline access of one app
	NoticeWithdrawn         Notice = "withdrawn"      // an app's consent
	NoticePassword          Notice = "password"       // the password was changed
	NoticeSameEmail         Notice = "same_email"     // the e-mail address is the old one
	NoticeEmail             Notice = "email"          // the e-mail address was changed
	NoticeEmailSent         Notice = "email_sent"     // a link went to the new address
	NoticeFactorAdded       Notice = "factor_added"
	NoticeFactorRemoved     Notice = "factor_removed"
	NoticeFactorRenamed     Notice = "factor_renamed"
	NoticeBrowsersForgotten Notice = "browsers_forgotten"
	NoticeLinked            Notice = "linked"     // an account of another provider was linked
	NoticeNotLinked         Notice = "not_linked" // it was not: its provider refused
	NoticeLinkTaken         Notice = "link_taken" // it was not: it is linked to another user
	NoticeUnlinked          Notice = "unlinked"
	NoticeNotMe             Notice = "not_me" // a device was signed out with "This wasn't me"
)

// noticeTexts has the name of each notice's text.
var noticeTexts = map[Notice]string{
	NoticeSignedOut:         "notice.signed_out",
	NoticeNothing:           "notice.nothing",
	NoticeOver:              "notice.over",
	NoticeAppSignedOut:      "notice.app_signed_out",
	NoticeBackground:        "notice.background",
	NoticeWithdrawn:         "notice.withdrawn",
	NoticePassword:          "notice.password",
	NoticeSameEmail:         "notice.same_email",
	NoticeEmail:             "notice.email",
	NoticeEmailSent:         "notice.email_sent",
	NoticeFactorAdded:       "notice.factor_added",
	NoticeFactorRemoved:     "notice.factor_removed",
	NoticeFactorRenamed:     "notice.factor_renamed",
	NoticeBrowsersForgotten: "notice.browsers_forgotten",
	NoticeLinked:            "notice.linked",
	NoticeNotLinked:         "notice.not_linked",
	NoticeLinkTaken:         "notice.link_taken",
	NoticeUnlinked:          "notice.unlinked",
	NoticeNotMe:             "notice.not_me",
}

// notice returns the text of a notice. It returns nil for an unknown one: the name comes from the URL of the page.
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

// OfflineAccess is an app's background access (Core §11). It survives a sign-out; a button of its own removes it.
type OfflineAccess struct {
	ID          string // opaque; posted as end-offline=ID
	Application string
	Device      Device // on which the user allowed it
	Since       time.Time
	LastUse     time.Time
	Ends        time.Time // when it expires; zero: never
}
