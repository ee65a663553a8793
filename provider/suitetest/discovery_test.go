package suitetest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/providertest"
)

// metadataKinds are the members of provider metadata that the suite's schema has, with their kinds, as far as Curfew
// writes them.
var metadataKinds = map[string]string{
	"issuer":                                                   "url",
	"authorization_endpoint":                                   "url",
	"token_endpoint":                                           "url",
	"userinfo_endpoint":                                        "url",
	"jwks_uri":                                                 "url",
	"registration_endpoint":                                    "url",
	"introspection_endpoint":                                   "url",
	"revocation_endpoint":                                      "url",
	"end_session_endpoint":                                     "url",
	"check_session_iframe":                                     "url",
	"scopes_supported":                                         "list",
	"response_types_supported":                                 "list",
	"response_modes_supported":                                 "list",
	"grant_types_supported":                                    "list",
	"acr_values_supported":                                     "list",
	"subject_types_supported":                                  "list",
	"id_token_signing_alg_values_supported":                    "list",
	"userinfo_signing_alg_values_supported":                    "list",
	"request_object_signing_alg_values_supported":              "list",
	"token_endpoint_auth_methods_supported":                    "list",
	"token_endpoint_auth_signing_alg_values_supported":         "list",
	"introspection_endpoint_auth_methods_supported":            "list",
	"introspection_endpoint_auth_signing_alg_values_supported": "list",
	"revocation_endpoint_auth_methods_supported":               "list",
	"revocation_endpoint_auth_signing_alg_values_supported":    "list",
	"display_values_supported":                                 "list",
	"claim_types_supported":                                    "list",
	"claims_supported":                                         "list",
	"ui_locales_supported":                                     "list",
	"prompt_values_supported":                                  "list",
	"code_challenge_methods_supported":                         "list",
	"claims_parameter_supported":                               "bool",
	"request_parameter_supported":                              "bool",
	"request_uri_parameter_supported":                          "bool",
	"require_request_uri_registration":                         "bool",
	"authorization_response_iss_parameter_supported":           "bool",
	"backchannel_logout_supported":                             "bool",
	"backchannel_logout_session_supported":                     "bool",
	"frontchannel_logout_supported":                            "bool",
	"frontchannel_logout_session_supported":                    "bool",
}

// checkDiscovery holds the document to the suite's schema: its kinds, https, and nothing that no specification names.
func (m *module) checkDiscovery() map[string]any {
	m.Helper()
	d := m.discovery()
	for name, value := range d {
		ok := false
		switch metadataKinds[name] {
		case "url":
			text, _ := value.(string)
			ok = strings.HasPrefix(text, "https://")
		case "list":
			list, isList := value.([]any)
			ok = isList && len(list) > 0
			for _, element := range list {
				_, text := element.(string)
				ok = ok && text
			}
		case "bool":
			_, ok = value.(bool)
		}
		if !ok {
			m.Errorf("got the member %s as %v", name, value)
		}
	}
	return d
}

func TestModuleDiscoveryEndpointVerification(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		d := m.checkDiscovery()
		if d["issuer"] != providertest.Issuer {
			m.Errorf("got issuer %v", d["issuer"])
		}
		for name, wanted := range map[string][]string{
			"response_types_supported":                    {"code", "id_token", "id_token token"},
			"grant_types_supported":                       {"authorization_code", "implicit", "refresh_token"},
			"scopes_supported":                            {"openid"},
			"subject_types_supported":                     {"public", "pairwise"},
			"id_token_signing_alg_values_supported":       {"RS256"},
			"userinfo_signing_alg_values_supported":       {"RS256"},
			"request_object_signing_alg_values_supported": {"none", "RS256"},
			"claims_supported":                            {"sub", "name"},
			"code_challenge_methods_supported":            {"S256"},
			"ui_locales_supported":                        {"en"},
		} {
			for _, value := range wanted {
				if got := m.supported(name); !slices.Contains(got, value) {
					m.Errorf("got %s %v, want %s among them", name, got, value)
				}
			}
		}
		m.checkKeys()
	})
}

