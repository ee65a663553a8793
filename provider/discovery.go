package provider

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/templates"
)

// providerMetadata is the discovery document (Discovery 1.0 §3, RFC 8414 §2, and the logout specifications). It lists
// exactly the features that this deployment has switched on.
type providerMetadata struct {
	Issuer                string   `json:"issuer"`
	AuthorizationEndpoint string   `json:"authorization_endpoint"`
	TokenEndpoint         string   `json:"token_endpoint"`
	UserinfoEndpoint      string   `json:"userinfo_endpoint"`
	JWKSURI               string   `json:"jwks_uri"`
	RegistrationEndpoint  string   `json:"registration_endpoint,omitempty"`
	IntrospectionEndpoint string   `json:"introspection_endpoint"`
	RevocationEndpoint    string   `json:"revocation_endpoint"`
	EndSessionEndpoint    string   `json:"end_session_endpoint"`
	CheckSessionIframe    string   `json:"check_session_iframe,omitempty"`
	Scopes                []string `json:"scopes_supported"`
	ResponseTypes         []string `json:"response_types_supported"`
	ResponseModes         []string `json:"response_modes_supported"`
	GrantTypes            []string `json:"grant_types_supported"`
	ACRValues             []string `json:"acr_values_supported"`
	SubjectTypes          []string `json:"subject_types_supported"`
	IDTokenAlgs           []string `json:"id_token_signing_alg_values_supported"`
	UserinfoAlgs          []string `json:"userinfo_signing_alg_values_supported"`
	RequestObjectAlgs     []string `json:"request_object_signing_alg_values_supported,omitempty"`
	TokenAuthMethods      []string `json:"token_endpoint_auth_methods_supported"`
	TokenAuthAlgs         []string `json:"token_endpoint_auth_signing_alg_values_supported"`
	IntrospectionMethods  []string `json:"introspection_endpoint_auth_methods_supported"`
	IntrospectionAlgs     []string `json:"introspection_endpoint_auth_signing_alg_values_supported"`
	RevocationMethods     []string `json:"revocation_endpoint_auth_methods_supported"`
	RevocationAlgs        []string `json:"revocation_endpoint_auth_signing_alg_values_supported"`
	DisplayValues         []string `json:"display_values_supported"`
	ClaimTypes            []string `json:"claim_types_supported"`
	Claims                []string `json:"claims_supported"`
	UILocales             []string `json:"ui_locales_supported"`
	PromptValues          []string `json:"prompt_values_supported"`
	CodeChallengeMethods  []string `json:"code_challenge_methods_supported"`
	ClaimsParameter       bool     `json:"claims_parameter_supported"`
	RequestParameter      bool     `json:"request_parameter_supported"`
	RequestURIParameter   bool     `json:"request_uri_parameter_supported"`
	RequireRequestURI     bool     `json:"require_request_uri_registration"`
	IssParameter          bool     `json:"authorization_response_iss_parameter_supported"`
	BackchannelLogout     bool     `json:"backchannel_logout_supported"`
	BackchannelSession    bool     `json:"backchannel_logout_session_supported"`
	FrontchannelLogout    bool     `json:"frontchannel_logout_supported"`
	FrontchannelSession   bool     `json:"frontchannel_logout_session_supported"`
}

// discoveryDocument encodes the discovery document.
func (p *Provider) discoveryDocument() ([]byte, error) {
	c := p.config
	url := func(path string) string { return c.Issuer + path }
	signingAlgs := c.Ring.Algorithms()
	authMethods := register.AuthMethods()
	isNone := func(method string) bool { return method == "none" }
	confidentialMethods := slices.DeleteFunc(slices.Clone(authMethods), isNone)
	assertionAlgs := append(register.ClientSigningAlgs(), register.ClientMACAlgs()...)
	m := providerMetadata{
		Issuer:                c.Issuer,
		AuthorizationEndpoint: url("/authorize"),
		TokenEndpoint:         url("/token"),
		UserinfoEndpoint:      url("/userinfo"),
		JWKSURI:               url("/jwks"),
		IntrospectionEndpoint: url("/introspect"),
		RevocationEndpoint:    url("/revoke"),
		EndSessionEndpoint:    url("/end_session"),
		Scopes:                append(tokens.Scopes(), c.APIScopes.Names()...),
		ResponseTypes:         register.ResponseTypes(c.Token.Implicit),
		ResponseModes:         []string{"query", "fragment", "form_post"},
		GrantTypes:            register.GrantTypes(c.Token.Implicit),
		ACRValues:             authn.ACRValues(),
		SubjectTypes:          []string{"public", "pairwise"},
		IDTokenAlgs:           append(slices.Clone(signingAlgs), "none"),
		UserinfoAlgs:          signingAlgs,
		RequestObjectAlgs:     append(register.ClientSigningAlgs(), "none"),
		TokenAuthMethods:      authMethods,
		TokenAuthAlgs:         assertionAlgs,
		IntrospectionMethods:  confidentialMethods,
		IntrospectionAlgs:     assertionAlgs,
		RevocationMethods:     authMethods,
		RevocationAlgs:        assertionAlgs,
		DisplayValues:         []string{"page"},
		ClaimTypes:            []string{"normal"},
		Claims:                tokens.ClaimNames(),
		UILocales:             uiLocales(),
		PromptValues:          []string{"none", "login", "consent", "select_account"},
		CodeChallengeMethods:  []string{"S256"},
		ClaimsParameter:       true,
		RequestParameter:      true,
		RequestURIParameter:   true,
		RequireRequestURI:     true,
		IssParameter:          true,
		BackchannelLogout:     true,
		BackchannelSession:    true,
		FrontchannelLogout:    true,
		FrontchannelSession:   true,
	}
	if c.Registration.Enabled() {
		m.RegistrationEndpoint = url(register.Path)
	}
	if c.CheckSession {
		m.CheckSessionIframe = url("/check_session")
	}
	doc, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode discovery: %w", err)
	}
	return doc, nil
}

// uiLocales returns the languages of the pages.
func uiLocales() []string {
	var tags []string
	for _, l := range templates.Languages() {
		tags = append(tags, l.Tag)
	}
	return tags
}
