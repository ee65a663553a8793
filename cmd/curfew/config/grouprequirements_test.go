package config

import (
	"strings"
	"testing"
)

func TestGroupRequirementsAreReadAndChecked(t *testing.T) {
	required := []string{"CURFEW_ISSUER=https://id.example.org", "CURFEW_DATA=data"}
	c, err := Load("", append(required, `CURFEW_AUTHN_REQUIRE_GROUPS={"admins": "passkey"}`))
	if err != nil || c.Authn.RequireGroups["admins"] != "passkey" {
		t.Errorf("got %v, %v, want passkey for admins", c, err)
	}
	for text, want := range map[string]string{
		`{"admins": "strong"}`:     `group "admins" must have one of password, mfa, passkey, not "strong"`,
		`{"admins": 1}`:            "must be a mapping of groups",
		`{"a, b": "mfa"}`:          "has a comma",
		`[{"group": "admins"}]`:    "must be a mapping of groups",
		`{"staff": "mfa", "": ""}`: "the name of a group is empty",
	} {
		_, err := Load("", append(required, "CURFEW_AUTHN_REQUIRE_GROUPS="+text))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a problem with %q", text, err, want)
		}
	}
}
