package register

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestChosenSecretsCannotBeGuessed (Core §16.19, RFC 6749 §10.10): those of others have to be as long as a key of
// HS256; ours have 256 random bits.
func TestChosenSecretsCannotBeGuessed(t *testing.T) {
	wrap := func(_ string, secret []byte) ([]byte, error) { return secret, nil }
	registrar := &Registrar{WrapSecret: wrap, Now: func() time.Time { return time.Unix(0, 0) }}
	for _, c := range []struct{ method, secret, text string }{
		{"client_secret_basic", strings.Repeat("s", 31), "31 characters"},
		{"client_secret_jwt", strings.Repeat("s", 31), "31 characters"},
		{"client_secret_basic", strings.Repeat("s", 2049), "longer"},
		{"client_secret_basic", strings.Repeat("ü", 32), "ASCII"},
		{"none", strings.Repeat("s", 32), "no use"},
		{"client_secret_basic", strings.Repeat("s", 32), ""},
		{"client_secret_jwt", "", ""},
	} {
		m := storage.Metadata{RedirectURIs: []string{"https://app.example/cb"}, TokenEndpointAuthMethod: c.method}
		_, secret, err := registrar.NewClient(t.Context(), m, c.secret)
		var problems Problems
		switch {
		case c.text != "" && (!errors.As(err, &problems) || problems[0].Field != "client_secret" || !strings.Contains(problems.Error(), c.text)):
			t.Errorf("%s with %d bytes: got %v, want %q", c.method, len(c.secret), err, c.text)
		case c.text == "" && (err != nil || c.secret == "" && len(secret) < 43 || c.secret != "" && secret != c.secret):
			t.Errorf("%s with %d bytes: got %q (%v)", c.method, len(c.secret), secret, err)
		}
	}
}
