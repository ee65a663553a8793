package templates

import (
	"io"
	"slices"
	"time"
)

// ConsentPage asks whether an application may have what it asks for. The form posts handle and decision=allow or decision=deny to
// Action.
type ConsentPage struct {
	Page
	Action          string
	Interaction     string
	Application     App
	Scopes          []string  // as asked for, in that order
	Claims          []string  // asked for one by one in the claims parameter (Core §5.5)
	Allowed         []string  // scopes that were allowed before; then the page says that the request has changed
	SessionEnds     time.Time // the absolute end of the session; zero: not said
	EachTime        bool      // it is asked again although it was allowed: anybody could be asking under the application's name
	OtherAccountURL string    // a GET that shows the sign-in page for another account
}

// Consent writes the consent page.
func Consent(w io.Writer, p ConsentPage) error { return render(w, "consent", p) }

// ConsentItem is one thing that an application asks for, in words.
type ConsentItem struct {
	Name          string // the scope or claim
	Text          string // in words; empty if it is none of the standard ones
	AllowedBefore bool   // allowed before
}

// Items puts scopes and claims in words, openid first. offline_access is not among them: Offline tells of it.
func (p ConsentPage) Items() []ConsentItem {
	var items []ConsentItem
	for _, s := range p.Scopes {
		if s != scopeOffline {
			items = append(items, ConsentItem{Name: s, Text: scopeTexts[s], AllowedBefore: slices.Contains(p.Allowed, s)})
		}
	}
	for _, c := range p.Claims {
		items = append(items, ConsentItem{Name: c, Text: claimTexts[c]})
	}
	slices.SortStableFunc(items, func(a, b ConsentItem) int {
		return compareTrueFirst(a.Name == "openid", b.Name == "openid")
	})
	return items
}

// RequestsPersonalData tells whether anything but the bare identifier is asked for.
func (p ConsentPage) RequestsPersonalData() bool {
	return len(p.Claims) > 0 || slices.ContainsFunc(p.Scopes, func(s string) bool { return s != "openid" && s != scopeOffline })
}

// RequestsOfflineAccess tells whether access without the person is asked for (Core §11).
func (p ConsentPage) RequestsOfflineAccess() bool { return slices.Contains(p.Scopes, scopeOffline) }

// compareTrueFirst orders what is first before what is not.
func compareTrueFirst(a, b bool) int {
	switch {
	case a && !b:
		return -1
	case b && !a:
		return 1
	}
	return 0
}

const scopeOffline = "offline_access"

// scopeTexts are the scopes of Core §5.4 as a person reads them.
var scopeTexts = map[string]string{
	"openid":     "An identifier, so that it knows you when you come back",
	"profile":    "Your name, picture and the rest of your profile",
	"email":      "Your e-mail address",
	"address":    "Your postal address",
	"phone":      "Your phone number",
	scopeOffline: "Access while you are away",
}

// claimTexts are the claims of Core §5.1 as a person reads them.
var claimTexts = map[string]string{
	"name":                  "Your full name",
	"given_name":            "Your given name",
	"family_name":           "Your family name",
	"middle_name":           "Your middle name",
	"nickname":              "Your nickname",
	"preferred_username":    "Your user name",
	"profile":               "The address of your profile page",
	"picture":               "Your picture",
	"website":               "Your web site",
	"email":                 "Your e-mail address",
	"email_verified":        "Whether your e-mail address was checked",
	"gender":                "Your gender",
	"birthdate":             "Your date of birth",
	"zoneinfo":              "Your time zone",
	"locale":                "Your language",
	"phone_number":          "Your phone number",
	"phone_number_verified": "Whether your phone number was checked",
	"address":               "Your postal address",
	"updated_at":            "When your profile last changed",
	"acr":                   "How you signed in",
	"amr":                   "Which ways of signing in you used",
	"auth_time":             "When you signed in",
}
