package register

import (
	"testing"

	"github.com/curfew-id/curfew/storage"
)

// TestPublicClientDoesWithoutPKCEOnlyWhereTheDeploymentAllowsIt: RFC 9700 §2.1.1 by default.
func TestPublicClientDoesWithoutPKCEOnlyWhereTheDeploymentAllowsIt(t *testing.T) {
	for _, allowed := range []bool{false, true} {
		off := false
		m := storage.Metadata{
			RedirectURIs:            []string{"https://app.example/cb"},
			TokenEndpointAuthMethod: "none",
			RequirePKCE:             &off,
		}
		if err := Validate(&m, Policy{PublicWithoutPKCE: allowed}); (err == nil) != allowed {
			t.Errorf("allowed %v: got %v", allowed, err)
		}
		asks, err := requestedMetadata(
			[]byte(`{"token_endpoint_auth_method":"none","require_pkce":false}`),
			nil,
			Policy{PublicWithoutPKCE: allowed},
		)
		if err != nil || asks.RequirePKCE != nil {
			t.Errorf(
				"allowed %v: got %v, %v for the client's own wish, want it left out",
				allowed,
				asks.RequirePKCE,
				err,
			)
		}
	}
}
