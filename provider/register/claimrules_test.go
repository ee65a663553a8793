package register

import (
	"testing"
)

// TestWrongClaimRulesAreRefused: a rule replaces no claim that Curfew sets, and names a claim that users have.
func TestWrongClaimRulesAreRefused(t *testing.T) {
	for text, good := range map[string]bool{
		`"scope"`:                               true,
		`{}`:                                    true,
		`{"*":{},"roles":{"from":"groups"}}`:    true,
		`{"groups":{"as":"string"}}`:            true,
		`{"tenant":{"value":["a","b"]}}`:        true,
		`{"https://x.example/t":{"value":7}}`:   true,
		`"all"`:                                 false,
		`["groups"]`:                            false,
		`{"sub":{"from":"email"}}`:              false,
		`{"acr":{"value":"phr"}}`:               false,
		`{"*":{"from":"groups"}}`:               false,
		`{"roles":{}}`:                          false,
		`{"roles":{"from":"password"}}`:         false,
		`{"roles":{"from":"groups","value":1}}`: false,
		`{"roles":{"value":{"a":1}}}`:           false,
		`{"roles":{"from":"groups","as":"x"}}`:  false,
		`{"roles":{"form":"groups"}}`:           false,
	} {
		for _, field := range []string{"id_token_claims", "userinfo_claims", "access_token_claims"} {
			if err := CheckDefaults([]byte(`{"` + field + `":` + text + `}`)); good != (err == nil) {
				t.Errorf("%s %s: got %v, want accepted: %v", field, text, err, good)
			}
		}
	}
}
