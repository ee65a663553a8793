package tokens_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/tokens"
)

func TestClaimsParameterOfAnyShape(t *testing.T) {
	for text, good := range map[string]bool{
		`{}`:                true,
		`{"userinfo":null}`: true,
		`{"userinfo":{}}`:   true,
		`{"id_token":{"acr":{"essential":true,"values":["1"]}}}`: true,
		`{"other":{"x":1}}`:       true,
		``:                        false,
		`x`:                       false,
		`[]`:                      false,
		`"x"`:                     false,
		`{"userinfo":[]}`:         false,
		`{"userinfo":{"name":1}}`: false,
		`{"userinfo":{"name":{"essential":"yes"}}}`:                                false,
		`{"userinfo":{"name":{"values":"x"}}}`:                                     false,
		`{"userinfo":{"name":null}}` + strings.Repeat(" ", tokens.MaxClaimsLength): false,
	} {
		if _, err := tokens.ParseClaimsRequest(text); good != (err == nil) {
			t.Errorf("%.60s: %v", text, err)
		}
	}
}

func TestWhatIsNotUnderstoodDoesNotTravelOn(t *testing.T) {
	c, err := tokens.ParseClaimsRequest(
		`{"userinfo":{"name":null,"http://x.example/y":{"essential":true}},"id_token":{"x":null}}`,
	)
	if err != nil {
		t.Fatal(err)
	}
	if got := string(c.Raw()); got != `{"userinfo":{"name":null}}` {
		t.Errorf("got %s", got)
	}
	if raw := (tokens.ClaimsRequest{}).Raw(); raw != nil {
		t.Errorf("nothing asked for travels as %s", raw)
	}
}

func TestClaimsRequests(t *testing.T) {
	for _, c := range []struct {
		wish  string
		value any
		want  bool
	}{
		{`null`, "x", true},
		{`{}`, "x", true},
		{`{"essential":true}`, "x", true},
		{`{"value":"x"}`, "x", true},
		{`{"value":"y"}`, "x", false},
		{`{"values":["y","x"]}`, "x", true},
		{`{"values":["y"]}`, "x", false},
		{`{"value":true}`, true, true},
		{`{"value":"true"}`, true, false},
		{`{"value":7}`, int64(7), true},
	} {
		var wish *tokens.RequestedClaim
		if err := json.Unmarshal([]byte(c.wish), &wish); err != nil {
			t.Fatal(err)
		}
		if got := wish.Accepts(c.value); got != c.want {
			t.Errorf("%s accepts %v: %t", c.wish, c.value, got)
		}
	}
}
