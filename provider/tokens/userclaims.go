package tokens

import (
	"encoding/json"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// Scopes returns the scopes that Curfew itself defines.
func Scopes() []string {
	return storage.OwnScopes()
}

// requestableClaims are the claims that the claims parameter may request: about the user and about the authentication.
var requestableClaims = slices.Concat(
	[]string{"sub", "acr", "amr", "auth_time", "sid"},
	storage.ScopeClaims("profile"),
	storage.ScopeClaims("email"),
	storage.ScopeClaims("address"),
	storage.ScopeClaims("phone"),
	storage.ScopeClaims("groups"),
)

// ClaimNames returns the claims that Curfew can return (claims_supported). session_expiry cannot be requested: only
// clients that registered session_expiry get it.
func ClaimNames() []string { return append(slices.Clone(requestableClaims), "session_expiry") }

// UserInfoClaims returns the claims about the user for the UserInfo endpoint, except sub (Core §5.3.2): those of the
// scope and those that the claims parameter requests.
func UserInfoClaims(u *storage.User, client *storage.Client, scope []string, request json.RawMessage) map[string]any {
	claims := map[string]any{}
	addScopeClaims(claims, u, scope)
	addRuleClaims(claims, client.UserinfoClaims, u, scope)
	addRequestedClaims(claims, u, parseAllowedClaims(request, client).UserInfo)
	return claims
}

// idTokenNeedsUser reports whether an ID token of the client contains claims about the user.
func idTokenNeedsUser(c *storage.Client, request json.RawMessage) bool {
	return len(c.IDTokenClaims) > 0 || len(parseAllowedClaims(request, c).IDToken) > 0
}

// idTokenUserClaims returns the claims about the user for an ID token: those that the claims parameter requests, and
// those of the client's id_token_claims. user is nil if idTokenNeedsUser returns false.
func idTokenUserClaims(c *storage.Client, user *storage.User, scope []string, request json.RawMessage) map[string]any {
	claims := map[string]any{}
	if user == nil {
		return claims
	}
	addRuleClaims(claims, c.IDTokenClaims, user, scope)
	addRequestedClaims(claims, user, parseAllowedClaims(request, c).IDToken)
	return claims
}

// addScopeClaims adds the claims that the scope requests.
func addScopeClaims(claims map[string]any, u *storage.User, scope []string) {
	for _, s := range scope {
		for _, name := range storage.ScopeClaims(s) {
			if value, ok := userClaim(u, name); ok {
				claims[name] = value
			}
		}
	}
}

// accessTokenNeedsUser reports whether an access token of the client contains claims about the user.
func accessTokenNeedsUser(c *storage.Client) bool {
	return c.UsesJWTAccessTokens() && len(c.AccessTokenClaims) > 0
}

// AccessTokenClaims returns the claims about the user that access tokens of the client have: JWTs in themselves, opaque
// ones in the introspection response.
func AccessTokenClaims(u *storage.User, client *storage.Client, scope []string) map[string]any {
	claims := map[string]any{}
	addRuleClaims(claims, client.AccessTokenClaims, u, scope)
	return claims
}

// addRuleClaims adds the claims of rules.
func addRuleClaims(claims map[string]any, rules storage.ClaimRules, u *storage.User, scope []string) {
	if rules.HasScopeClaims() {
		addScopeClaims(claims, u, scope)
	}
	rules.Apply(claims, scope, func(claim string) (any, bool) { return userClaim(u, claim) })
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
