package register_test

import (
	"net/http"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// TestWeakRedirectURIsAreAnOperatorsChoice: http at other hosts and schemes without a dot, for one client by name.
func TestWeakRedirectURIsAreAnOperatorsChoice(t *testing.T) {
	weak := storage.Metadata{
		ApplicationType:      "native",
		RedirectURIs:         []string{"cursor://callback", "http://nextcloud.internal/cb"},
		BackchannelLogoutURI: "http://nextcloud.internal/logout",
	}
	allowed := weak
	allowed.AllowHTTP, allowed.AllowSchemes = true, []string{"cursor"}
	if err := register.Validate(&weak, register.Policy{}); err == nil || len(err.(register.Problems)) != 3 {
		t.Errorf("got %v without the operator's choice, want a problem for each URI", err)
	}
	if err := register.Validate(&allowed, register.Policy{}); err != nil {
		t.Errorf("got %v with the operator's choice", err)
	}
	for _, scheme := range []string{"javascript", "data", "https", "Cursor", "a b", ""} {
		m := storage.Metadata{RedirectURIs: []string{"https://rp.example/cb"}, AllowSchemes: []string{scheme}}
		if err := register.Validate(&m, register.Policy{}); err == nil {
			t.Errorf("got the scheme %q allowed", scheme)
		}
	}
	o := mustStart(t, policy.RegistrationOpen, "")
	const body = `{"application_type":"native","redirect_uris":["cursor://callback"],"allow_schemes":["cursor"],` +
		`"allow_http":true}`
	o.mustRefuse(http.StatusBadRequest, register.InvalidRedirectURI, "POST", "/register", "", body)
}
