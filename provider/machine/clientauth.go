package machine

import (
	"context"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/op"

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
	client    string
	secret    string
	assertion string
}

// assertionType is the one client_assertion_type there is (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// failed is all that is said about credentials that do not fit: not whether there is such a client.
const failed = "client authentication failed"

// readCredentials finds the credentials of a request. More than one way at once is refused (RFC 6749 §2.3).
func readCredentials(h http.Header, form url.Values) (credentials, error) {
	c := credentials{client: form.Get("client_id")}
	ways := 0
	if header := h.Values("Authorization"); len(header) > 0 {
		id, secret, ok := basic(header)
		if !ok {
			return c, invalidClient("the Authorization header is not one of client_secret_basic (RFC 6749 2.3.1)")
		}
		if c.client != "" && c.client != id {
			return c, invalidRequest("client_id and the Authorization header name two clients")
		}
		ways++
		c.kind, c.client, c.secret = credentialBasic, id, secret
	}
	// A parameter without a value is as good as left out (RFC 6749 §3.2): some libraries send client_secret= for a client that has none.
	if secret := form.Get("client_secret"); secret != "" {
		ways++
		c.kind, c.secret = credentialPost, secret
	}
	if form.Get("client_assertion") != "" || form.Get("client_assertion_type") != "" {
		if form.Get("client_assertion_type") != assertionType || form.Get("client_assertion") == "" {
			return c, invalidClient("client_assertion and client_assertion_type do not fit together (RFC 7523 2.2)")
		}
		ways++
		c.kind, c.assertion = credentialAssertion, form.Get("client_assertion")
	}
	if ways > 1 {
		return c, invalidRequest("the client authenticates in more than one way")
	}
	switch {
	case c.kind == credentialAssertion:
	case c.client == "":
		return c, invalidClient("the request does not say which client it is from")
	case c.kind != credentialNone && c.secret == "":
		return c, invalidClient(failed)
	}
	return c, nil
}

// basic reads an Authorization header: id and secret are form-encoded in it (RFC 6749 §2.3.1).
func basic(header []string) (id, secret string, ok bool) {
	if len(header) != 1 {
		return "", "", false
	}
	scheme, text, found := strings.Cut(header[0], " ")
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
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

// VerifyClient authenticates the client of a token or revocation request in the way it registered, and that way only, and holds it to its grant
// types.
func (s *Server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	c, err := s.authenticate(ctx, r.Header, r.Form)
	if err != nil {
		return nil, refusal(err)
	}
	switch grant := r.Form.Get("grant_type"); {
	case r.URL.Path != pathToken:
	case !slices.Contains(grantTypes(c), grant):
		return nil, problem{http.StatusBadRequest, "unauthorized_client", "this grant_type is not registered for the client", nil}
	case grant == "client_credentials" && authMethod(c) == "none": // RFC 6749 §4.4: for confidential clients only
		return nil, invalidClient("client_credentials needs client authentication")
	}
	return client{c}, nil
}

// authenticate finds the client that a request is from and holds it to the method it registered.
func (s *Server) authenticate(ctx context.Context, h http.Header, form url.Values) (*storage.Client, error) {
	creds, err := readCredentials(h, form)
	if err != nil {
		return nil, err
	}
	if creds.kind == credentialAssertion {
		return s.authenticateAssertion(ctx, creds)
	}
	c, err := s.enabled(ctx, creds.client)
	if err != nil {
		return nil, err
	}
	switch method := authMethod(c); {
	case method == "none" && creds.kind == credentialNone:
		return c, nil
	case method == "client_secret_basic" && creds.kind == credentialBasic, method == "client_secret_post" && creds.kind == credentialPost:
		if !secretFits(c, creds.secret) {
			return nil, invalidClient(failed)
		}
		return c, nil
	}
	return nil, invalidClient("the client authenticates in another way than its token_endpoint_auth_method")
}

// enabled finds a client that is not disabled.
func (s *Server) enabled(ctx context.Context, id string) (*storage.Client, error) {
	c, err := s.Store.Client(ctx, id)
	if errors.Is(err, storage.ErrNotFound) || err == nil && c.Disabled {
		return nil, invalidClient(failed)
	}
	return c, err
}

// secretFits compares hashes: secrets are random and long, so that no slow hash is needed, and are compared in constant time. No secret has the
// zero hash of a client without one.
func secretFits(c *storage.Client, secret string) bool {
	given := storage.HashOf(secret)
	return subtle.ConstantTimeCompare(given[:], c.SecretHash[:]) == 1
}
