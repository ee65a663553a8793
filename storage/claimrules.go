package storage

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
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

// ScopeClaims returns the claims that a scope requests. Callers must not change the list.
func ScopeClaims(scope string) []string { return scopeClaims[scope] }

// ScopeOfClaim returns the scope that requests the claim, or "" if the claim is not about the user.
func ScopeOfClaim(claim string) string {
	for scope, claims := range scopeClaims {
		if slices.Contains(claims, claim) {
			return scope
		}
	}
	return ""
}

// AllScopeClaims is the name of the rule that stands for the claims of all granted scopes, under their own names.
const AllScopeClaims = "*"

// ClaimRules say which claims a token or a response has, by the name that the client gets. In JSON, "scope" stands for
// {"*": {}}.
type ClaimRules map[string]ClaimRule

// ClaimRule says where the value of one claim comes from.
type ClaimRule struct {
	From  string `json:"from,omitempty"`  // a claim of the user; empty: the claim with the name of the rule
	Value any    `json:"value,omitempty"` // a constant, instead of From
	As    string `json:"as,omitempty"`    // list, string, or empty: as it is
}

// HasScopeClaims reports whether the rules include the claims of all granted scopes.
func (r ClaimRules) HasScopeClaims() bool {
	_, found := r[AllScopeClaims]
	return found
}

// Apply adds the claims of the rules to claims, except those of AllScopeClaims. find returns a claim of the user. A
// rule with a claim of the user applies only if its scope is granted, so that it reveals no more than the user allowed.
func (r ClaimRules) Apply(claims map[string]any, granted []string, find func(claim string) (any, bool)) {
	for name, rule := range r {
		if name == AllScopeClaims {
			continue
		}
		if rule.Value != nil {
			claims[name] = rule.convert(rule.Value)
			continue
		}
		source := rule.source(name)
		isGranted := slices.Contains(granted, ScopeOfClaim(source))
		if value, hasClaim := find(source); isGranted && hasClaim {
			claims[name] = rule.convert(value)
		}
	}
}

// source returns the claim of the user from which a rule with that name takes its value.
func (r ClaimRule) source(name string) string {
	if r.From == "" {
		return name
	}
	return r.From
}

// Source returns the claim of the user that a rule with that name needs, or "" for a constant.
func (r ClaimRule) Source(name string) string {
	if r.Value != nil {
		return ""
	}
	return r.source(name)
}

// convert returns the value as a list or as a string with commas, as the rule says.
func (r ClaimRule) convert(value any) any {
	list, isList := value.([]string)
	if r.As == "string" && isList {
		return strings.Join(list, ",")
	}
	if r.As == "list" && !isList {
		return []any{value}
	}
	return value
}

// MarshalJSON writes "scope" for the rules that consist of AllScopeClaims alone.
func (r ClaimRules) MarshalJSON() ([]byte, error) {
	if len(r) == 1 && r.HasScopeClaims() {
		return []byte(`"scope"`), nil
	}
	return json.Marshal(map[string]ClaimRule(r))
}

// UnmarshalJSON reads an object of rules, or "scope".
func (r *ClaimRules) UnmarshalJSON(text []byte) error {
	if string(text) == `"scope"` {
		*r = ClaimRules{AllScopeClaims: {}}
		return nil
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	rules := map[string]ClaimRule{}
	if err := decoder.Decode(&rules); err != nil {
		return err
	}
	*r = rules
	if len(rules) == 0 {
		*r = nil
	}
	return nil
}
