package templates

import (
	"cmp"
	"io"
	"slices"
	"time"
)

// ConsentPage asks the user to allow the scopes and claims that an app requests. The form posts interaction and
// decision=allow or decision=deny to Action.
type ConsentPage struct {
	Page
	Action          string
	Interaction     string
	Application     App
	AppHash         string   // the form posts it as app: a hash of the name, logo and host that the page shows
	Scopes          []string // as requested, in that order
	APIScopes       Descriptions
	Claims          []string  // requested in the claims parameter (Core §5.5)
	Allowed         []string  // scopes that the user allowed before; if any, the page says that the app asks for more
	SessionEnds     time.Time // the absolute end of the session; zero: not shown
	EachTime        bool      // the user must consent at each sign-in: another program could pose as the app
	OtherAccountURL string    // shows the sign-in page for another account
}

// Descriptions are the descriptions of APIs' scopes, by scope and language. The language "" is for all others.
type Descriptions map[string]map[string]string

// find returns the description in the language, or else the one for all languages, or else the English one.
func (d Descriptions) find(scope, lang string) string {
	descriptions := d[scope]
	return cmp.Or(descriptions[lang], descriptions[""], descriptions[defaultLanguage])
}

// Consent writes the consent page.
func Consent(w io.Writer, p ConsentPage) error { return render(w, p.Page, "consent", p) }

// ConsentItem is one scope or claim that an app requests.
type ConsentItem struct {
	Name          string // the scope or claim
	Text          string // the key of its text in the catalog; empty if it is no standard scope or claim
	Description   string // of an API's scope, in the language of the page; empty: none
	AllowedBefore bool
}

// Items lists scopes and claims, openid first, without offline_access: see RequestsOfflineAccess.
func (p ConsentPage) Items() []ConsentItem {
	var items []ConsentItem
	for _, scope := range p.Scopes {
		if scope != scopeOffline {
			items = append(items, ConsentItem{
				Name:          scope,
				Text:          scopeTexts[scope],
				Description:   p.APIScopes.find(scope, p.Lang),
				AllowedBefore: slices.Contains(p.Allowed, scope),
			})
		}
	}
	for _, claim := range p.Claims {
		items = append(items, ConsentItem{Name: claim, Text: claimTexts[claim]})
	}
	slices.SortStableFunc(items, func(a, b ConsentItem) int {
		return compareTrueFirst(a.Name == "openid", b.Name == "openid")
	})
	return items
}

// RequestsPersonalData reports whether the app requests more than the subject identifier.
func (p ConsentPage) RequestsPersonalData() bool {
	isPersonal := func(scope string) bool { return scope != "openid" && scope != scopeOffline }
	return len(p.Claims) > 0 || slices.ContainsFunc(p.Scopes, isPersonal)
}

// RequestsOfflineAccess reports whether the app requests background access (Core §11).
func (p ConsentPage) RequestsOfflineAccess() bool { return slices.Contains(p.Scopes, scopeOffline) }

// compareTrueFirst compares two conditions for a sort that puts true first.
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

// scopeTexts has the catalog keys of the scopes of Core §5.4.
var scopeTexts = map[string]string{
	"openid":  "scope.openid",
	"profile": "scope.profile",
	"email":   "scope.email",
	"address": "scope.address",
	"phone":   "scope.phone",
	"groups":  "scope.groups",
}

// claimTexts has the catalog keys of the claims of Core §5.1, and of the claims about the authentication (Core §2).
var claimTexts = map[string]string{
	"name":                  "claim.name",
	"given_name":            "claim.given_name",
	"family_name":           "claim.family_name",
	"middle_name":           "claim.middle_name",
	"nickname":              "claim.nickname",
	"preferred_username":    "claim.preferred_username",
	"profile":               "claim.profile",
	"picture":               "claim.picture",
	"website":               "claim.website",
	"email":                 "claim.email",
	"email_verified":        "claim.email_verified",
	"gender":                "claim.gender",
	"birthdate":             "claim.birthdate",
	"zoneinfo":              "claim.zoneinfo",
	"locale":                "claim.locale",
	"phone_number":          "claim.phone_number",
	"phone_number_verified": "claim.phone_number_verified",
	"address":               "claim.address",
	"updated_at":            "claim.updated_at",
	"groups":                "scope.groups",
	"acr":                   "claim.acr",
	"amr":                   "claim.amr",
	"auth_time":             "claim.auth_time",
}
