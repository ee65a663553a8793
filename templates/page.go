package templates

import (
	"html/template"
	"time"
)

// Page is what every page has around its own content. The zero value is a page for nobody in particular.
type Page struct {
	Lang      string    // of the texts, BCP 47; empty means "en", in which they are written
	Product   string    // the name at the top; empty means "Curfew"
	Base      string    // path of the issuer, put before the paths of Assets; usually empty
	Account   string    // who is signed in, as that person knows the account; empty: nobody
	RequestID string    // shown small at the foot, for whoever has to find the log line
	Now       time.Time // when the page was made; zero: no relative times ("2 h ago")

	// ProbeURL makes the page's script ask, while the page is in view, whether the session still lives. The answer is 204 as
	// long as it does and 401 once it does not; anything else says nothing. Asking is no activity of the person.
	ProbeURL string
	// EndedURL is where the script leads when the session is over. Empty: the page is loaded again.
	EndedURL string
}

// Language is the page's language.
func (p Page) Language() string {
	if p.Lang == "" {
		return "en"
	}
	return p.Lang
}

// ProductName is the name at the top of the page.
func (p Page) ProductName() string {
	if p.Product == "" {
		return "Curfew"
	}
	return p.Product
}

// Asset is where a file of Assets is found, by its plain name.
func (p Page) Asset(name string) template.URL { return safeURL(p.Base + assetPath(name)) }

// App is a relying party, as its owner registered it and a person should see it.
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

// The extents. The last two exist on the account page only.
const (
	ScopeClient     LogoutScope = "client"  // the share of one application; single sign-on lives on
	ScopeSession    LogoutScope = "session" // this session
	ScopeAll        LogoutScope = "all"     // all sessions of the person
	ScopeAllOffline LogoutScope = "all-offline"
	ScopeOthers     LogoutScope = "others"   // all but this one
	ScopeSelected   LogoutScope = "selected" // those whose boxes are ticked
)

// Field is a name and a value to be posted.
type Field struct{ Name, Value string }
