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

// credentialKind is how a request says who it is from.
type credentialKind int

const (
	credentialNone      credentialKind = iota // client_id alone
	credentialBasic                           // client_secret_basic
	credentialPost                            // client_secret_post
	credentialAssertion                       // client_secret_jwt, private_key_jwt
)

type credentials struct {
	kind      credentialKind
	clientID  string
	secret    string
	rawSecret string // the secret of client_secret_basic as it was sent, before form-decoding
	assertion string
}

// authMethod is the method's name in metadata.
func (c credentials) authMethod() string {
	switch c.kind {
	case credentialBasic:
		return "client_secret_basic"
	case credentialPost:
		return "client_secret_post"
	}
	return "none"
}

// assertionType is the one client_assertion_type there is (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// authenticationFailed is all that is said about credentials that do not fit: not whether there is such a client.
const authenticationFailed = "client authentication failed"

// readCredentials finds the credentials of a request. More than one way at once is refused (RFC 6749 §2.3).
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
		if basic.rawSecret == "" { // some libraries send the header for a client without a secret
			basic.kind = credentialNone
		} else {
			methods++
		}
		c = basic
	}
	// A parameter without a value is as good as left out (RFC 6749 §3.2): some libraries send client_secret= for a client that has none.
	if secret := form.Get("client_secret"); secret != "" {
		methods++
		c.kind, c.secret = credentialPost, secret
	}
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		if form.Get("client_assertion_type") != assertionType || form.Get("client_assertion") == "" {
			return c, invalidClient("client_assertion and client_assertion_type do not fit together (RFC 7523 2.2)")
		}
		methods++
		c.kind, c.assertion = credentialAssertion, form.Get("client_assertion")
	}
	if methods > 1 {
		return c, invalidRequest("the client authenticates in more than one way")
	}
	switch {
	case c.kind == credentialAssertion:
	case c.clientID == "":
		return c, invalidClient("the request does not say which client it is from")
	case c.kind != credentialNone && c.secret == "":
		return c, invalidClient(authenticationFailed)
	}
	return c, nil
}

// parseBasicAuth reads an Authorization header. RFC 6749 §2.3.1 has id and secret form-encoded in it; many clients send them as they are.
// A text that cannot be decoded was not encoded.
func parseBasicAuth(headers []string) (c credentials, ok bool) {
	if len(headers) != 1 {
		return c, false
	}
	scheme, encoded, found := strings.Cut(headers[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if !found || !strings.EqualFold(scheme, "Basic") || err != nil {
		return c, false
	}
	id, secret, found := strings.Cut(string(raw), ":")
	c = credentials{kind: credentialBasic, clientID: formDecoded(id), secret: formDecoded(secret), rawSecret: secret}
	return c, found && c.clientID != ""
}

func formDecoded(text string) string {
	decoded, err := url.QueryUnescape(text)
	if err != nil {
		return text
	}
	return decoded
}

// basicHeader is an Authorization header with the id and secret form-encoded.
func basicHeader(c credentials) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(url.QueryEscape(c.clientID)+":"+url.QueryEscape(c.secret)))
}

// verifyClient authenticates the client of a token or revocation request and checks that it may use the grant type.
func (s *Server) verifyClient(ctx context.Context, path string, h http.Header, form url.Values) (*storage.Client, error) {
	c, err := s.authenticateClient(ctx, h, form)
	if err != nil || path != tokenPath {
		return c, err
	}
	grantType := form.Get("grant_type")
	if !c.MayUseGrantType(grantType) {
		return nil, newError(http.StatusBadRequest, "unauthorized_client", "this grant_type is not registered for the client").About("grant_type")
	}
	if grantType == "client_credentials" && c.IsPublic() { // RFC 6749 §4.4: for confidential clients only
		return nil, invalidClient("client_credentials needs client authentication")
	}
	if !c.AcceptsResources(form["resource"]) { // RFC 8707 §2
		text := "access tokens of this client are for its registered audience: name exactly that, or no resource"
		return nil, newError(http.StatusBadRequest, "invalid_target", text).About("resource")
	}
	return c, nil
}

// authenticateClient finds the client that a request is from and holds it to the method it registered.
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

// wrongAuthMethod does not say to the caller which method is right; the log does.
func wrongAuthMethod(c *storage.Client) error {
	e := invalidClient("the client authenticates in another way than its token_endpoint_auth_method")
	e.Reason = e.Description + ", which is " + c.AuthMethod()
	return e
}

// enabledClient finds a client that is not disabled.
func (s *Server) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Disabled {
		return nil, invalidClient(authenticationFailed)
	}
	return c, err
}

// secretMatches compares hashes: secrets are random and long, so that no slow hash is needed, and are compared in constant time. No secret
// has the zero hash of a client without one. A secret of client_secret_basic is also compared as it was sent.
func secretMatches(c *storage.Client, creds credentials) bool {
	decoded := storage.HashOf(creds.secret)
	raw := storage.HashOf(creds.rawSecret)
	matches := subtle.ConstantTimeCompare(decoded[:], c.SecretHash[:])
	if creds.rawSecret != "" {
		matches |= subtle.ConstantTimeCompare(raw[:], c.SecretHash[:])
	}
	return matches == 1
}
