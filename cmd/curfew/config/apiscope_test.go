package config

import (
	"slices"
	"strings"
	"testing"
)

func TestScopesOfAPIsAreReadAndChecked(t *testing.T) {
	required := []string{"CURFEW_ISSUER=https://id.example.org", "CURFEW_DATA=data"}
	load := func(text string) (*Config, error) { return Load("", append(required, "CURFEW_SCOPES="+text)) }
	c, err := load(`{
		"orders.read": {"audience": "https://orders.example", "description": "See orders", "groups": ["b", "a"]},
		"orders.write": {"audience": ["a", "b"], "description": {"en": "Change orders", "de": "Bestellungen ändern"}, "clients": ["shop"]}
	}`)
	if err != nil {
		t.Fatal(err)
	}
	read, write := c.APIScopes()["orders.read"], c.APIScopes()["orders.write"]
	if read.Description[""] != "See orders" || !slices.Equal(read.Groups, []string{"a", "b"}) ||
		!slices.Equal(read.Audience, []string{"https://orders.example"}) {
		t.Errorf("got %+v", read)
	}
	if write.Description["de"] != "Bestellungen ändern" || len(write.Audience) != 2 || write.Clients[0] != "shop" {
		t.Errorf("got %+v", write)
	}
	for text, want := range map[string]string{
		`{"a": {}}`:                                                 "a: audience is missing",
		`{"openid": {"audience": "x"}}`:                             "is a scope of Curfew itself",
		`{"a b": {"audience": "x"}}`:                                "without spaces",
		`{"a": {"audience": "https://id.example.org"}}`:             "audience must name the API",
		`{"a": {"audience": 7}}`:                                    "audience must be a text or a list",
		`{"a": {"audience": "x", "groups": [""]}}`:                  "the name of a group is empty",
		`{"a": {"audience": "x", "clients": [""]}}`:                 "empty client_id",
		`{"a": {"audience": "x", "colour": "red"}}`:                 `unknown field "colour"`,
		`{"a": {"audience": "x", "description": {"tlh": "qapla"}}}`: "is not a language of the pages",
	} {
		if _, err := load(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want a problem with %q", text, err, want)
		}
	}
}
