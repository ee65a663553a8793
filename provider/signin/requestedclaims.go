package signin

import (
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/tokens"
)

// readClaims reads the claims parameter (Core §5.5), which may be empty.
func readClaims(req *authRequest, text string) error {
	if text == "" {
		return nil
	}
	claims, err := tokens.ParseClaimsRequest(text)
	if err != nil {
		return oauthError("claims", "invalid_request", err.Error())
	}
	// Claims that the client cannot get are dropped to keep the interaction small.
	req.Claims = claims.RestrictTo(req.clientRecord).Raw()

	// Core §3.1.2.2: if the request asks for a sub, the response must be about that user.
	subject, ok := claims.Subject()
	if !ok {
		return oauthError("claims", "invalid_request", "claims must request one sub only")
	}
	req.HintSubject = subject

	return readRequestedACR(req, claims.IDToken["acr"])
}

// readRequestedACR reads the acr of the claims parameter. Core §5.5.1.1: if no supported acr meets an essential acr,
// authentication has failed; Unmet Authentication Requirements 1.0 §2 names the error.
func readRequestedACR(req *authRequest, requested *tokens.RequestedClaim) error {
	if requested == nil {
		return nil
	}
	acceptsAnyValue := requested.Value == nil && len(requested.Values) == 0
	if acceptsAnyValue {
		return nil
	}
	for _, supported := range authn.ACRValues() { // weakest first, so that the user need not prove more than requested
		if requested.Accepts(supported) {
			req.ACR = supported
			req.EssentialACR = requested.Essential
			return nil
		}
	}
	if requested.Essential {
		return oauthError(
			"claims",
			"unmet_authentication_requirements",
			"none of the essential acr values is supported",
		)
	}
	return nil
}

// readACRValues reads acr_values, which requests an acr as a voluntary claim, in order of preference (Core §3.1.2.1).
// It does nothing if the claims parameter has set an acr.
func readACRValues(req *authRequest, params url.Values) {
	values := strings.Fields(params.Get("acr_values"))
	if len(values) == 0 {
		values = req.clientRecord.DefaultACRValues
	}
	for _, value := range values {
		if req.ACR == "" && slices.Contains(authn.ACRValues(), value) {
			req.ACR = value
		}
	}
}
