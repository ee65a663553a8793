package tokens_test

import (
	"encoding/json"
	"testing"

	"github.com/curfew-id/curfew/provider/tokens"
)

// FuzzClaimsRequest: what ParseClaimsRequest accepts can be written and is read again as the same.
func FuzzClaimsRequest(f *testing.F) {
	for _, seed := range []string{
		`{"id_token":{"acr":{"essential":true,"values":["1","2"]},"email":null},"userinfo":{"name":{"value":"x"}}}`,
		`{"id_token":{"sub":{"value":1e400}}}`,
		`{"userinfo":[]}`,
		`{"id_token":null}`,
		`[]`,
		``,
		`{"id_token":{"":{}}}`,
		"{\"id_token\":{\"email\":{\"value\":\"\xff\"}}}",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		first, err := tokens.ParseClaimsRequest(text)
		if err != nil {
			return
		}
		written, err := json.Marshal(first)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		second, err := tokens.ParseClaimsRequest(string(written))
		if err != nil && len(written) <= tokens.MaxClaimsLength {
			t.Fatalf("%q: wrote %s, which is refused: %v", text, written, err)
		}
		if again, _ := json.Marshal(second); err == nil && string(again) != string(written) {
			t.Errorf("%q: wrote %s, then %s", text, written, again)
		}
	})
}
