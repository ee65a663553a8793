// Package requestobject reads request objects, passed by value or by reference (Core §6), and merges them into the
// parameters of an authorization request. A value in the request object takes precedence over the parameter.
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

// Fetcher fetches a document over HTTPS (provider/egress).
type Fetcher interface {
	FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Verifier verifies a client's signature and returns the payload (provider/oauth/clientkeys).
type Verifier interface {
	Verify(ctx context.Context, c *storage.Client, token string, algs []string) ([]byte, error)
}

// Reader reads request objects.
type Reader struct {
	Issuer      string
	Fetcher     Fetcher
	SelfFetcher Fetcher // for clients that registered themselves
	Verifier    Verifier
	Algs        []string // accepted signature algorithms; an unsigned request object needs none of them
	Now         func() time.Time
}

const (
	maxObjectSize = 16 << 10    // bytes
	maxObjectAge  = time.Minute // how long a fetched request object may be cached
	clockSkew     = time.Minute // tolerated difference to the client's clock
)

// Merge returns the parameters with the members of the request object set on them. Without a request object, or on an
// error, it returns the parameters unchanged.
func (r *Reader) Merge(
	ctx context.Context,
	params url.Values,
	findClient func(context.Context, string) (*storage.Client, error),
) (url.Values, error) {
	token := params.Get("request")
	requestURI := params.Get("request_uri")
	if params.Get("registration") != "" {
		return params, web.OAuthError{
			Code:        "registration_not_supported",
			Description: "register the client first",
		}.About("registration")
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
		token, err = r.fetch(ctx, client, requestURI)
		if err != nil {
			return params, err
		}
	}
	members, err := r.read(ctx, client, token)
	if err != nil && requestURI != "" && client.Dynamic {
		return params, unusableRequestURI(client, err)
	}
	if err != nil {
		return params, err
	}
	return r.merge(params, members)
}

// fetch returns the request object at request_uri.
func (r *Reader) fetch(ctx context.Context, client *storage.Client, requestURI string) (string, error) {
	// Only a registered URI is fetched, compared byte for byte: otherwise a caller could make Curfew fetch any URL.
	if !slices.Contains(client.RequestURIs, requestURI) {
		return "", oauthError("invalid_request_uri", "request_uri is not registered for this client")
	}
	fetcher := r.Fetcher
	if client.Dynamic {
		fetcher = r.SelfFetcher
	}
	body, err := fetcher.FetchBytes(ctx, requestURI, maxObjectSize, maxObjectAge)
	if err != nil {
		return "", unusableRequestURI(client, err)
	}
	return string(bytes.TrimSpace(body)), nil
}

// unusableRequestURI returns the error for a request_uri that does not lead to a valid request object. The response to
// a client that registered itself does not say whether the document exists: otherwise strangers could explore other
// hosts through Curfew.
func unusableRequestURI(client *storage.Client, cause error) error {
	e := web.OAuthError{
		Code:        "invalid_request_uri",
		Description: "request_uri cannot be read",
		Err:         cause,
	}
	if client.Dynamic {
		e.Description = "request_uri leads to no request object of the client, or cannot be read"
	}
	return e.About("request_uri")
}

// read verifies the request object and returns its members.
func (r *Reader) read(ctx context.Context, client *storage.Client, token string) (map[string]any, error) {
	payload, err := r.verify(ctx, client, token)
	if err != nil {
		return nil, err
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	if decoder.Decode(&members) != nil {
		return nil, invalidObject("the claims of the request object are not a JSON object")
	}
	if members["request"] != nil || members["request_uri"] != nil {
		return nil, invalidObject("a request object holds neither request nor request_uri (Core 6.1)")
	}
	return members, r.checkClaims(client, payload)
}

// verify checks the header and the signature of the request object and returns its payload. An unsigned request object
// is valid only if the client registered no algorithm or "none".
func (r *Reader) verify(ctx context.Context, client *storage.Client, token string) ([]byte, error) {
	isJWT := strings.Count(token, ".") == 2 && keys.IsCompactJWS(token)
	if !isJWT || len(token) > maxObjectSize {
		return nil, invalidObject("the request object is not a JWT of at most 16 kB")
	}
	var header struct {
		Alg string `json:"alg"`
		Typ string `json:"typ"`
	}
	encodedHeader, payloadAndSignature, _ := strings.Cut(token, ".")
	decodedHeader, err := base64.RawURLEncoding.DecodeString(encodedHeader)
	if err != nil || json.Unmarshal(decodedHeader, &header) != nil {
		return nil, invalidObject("the header of the request object cannot be read")
	}
	switch strings.ToLower(header.Typ) {
	case "", "jwt", "oauth-authz-req+jwt": // RFC 9101 §10.8
	default:
		return nil, invalidObject("typ of the request object must be JWT or oauth-authz-req+jwt, or be left out")
	}
	registeredAlg := client.RequestObjectSigningAlg
	if registeredAlg != "" && registeredAlg != header.Alg {
		return nil, invalidObject("the request object is not signed as registered (request_object_signing_alg)")
	}
	if header.Alg == "none" {
		encodedPayload, signature, _ := strings.Cut(payloadAndSignature, ".")
		payload, err := base64.RawURLEncoding.DecodeString(encodedPayload)
		if err != nil || signature != "" {
			return nil, invalidObject("the request object cannot be read")
		}
		return payload, nil
	}
	payload, err := r.Verifier.Verify(ctx, client, token, r.Algs)
	if isFetchError(err) {
		return nil, web.OAuthError{
			Code:        "temporarily_unavailable",
			Description: "the jwks_uri of the client cannot be read just now",
			Reason:      err.Error(),
		}.About("request")
	}
	if err != nil {
		return nil, web.OAuthError{
			Code:        "invalid_request_object",
			Description: "the signature of the request object matches no key of the client",
			Err:         err,
		}.About("request")
	}
	return payload, nil
}

// checkClaims checks iss, aud, exp and nbf. Each of them may be absent.
func (r *Reader) checkClaims(client *storage.Client, payload []byte) error {
	var claims struct {
		Issuer    *string          `json:"iss"`
		Audience  *tokens.Audience `json:"aud"`
		ExpiresAt *float64         `json:"exp"`
		NotBefore *float64         `json:"nbf"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return invalidObject("the claims of the request object cannot be read")
	}
	now := float64(r.Now().Unix())
	expired := claims.ExpiresAt != nil && *claims.ExpiresAt < now-clockSkew.Seconds()
	tooEarly := claims.NotBefore != nil && *claims.NotBefore > now+clockSkew.Seconds()
	switch {
	case claims.Issuer != nil && *claims.Issuer != client.ClientID:
		return invalidObject("iss of the request object is not the client")
	case claims.Audience != nil && !slices.Contains(*claims.Audience, r.Issuer):
		return invalidObject("aud of the request object does not name this issuer")
	case expired || tooEarly:
		return invalidObject("the request object has expired or is not valid yet")
	}
	return nil
}

// jwtClaims are the members of a request object that are not parameters of the request.
var jwtClaims = []string{"iss", "aud", "exp", "nbf", "iat", "jti"}

// merge returns the parameters with the members of the request object set on them. client_id and response_type must be
// equal if both contain them (Core §6.1).
func (r *Reader) merge(params url.Values, members map[string]any) (url.Values, error) {
	merged := maps.Clone(params)
	merged.Del("request")
	merged.Del("request_uri")
	for name, value := range members {
		if value == nil || slices.Contains(jwtClaims, name) { // Core §13.3: a member with value null counts as absent
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
		mustBeEqual := name == "client_id" || name == "response_type"
		differs := params.Get(name) != "" && params.Get(name) != text
		if mustBeEqual && differs {
			return params, oauthError("invalid_request", name+" differs between the request object and the parameters")
		}
		merged.Set(name, text)
	}
	return merged, nil
}

// isFetchError reports whether the client's keys could not be fetched, so that the signature could not be checked.
func isFetchError(err error) bool {
	_, ok := errors.AsType[*egress.Error](err)
	return ok
}

// invalidObject returns the error for a request object that is not valid.
func invalidObject(description string) error {
	return oauthError("invalid_request_object", description)
}

// oauthError returns an error about the parameter request or, for code invalid_request_uri, about request_uri.
func oauthError(code, description string) error {
	param := "request"
	if code == "invalid_request_uri" {
		param = "request_uri"
	}
	return web.OAuthError{Code: code, Description: description}.About(param)
}
