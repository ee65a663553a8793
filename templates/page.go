package templates

import (
	"html/template"
	"time"
)

// Page is what every page has around its own content. The zero value is a page that no user is signed in on.
type Page struct {
	Lang      string    // language of the texts, as MatchLanguage returns it; empty: English
	Product   string    // the name at the top; empty: "Curfew"
	Base      string    // path of the issuer, put before the paths of Assets; usually empty
	Account   string    // the signed-in account, as its user knows it; empty: none
	RequestID string    // shown on error pages, so that an administrator finds the log line
	Now       time.Time // when the page was made; zero: no relative times ("2 h ago")

	// ProbeURL makes the page's script ask, while the page is visible, whether the session is still active: 204 if it
	// is, 401 if not, anything else is ignored. The request does not count as activity of the user.
	ProbeURL string
	// EndedURL is where the script leads when the session is over. Empty: the page is loaded again.
	EndedURL string
}

// locale is the page's language.
func (p Page) locale() *locale { return texts().locale(p.Lang) }

// Language is the tag of the page's language, for the lang attribute.
func (p Page) Language() string { return p.locale().tag }

// ProductName is the name at the top of the page.
func (p Page) ProductName() string {
	if p.Product == "" {
		return "Curfew"
	}
	return p.Product
}

// Asset is where a file of Assets is found, by its plain name.
func (p Page) Asset(name string) template.URL { return safeURL(p.Base + assetPath(name)) }

// App is a client, as its owner registered it and users see it.
type App struct {
	Name      string // client_name, or the client_id if there is none
	Host      string // of the redirect URI or post-logout redirect URI at hand: where the browser goes next
	LogoURI   string // shown if set; the caller decides whether it may be, and adds its origin to img-src
	PolicyURI string // policy_uri
	TosURI    string // tos_uri

	SelfRegistered bool // by dynamic registration: its name is what it calls itself
}

// LogoutScope is how much a sign-out ends, and the value of the form field "scope".
type LogoutScope string

// The scopes. The last two exist on account pages only.
const (
	ScopeClient     LogoutScope = "client"      // one app's client session; single sign-on continues
	ScopeSession    LogoutScope = "session"     // this session
	ScopeAll        LogoutScope = "all"         // all sessions of the user
	ScopeAllOffline LogoutScope = "all-offline" // the same, and background access
	ScopeOthers     LogoutScope = "others"      // all sessions but this one
)

// Field is a name and a value to be posted.
type Field struct{ Name, Value string }
