package signin

import (
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// readPKCE reads the code challenge (RFC 7636). The only supported method is S256.
func (h *Handler) readPKCE(req *authRequest, params url.Values) error {
	if !req.hasResponseType("code") {
		return nil
	}
	challenge := params.Get("code_challenge")
	method := params.Get("code_challenge_method")
	if challenge == "" && method == "" {
		if req.clientRecord.MayOmitPKCE(req.nonceBindsCode()) {
			return nil
		}
		return pkceRequired(req.clientRecord)
	}
	if method != "S256" { // a missing method means plain (RFC 7636 §4.3), which is refused too
		return oauthError("code_challenge_method", "invalid_request", "code_challenge_method must be S256")
	}
	if len(challenge) != challengeLength || strings.Trim(challenge, base64URLAlphabet) != "" {
		return oauthError("code_challenge", "invalid_request", "code_challenge is not the base64url of a SHA-256")
	}
	req.CodeChallenge = challenge
	return nil
}

// pkceRequired returns the error for a missing code challenge. It names the client setting that requires PKCE.
func pkceRequired(c *storage.Client) error {
	text := "code_challenge is required, with code_challenge_method S256 (RFC 7636)"
	switch {
	case c.RequirePKCE != nil:
		text += "; the client has require_pkce: true"
	case !c.IsPublic():
		text += ", or a nonce with scope openid and response_type code; see the client setting require_pkce"
	}
	return oauthError("code_challenge", "invalid_request", text)
}

// challengeLength is the length of a SHA-256 hash in base64url, in characters.
const challengeLength = 43

// base64URLAlphabet contains the characters of base64url without padding.
const base64URLAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
