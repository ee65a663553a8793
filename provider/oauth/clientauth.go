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
	assertion string
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
		id, secret, ok := parseBasicAuth(header)
		if !ok {
			return c, invalidClient("the Authorization header is not one of client_secret_basic (RFC 6749 2.3.1)")
		}
		if c.clientID != "" && c.clientID != id {
			return c, invalidRequest("client_id and the Authorization header name two clients")
		}
		methods++
		c.kind, c.clientID, c.secret = credentialBasic, id, secret
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

// parseBasicAuth reads an Authorization header: id and secret are form-encoded in it (RFC 6749 §2.3.1).
func parseBasicAuth(headers []string) (id, secret string, ok bool) {
	if len(headers) != 1 {
		return "", "", false
	}
	scheme, encoded, found := strings.Cut(headers[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(encoded))
	if !found || !strings.EqualFold(scheme, "Basic") || err != nil {
		return "", "", false
	}
	id, secret, found = strings.Cut(string(raw), ":")
	if !found {
		return "", "", false
	}
	if id, err = url.QueryUnescape(id); err != nil || id == "" {
		return "", "", false
	}
	if secret, err = url.QueryUnescape(secret); err != nil {
		return "", "", false
	}
	return id, secret, true
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
	switch method := c.AuthMethod(); {
	case method == "none" && creds.kind == credentialNone:
		return c, nil
	case method == "client_secret_basic" && creds.kind == credentialBasic, method == "client_secret_post" && creds.kind == credentialPost:
		if !secretMatches(c, creds.secret) {
			return nil, invalidClient(authenticationFailed)
		}
		return c, nil
	}
	return nil, invalidClient("the client authenticates in another way than its token_endpoint_auth_method")
}

// enabledClient finds a client that is not disabled.
func (s *Server) enabledClient(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Disabled {
		return nil, invalidClient(authenticationFailed)
	}
	return c, err
}

// secretMatches compares hashes: secrets are random and long, so that no slow hash is needed, and are compared in constant time. No secret has the
// zero hash of a client without one.
func secretMatches(c *storage.Client, secret string) bool {
	presented := storage.HashOf(secret)
	return subtle.ConstantTimeCompare(presented[:], c.SecretHash[:]) == 1
}
