// Package requestobject reads request objects, by value and by reference (Core §6), and merges them into the
// parameters of an authorization request. A request object is the client's statement: what stands in it counts before
// what stands beside it.
package requestobject

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// Fetcher fetches a document by the guarded client (provider/egress).
type Fetcher interface {
	FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Verifier checks a client's signature (provider/oauth/clientkeys).
type Verifier interface {
	Verify(ctx context.Context, c *storage.Client, token string, algs []string) ([]byte, error)
}

// Reader reads request objects.
type Reader struct {
	Issuer   string
	Fetcher  Fetcher
	Verifier Verifier
	Algs     []string // accepted where the client registered none in particular; "none" apart
	Now      func() time.Time
}

const (
	maxObjectSize = 16 << 10    // bytes
	maxObjectAge  = time.Minute // of one at a request_uri
	clockSkew     = time.Minute
)

// Merge puts the members of a request object, if there is one, over the parameters. On an error the parameters are
// returned as they came.
func (r *Reader) Merge(
	ctx context.Context,
	params url.Values,
	findClient func(context.Context, string) (*storage.Client, error),
) (url.Values, error) {
	token, requestURI := params.Get("request"), params.Get("request_uri")
	if params.Get("registration") != "" {
		return params, oauthError("registration_not_supported", "register the client first")
	}
	if token == "" && requestURI == "" {
		return params, nil
	}
	if token != "" && requestURI != "" {
		return params, oauthError("invalid_request", "request and request_uri exclude each other")
	}
	client, err := findClient(ctx, params.Get("client_id"))
	if err != nil {
		return params, err
	}
	if requestURI != "" {
		// Only what was registered is fetched, byte for byte: otherwise a caller could make us fetch any URL.
		if !slices.Contains(client.RequestURIs, requestURI) {
			return params, oauthError("invalid_request_uri", "request_uri is not registered for this client")
		}
		body, err := r.Fetcher.FetchBytes(ctx, requestURI, maxObjectSize, maxObjectAge)
		if err != nil {
			return params, web.OAuthError{
				Code:        "invalid_request_uri",
				Description: "request_uri cannot be read",
				Err:         err,
			}.About(
				"request_uri",
			)
		}
		token = string(bytes.TrimSpace(body))
	}
	members, err := r.read(ctx, client, token)
	if err != nil {
		return params, err
	}
	return r.merge(params, members)
}

// read checks the object's signature and claims. Unsigned ones are good only for clients that registered no algorithm
// or "none".
func (r *Reader) read(ctx context.Context, client *storage.Client, token string) (map[string]any, error) {
	invalid := func(description string) error { return oauthError("invalid_request_object", description) }
	if len(token) > maxObjectSize || strings.Count(token, ".") != 2 || !keys.IsCompactJWS(token) {
		return nil, invalid("the request object is not a JWT of at most 16 kB")
	}
	var header struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}
	head, body, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || json.Unmarshal(raw, &header) != nil {
		return nil, invalid("the header of the request object cannot be read")
	}
	if header.Typ != "" && !strings.EqualFold(header.Typ, "JWT") &&
		!strings.EqualFold(header.Typ, "oauth-authz-req+jwt") { // RFC 9101 §10.8
		return nil, invalid("typ of the request object must be JWT or oauth-authz-req+jwt, or be left out")
	}
	if wantAlg := client.RequestObjectSigningAlg; wantAlg != "" && wantAlg != header.Alg {
		return nil, invalid("the request object is not signed as registered (request_object_signing_alg)")
	}
	var payload []byte
	if header.Alg == "none" {
		claims, signature, _ := strings.Cut(body, ".")
		if payload, err = base64.RawURLEncoding.DecodeString(claims); err != nil || signature != "" {
			return nil, invalid("the request object cannot be read")
		}
	} else if payload, err = r.Verifier.Verify(ctx, client, token, r.Algs); isFetchError(err) {
		e := web.OAuthError{Code: "temporarily_unavailable", Description: "the jwks_uri of the client cannot be read just now", Reason: err.Error()}
		return nil, e.About("request")
	} else if err != nil {
		e := web.OAuthError{Code: "invalid_request_object", Description: "the signature of the request object matches no key of the client", Err: err}
		return nil, e.About("request")
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return nil, invalid("the claims of the request object are not a JSON object")
	}
	var claims struct {
		Issuer    *string          `json:"iss"`
		Audience  *tokens.Audience `json:"aud"`
		ExpiresAt *float64         `json:"exp"`
		NotBefore *float64         `json:"nbf"`
	}
	now := float64(r.Now().Unix())
	switch {
	case json.Unmarshal(payload, &claims) != nil:
		return nil, invalid("the claims of the request object cannot be read")
	case claims.Issuer != nil && *claims.Issuer != client.ClientID:
		return nil, invalid("iss of the request object is not the client")
	case claims.Audience != nil && !slices.Contains(*claims.Audience, r.Issuer):
		return nil, invalid("aud of the request object does not name this issuer")
	case claims.ExpiresAt != nil && *claims.ExpiresAt < now-clockSkew.Seconds(),
		claims.NotBefore != nil && *claims.NotBefore > now+clockSkew.Seconds():
		return nil, invalid("the request object has expired or is not valid yet")
	case members["request"] != nil || members["request_uri"] != nil:
		return nil, invalid("a request object holds neither request nor request_uri (Core 6.1)")
	}
	return members, nil
}

// merge lets the object's members count before the parameters. client_id and response_type must be the same where
// both have them (Core §6.1).
func (r *Reader) merge(params url.Values, members map[string]any) (url.Values, error) {
	merged := maps.Clone(params)
	merged.Del("request")
	merged.Del("request_uri")
	for name, value := range members {
		// null is a member without a value, which is none (Core §13.3).
		if value == nil || slices.Contains([]string{"iss", "aud", "exp", "nbf", "iat", "jti"}, name) {
			continue
		}
		var text string
		switch value := value.(type) {
		case string:
			text = value
		case json.Number:
			text = value.String()
		default:
			raw, err := json.Marshal(value)
			if err != nil {
				return params, err
			}
			text = string(raw)
		}
		if (name == "client_id" || name == "response_type") && params.Get(name) != "" && params.Get(name) != text {
			return params, oauthError("invalid_request", name+" differs between the request object and the parameters")
		}
		merged.Set(name, text)
	}
	return merged, nil
}

// isFetchError reports whether the keys of the client could not be fetched, so that nothing is known about the
// signature.
func isFetchError(err error) bool {
	_, ok := errors.AsType[*egress.Error](err)
	return ok
}

func oauthError(code, description string) error {
	param := "request"
	if code == "invalid_request_uri" {
		param = "request_uri"
	}
	return web.OAuthError{Code: code, Description: description}.About(param)
}
