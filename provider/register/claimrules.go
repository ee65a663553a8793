package register

import (
	"maps"
	"slices"

	"github.com/curfew-id/curfew/storage"
)

// tokenClaims are the claims that Curfew sets in tokens and responses. No rule may replace them.
var tokenClaims = []string{
	"iss", "sub", "aud", "azp", "exp", "nbf", "iat", "jti", "client_id", "scope", "auth_time", "nonce", "acr", "amr",
	"sid", "at_hash", "c_hash", "s_hash", "session_expiry", "events", "cnf", "act", "may_act", "active", "token_type",
}

// The limits of claim rules: their number, and the length of a name or a constant in bytes.
const (
	maxClaimRules     = 50
	maxClaimRuleBytes = 200
)

// checkClaimRules checks the claim rules of a member.
func (c *validation) checkClaimRules(field string, rules storage.ClaimRules) {
	if len(rules) > maxClaimRules {
		c.addProblem(field, "has more than %d claims", maxClaimRules)
		return
	}
	for _, name := range slices.Sorted(maps.Keys(rules)) {
		c.checkClaimRule(field+"."+name, name, rules[name])
	}
}

func (c *validation) checkClaimRule(field, name string, rule storage.ClaimRule) {
	isEmpty := rule.From == "" && rule.Value == nil && rule.As == ""
	source := rule.Source(name)
	if name == storage.AllScopeClaims {
		if !isEmpty {
			c.addProblem(field, "stands for the claims of all granted scopes and takes no from, value or as")
		}
		return
	}
	switch {
	case name == "" || len(name) > maxClaimRuleBytes:
		c.addProblem(field, "is not a name of 1 to %d bytes", maxClaimRuleBytes)
	case slices.Contains(tokenClaims, name):
		c.addProblem(field, "is a claim that Curfew sets itself; choose another name")
	case rule.From != "" && rule.Value != nil:
		c.addProblem(field, "has both from and value; give one of them")
	case rule.Value != nil && !isConstant(rule.Value):
		c.addProblem(
			field,
			"value is not a string, a number, true, false or a list of strings, of at most %d bytes each",
			maxClaimRuleBytes,
		)
	case rule.Value == nil && storage.ScopeOfClaim(source) == "":
		c.addProblem(field, "%q is not a claim of users; name one with from, or give a value", source)
	}
	c.checkOneOf(field+".as", rule.As, "list", "string")
}

// isConstant reports whether a value from JSON can be the constant of a rule.
func isConstant(value any) bool {
	switch value := value.(type) {
	case string:
		return len(value) <= maxClaimRuleBytes
	case bool, float64:
		return true
	case []any:
		return len(value) <= maxClaimRules && !slices.ContainsFunc(value, func(v any) bool {
			text, isText := v.(string)
			return !isText || len(text) > maxClaimRuleBytes
		})
	}
	return false
}