func TestModuleRpInitiatedLogoutDiscoveryEndpointVerification(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		if d := m.checkDiscovery(); d["end_session_endpoint"] != providertest.Issuer+"/end_session" {
			m.Errorf("got end_session_endpoint %v", d["end_session_endpoint"])
		}
	})
}

func TestModuleFrontchannelLogoutDiscoveryEndpointVerification(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustAdvertise("frontchannel_logout_supported", "frontchannel_logout_session_supported")
	})
}

func TestModuleBackchannelLogoutDiscoveryEndpointVerification(t *testing.T) {
	runOnce(t, nil, func(m *module) {
		m.mustAdvertise("backchannel_logout_supported", "backchannel_logout_session_supported")
	})
}

func (m *module) mustAdvertise(names ...string) {
	m.Helper()
	d := m.checkDiscovery()
	for _, name := range names {
		if d[name] != true {
			m.Errorf("got %s %v, want true", name, d[name])
		}
	}
	if d["end_session_endpoint"] == nil {
		m.Errorf("got no end_session_endpoint")
	}
}

func TestModuleSessionManagementDiscoveryEndpointVerification(t *testing.T) {
	runOnce(t, func(c *provider.Config) { c.CheckSession = true }, func(m *module) {
		if d := m.checkDiscovery(); d["check_session_iframe"] != providertest.Issuer+"/check_session" ||
			d["end_session_endpoint"] == nil {
			m.Errorf(
				"got check_session_iframe %v and end_session_endpoint %v",
				d["check_session_iframe"],
				d["end_session_endpoint"],
			)
		}
	})
}

// TestDiscoveryIsTrue: a feature that is switched off is neither advertised nor available, and every advertised value
// can be registered.
func TestDiscoveryIsTrue(t *testing.T) {
	runOnce(
		t,
		func(c *provider.Config) { c.Registration.Mode, c.CheckSession = policy.RegistrationOff, false },
		func(m *module) {
			d := m.checkDiscovery()
			for member, path := range map[string]string{
				"registration_endpoint": "/register",
				"check_session_iframe":  "/check_session",
			} {
				if d[member] != nil {
					m.Errorf("got %s %v although it is off", member, d[member])
				}
				if p := m.send(http.MethodPost, path, "application/json", "{}", nil); p.Status != http.StatusNotFound &&
					p.Status != http.StatusMethodNotAllowed {
					m.Errorf("got %d from %s although it is off", p.Status, path)
				}
			}
		},
	)
	runOnce(t, func(c *provider.Config) { c.CheckSession = true }, func(m *module) {
		for parameter, member := range map[string]string{
			"id_token_signing_alg_values_supported":       "id_token_signed_response_alg",
			"userinfo_signing_alg_values_supported":       "userinfo_signed_response_alg",
			"request_object_signing_alg_values_supported": "request_object_signing_alg",
			"token_endpoint_auth_methods_supported":       "token_endpoint_auth_method",
			"subject_types_supported":                     "subject_type",
		} {
			advertised := m.supported(parameter)
			for _, value := range append([]string{
				"HS512",
				"ES512",
				"tls_client_auth",
				"ephemeral",
				"none",
			}, advertised...) {
				p := m.register(map[string]any{member: value})
				if got, want := p.Status == http.StatusCreated, slices.Contains(advertised, value); got != want {
					m.Errorf("got %s=%s registered: %v, want %v as advertised", member, value, got, want)
				}
			}
		}
		for _, m.responseType = range m.supported("response_types_supported") {
			m.mustRegister(nil)
		}
		if got := fmt.Sprint(m.supported("response_types_supported")); got != fmt.Sprint(allResponseTypes) {
			m.Errorf("got response types %s, want %v", got, allResponseTypes)
		}
		for _, scope := range m.supported("scopes_supported") {
			if scope != "openid" && scope != "offline_access" && len(scopeClaims(scope)) == 0 {
				m.Errorf("got the scope %s, which gives nothing", scope)
			}
		}
	})
}
