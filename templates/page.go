package templates

import (
	"html/template"
	"time"
)

// Page has the fields that all pages have. The zero value is a page without a signed-in user.
type Page struct {
	Lang      string         // language of the texts, as MatchLanguage returns it; empty: English
	Languages []LanguageLink // links to the page in other languages; empty: none
	Product   string         // the name at the top; empty: "Curfew"
	Base      string         // path of the issuer, for the URLs of Assets; empty for most issuers
	Account   string         // e-mail address or login name of the signed-in user; empty: none
	RequestID string         // shown on error pages, so that an administrator finds the log line
	Now       time.Time      // when the page was made; zero: no relative times ("2 h ago")

	// ProbeURL answers 204 if the session is active and 401 if it is not. The page's script requests it while the
	// page is visible, and ignores other answers. The requests do not count as activity of the user. Empty: no
	// requests.
	ProbeURL string
	// EndedURL is the page that the script opens when the session is over. Empty: the script loads the same page again.
	EndedURL string
}

// locale returns the language of the page.
func (p Page) locale() *locale { return texts().locale(p.Lang) }

// Language returns the tag of the page's language, for the lang attribute.
func (p Page) Language() string { return p.locale().tag }

// Direction returns the direction of the script, for the dir attribute: ltr or rtl.
func (p Page) Direction() string { return p.locale().text("language.direction").String() }

// ProductName returns the name at the top of the page.
func (p Page) ProductName() string {
	if p.Product == "" {
		return "Curfew"
	}
	return p.Product
}

// Asset returns the URL of a file of Assets, such as curfew.css.
func (p Page) Asset(name string) template.URL { return safeURL(p.Base + assetPath(name)) }

// App is a client, as its owner registered it and users see it.
type App struct {
	Name      string // client_name, or the client_id if there is none
	Host      string // the host that the browser goes to next, of the redirect URI or post-logout redirect URI
	LogoURI   string // empty: no logo; the caller adds the origin to img-src
	PolicyURI string // policy_uri
	TosURI    string // tos_uri

	// Schemes are the URI schemes without a dot that an operator allowed for this app (allow_schemes).
	Schemes []string

	SelfRegistered bool // registered dynamically, so the app itself chose its name
}

// LogoutScope says what a sign-out ends. It is the value of the form field "scope".
type LogoutScope string

// The logout scopes. Only account pages have the last two.
const (
	ScopeClient     LogoutScope = "client"      // one app's client session; single sign-on continues
	ScopeSession    LogoutScope = "session"     // this session
	ScopeAll        LogoutScope = "all"         // all sessions of the user
	ScopeAllOffline LogoutScope = "all-offline" // all sessions and all background access of the user
	ScopeOthers     LogoutScope = "others"      // all sessions but this one
)

// Field is a field of a form.
type Field struct {
	Name  string
	Value string
}
