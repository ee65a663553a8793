package tokens

import (
	"encoding/json"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// scopeClaims are the claims that each scope requests (Core §5.4, and groups).
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
	"groups":  {"groups"}, // not in Core
}

// Scopes returns the scopes that Curfew supports (scopes_supported).
func Scopes() []string {
	return []string{"openid", "profile", "email", "address", "phone", "groups", "offline_access"}
}

// scopeOf returns the scope that requests the claim, or "" if the claim is not about the user.
func scopeOf(claim string) string {
	for scope, claims := range scopeClaims {
		if slices.Contains(claims, claim) {
			return scope
		}
	}
	return ""
}

// requestableClaims are the claims that the claims parameter may request: about the user and about the authentication.
var requestableClaims = slices.Concat(
	[]string{"sub", "acr", "amr", "auth_time", "sid"},
	scopeClaims["profile"],
	scopeClaims["email"],
	scopeClaims["address"],
	scopeClaims["phone"],
	scopeClaims["groups"],
)

// ClaimNames returns the claims that Curfew can return (claims_supported). session_expiry cannot be requested: only
// clients that registered session_expiry get it.
func ClaimNames() []string { return append(slices.Clone(requestableClaims), "session_expiry") }

// UserInfoClaims returns the claims about the user for the UserInfo endpoint, except sub (Core §5.3.2): those of the
// scope and those that the claims parameter requests.
func UserInfoClaims(u *storage.User, client *storage.Client, scope []string, request json.RawMessage) map[string]any {
	claims := map[string]any{}
	addScopeClaims(claims, u, scope)
	addRequestedClaims(claims, u, parseAllowedClaims(request, client).UserInfo)
	return claims
}

// idTokenNeedsUser reports whether an ID token of the client contains claims about the user.
func idTokenNeedsUser(c *storage.Client, request json.RawMessage) bool {
	return c.WantsScopeClaimsInIDToken() || len(parseAllowedClaims(request, c).IDToken) > 0
}

// idTokenUserClaims returns the claims about the user for an ID token: those that the claims parameter requests, and
// those of the scope if the client registered for them. user is nil if idTokenNeedsUser returns false.
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

// addScopeClaims adds the claims that the scope requests.
func addScopeClaims(claims map[string]any, u *storage.User, scope []string) {
	for _, s := range scope {
		for _, name := range scopeClaims[s] {
			if value, ok := userClaim(u, name); ok {
				claims[name] = value
			}
		}
	}
}

// addRequestedClaims adds the claims that the claims parameter requests. It omits a claim whose value differs from the
// requested value. A missing claim is not an error, even if it is essential (Core §5.5.1).
func addRequestedClaims(claims map[string]any, u *storage.User, requested map[string]*RequestedClaim) {
	for name, claim := range requested {
		if value, ok := userClaim(u, name); ok && claim.Accepts(value) {
			claims[name] = value
		}
	}
}

// userClaim returns a claim with its type in Core §5.1. It returns false if the user has no such claim or an empty one
// (Core §5.3.2). email_verified and phone_number_verified exist if the address or number exists.
func userClaim(u *storage.User, name string) (value any, ok bool) {
	switch name {
	case "preferred_username":
		return u.Name, u.Name != ""
	case "email":
		return u.Email, u.Email != ""
	case "email_verified":
		return u.EmailVerified, u.Email != ""
	case "groups":
		return u.Groups, len(u.Groups) > 0
	case "updated_at":
		return u.Updated.Unix(), !u.Updated.IsZero()
	case "phone_number_verified":
		verified, _ := u.Claims[name].(bool)
		_, ok := userClaim(u, "phone_number")
		return verified, ok
	case "address":
		address, ok := u.Claims[name].(map[string]any)
		return address, ok && len(address) > 0
	case "sub", "acr", "amr", "auth_time", "sid": // not claims of the user's record
		return nil, false
	}
	text, ok := u.Claims[name].(string)
	return text, ok && text != ""
}
