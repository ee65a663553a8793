package tokens

import (
	"encoding/json"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// What each scope asks for (Core §5.4).
var scopeClaims = map[string][]string{
	"profile": {
		"name",
		"family_name",
		"given_name",
		"middle_name",
		"nickname",
		"preferred_username",
		"profile",
		"picture",
		"website",
		"gender",
		"birthdate",
		"zoneinfo",
		"locale",
		"updated_at",
	},
	"email":   {"email", "email_verified"},
	"address": {"address"},
	"phone":   {"phone_number", "phone_number_verified"},
}

// Scopes are those that Curfew understands: scopes_supported.
func Scopes() []string {
	return []string{"openid", "profile", "email", "address", "phone", "offline_access"}
}

// scopeOf is the scope that asks for a claim, empty for one that is not about the user.
func scopeOf(claim string) string {
	for scope, claims := range scopeClaims {
		if slices.Contains(claims, claim) {
			return scope
		}
	}
	return ""
}

// requestableClaims are those that can be asked for by name: about the user and about the sign-in.
var requestableClaims = slices.Concat(
	[]string{"sub", "acr", "amr", "auth_time", "sid"},
	scopeClaims["profile"],
	scopeClaims["email"],
	scopeClaims["address"],
	scopeClaims["phone"],
)

// ClaimNames are the claims that Curfew can give: claims_supported. The last cannot be asked for: it is for clients
// that registered to honour it.
func ClaimNames() []string { return append(slices.Clone(requestableClaims), "session_expiry") }

// UserInfoClaims are the claims that a grant gives a client about its user at userinfo, sub aside (Core §5.3.2):
// those of its scopes and those asked for by the claims parameter.
func UserInfoClaims(u *storage.User, client *storage.Client, scope []string, request json.RawMessage) map[string]any {
	claims := map[string]any{}
	addScopeClaims(claims, u, scope)
	addRequestedClaims(claims, u, parseAllowedClaims(request, client).UserInfo)
	return claims
}

// idTokenNeedsUser reports whether an ID token carries claims about the user.
func idTokenNeedsUser(c *storage.Client, request json.RawMessage) bool {
	return c.WantsScopeClaimsInIDToken() || len(parseAllowedClaims(request, c).IDToken) > 0
}

// idTokenUserClaims are the claims about the user in an ID token: those that the claims parameter requests, and those
// of the scope if the client registered that. user is nil if idTokenNeedsUser says no.
func idTokenUserClaims(c *storage.Client, user *storage.User, scope []string, request json.RawMessage) map[string]any {
	claims := map[string]any{}
	if user == nil {
		return claims
	}
	if c.WantsScopeClaimsInIDToken() {
		addScopeClaims(claims, user, scope)
	}
	addRequestedClaims(claims, user, parseAllowedClaims(request, c).IDToken)
	return claims
}

func addScopeClaims(claims map[string]any, u *storage.User, scope []string) {
	for _, s := range scope {
		for _, name := range scopeClaims[s] {
			if v, ok := userClaim(u, name); ok {
				claims[name] = v
			}
		}
	}
}

// addRequestedClaims adds what was asked for by name. Where a value was asked for and the user's is another, there is
// nothing to give: that it is missing is no error, essential or not (Core §5.5.1).
func addRequestedClaims(claims map[string]any, u *storage.User, requested map[string]*RequestedClaim) {
	for name, claim := range requested {
		if v, ok := userClaim(u, name); ok && claim.Accepts(v) {
			claims[name] = v
		}
	}
}

// userClaim is one claim of Core §5.1 in the type that stands there. What the record lacks, or holds as an empty
// text, is left out (Core §5.3.2); whether an address was verified is always said beside it.
func userClaim(u *storage.User, name string) (any, bool) {
	switch name {
	case "preferred_username":
		return u.Name, u.Name != ""
	case "email":
		return u.Email, u.Email != ""
	case "email_verified":
		return u.EmailVerified, u.Email != ""
	case "updated_at":
		return u.Updated.Unix(), !u.Updated.IsZero()
	case "phone_number_verified":
		verified, _ := u.Claims[name].(bool)
		_, ok := userClaim(u, "phone_number")
		return verified, ok
	case "address":
		address, ok := u.Claims[name].(map[string]any)
		return address, ok && len(address) > 0
	case "sub", "acr", "amr", "auth_time", "sid": // about the sign-in, not from the record
		return nil, false
	}
	text, ok := u.Claims[name].(string)
	return text, ok && text != ""
}
