package oauth

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// credentialKind is the way in which a request identifies its client.
type credentialKind int

const (
	credentialNone      credentialKind = iota // client_id alone
	credentialBasic                           // client_secret_basic
	credentialPost                            // client_secret_post
	credentialAssertion                       // client_secret_jwt, private_key_jwt
)

// credentials are the client_id and the credentials of a request.
type credentials struct {
	kind      credentialKind
	clientID  string
	secret    string
	rawSecret string // client_secret_basic: the secret as it was sent, before form-decoding
	assertion string
}

// authMethod returns the token_endpoint_auth_method of these credentials. They must not be an assertion.
func (c credentials) authMethod() string {
	switch c.kind {
	case credentialBasic:
		return "client_secret_basic"
	case credentialPost:
		return "client_secret_post"
	}
	return "none"
}

// assertionType is the only supported client_assertion_type (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticationFailed is the description both for wrong credentials and for an unknown client, so that a caller cannot
// find out which clients exist.
const authenticationFailed = "client authentication failed"

// readCredentials returns the credentials of a request. It refuses a request that uses more than one authentication
// method (RFC 6749 §2.3).
func readCredentials(h http.Header, form url.Values) (credentials, error) {
	c := credentials{clientID: form.Get("client_id")}
	methods := 0
	if header := h.Values("Authorization"); len(header) > 0 {
		basic, ok := parseBasicAuth(header)
		if !ok {
			return c, invalidClient("the Authorization header is not one of client_secret_basic (RFC 6749 2.3.1)")
		}
		if c.clientID != "" && c.clientID != basic.clientID {
			return c, invalidRequest("client_id and the Authorization header name two clients").About("client_id")
		}
		c = basic
		if c.rawSecret == "" { // some libraries send this header for a client without a secret
			c.kind = credentialNone
		} else {
			methods++
		}
	}
	// An empty parameter counts as missing (RFC 6749 §3.2): some libraries send client_secret= for a client without a
	// secret.
	if secret := form.Get("client_secret"); secret != "" {
		methods++
		c.kind = credentialPost
		c.secret = secret
	}
	assertion := form.Get("client_assertion")
	declaredType := form.Get("client_assertion_type")
	if assertion != "" || declaredType != "" {
		if assertion == "" || declaredType != assertionType {
			return c, invalidClient("client_assertion and client_assertion_type do not fit together (RFC 7523 2.2)")
		}
		methods++
		c.kind = credentialAssertion
		c.assertion = assertion
	}
	if methods > 1 {
		return c, invalidRequest("the client authenticates in more than one way")
	}
	switch {
	case c.kind == credentialAssertion: // authenticateAssertion checks it
	case c.clientID == "":
		return c, invalidClient("the request does not say which client it is from")
	case c.kind != credentialNone && c.secret == "":
		return c, invalidClient(authenticationFailed)
	}
	return c, nil
}

// parseBasicAuth parses an Authorization header with scheme Basic. Clients must form-encode id and secret (RFC 6749
// §2.3.1), but many do not. parseBasicAuth does not change a value that it cannot form-decode.
func parseBasicAuth(headers []string) (c credentials, ok bool) {
	if len(headers) != 1 {
		return c, false
	}
	scheme, encoded, hasSpace := strings.Cut(headers[0], " ")
	if !hasSpace || !strings.EqualFold(scheme, "Basic") {
		return c, false
	}
	decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if err != nil {
		return c, false
	}
	id, secret, hasColon := strings.Cut(string(decoded), ":")
	c = credentials{
		kind:      credentialBasic,
		clientID:  formDecoded(id),
		secret:    formDecoded(secret),
		rawSecret: secret,
	}
	return c, hasColon && c.clientID != ""
}

// formDecoded returns the form-decoded text, or the text itself if it is not form-encoded.
func formDecoded(text string) string {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return decoded
}

// basicHeader returns the Authorization header for client_secret_basic, with id and secret form-encoded.
func basicHeader(c credentials) string {
	pair := url.QueryEscape(c.clientID) + ":" + url.QueryEscape(c.secret)
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(pair))
}

// verifyClient authenticates the client of a token or revocation request. For a token request it also checks
// grant_type.
func (s *Server) verifyClient(
	ctx context.Context,
	path string,
	h http.Header,
	form url.Values,
) (*storage.Client, error) {
	c, err := s.authenticateClient(ctx, h, form)
	if err != nil || path != tokenPath {
		return c, err
	}
	grantType := form.Get("grant_type")
	if !c.MayUseGrantType(grantType) {
		description := "this grant_type is not registered for the client"
		return nil, newError(http.StatusBadRequest, "unauthorized_client", description).About("grant_type")
	}
	if grantType == "client_credentials" && c.IsPublic() { // RFC 6749 §4.4: for confidential clients only
		return nil, invalidClient("client_credentials needs client authentication")
	}
	return c, nil
}

// authenticateClient returns the client of a request. It checks the credentials, and that they use the client's
// registered authentication method.
func (s *Server) authenticateClient(ctx context.Context, h http.Header, form url.Values) (*storage.Client, error) {
	creds, err := readCredentials(h, form)
	if err != nil {
		return nil, err
	}
	if creds.kind == credentialAssertion {
		return s.authenticateAssertion(ctx, creds)
	}
	c, err := s.enabledClient(ctx, creds.clientID)
	if err != nil {
		return nil, err
	}
	if !c.AcceptsAuthMethod(creds.authMethod()) {
		return nil, wrongAuthMethod(c)
	}
	if creds.kind != credentialNone && !secretMatches(c, creds) {
		return nil, invalidClient(authenticationFailed)
	}
	return c, nil
}

// wrongAuthMethod returns the error for a wrong authentication method. The log names the registered method; the
// response does not.
func wrongAuthMethod(c *storage.Client) error {
	e := invalidClient("the client authenticates in another way than its token_endpoint_auth_method")
	e.Reason = e.Description + ", which is " + c.AuthMethod()
	return e
}

// enabledClient returns a client. It returns the same error for an unknown and for a disabled client.
func (s *Server) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, invalidClient(authenticationFailed)
	}
	if err != nil {
		return nil, err
	}
	if c.Disabled {
		return nil, invalidClient(authenticationFailed)
	}
	return c, nil
}

// secretMatches compares the hash of the secret with the client's, in constant time. Secrets are long and random, so a
// fast hash is sufficient. A client without a secret has the zero hash, which no secret has. With client_secret_basic,
// the secret may match form-decoded or as it was sent.
func secretMatches(c *storage.Client, creds credentials) bool {
	decodedHash := storage.HashOf(creds.secret)
	matches := subtle.ConstantTimeCompare(decodedHash[:], c.SecretHash[:])
	if creds.rawSecret != "" {
		rawHash := storage.HashOf(creds.rawSecret)
		matches |= subtle.ConstantTimeCompare(rawHash[:], c.SecretHash[:])
	}
	return matches == 1
}
