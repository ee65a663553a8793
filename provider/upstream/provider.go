package upstream

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/curfew-id/curfew/provider/oauth/clientkeys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// Egress makes the requests to upstreams (provider/egress).
type Egress interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
	HTTPClient() *http.Client
}

// Keys signs client assertions and wraps ID tokens (provider/keys).
type Keys interface {
	Sign(alg, typ string, claims any) (string, error)
	WrapIDToken(issuer, subject string, token []byte) ([]byte, error)
	UnwrapIDToken(issuer, subject string, wrapped []byte) ([]byte, error)
}

// Provider is one upstream.
type Provider struct {
	policy.Upstream
	Issued string // Curfew's own issuer, with which the URLs for the upstream begin
	Egress Egress
	Keys   Keys
	Now    func() time.Time
}

// ErrUnavailable says that an upstream cannot be used at present: it does not answer, or its metadata are wrong.
var ErrUnavailable = errors.New("the upstream cannot be used")

// metadata is the part of an upstream's discovery document that Curfew uses (Discovery 1.0 §3).
type metadata struct {
	Issuer                string `json:"issuer"`
	AuthorizationEndpoint string `json:"authorization_endpoint"`
	TokenEndpoint         string `json:"token_endpoint"`
	UserinfoEndpoint      string `json:"userinfo_endpoint"`
	JWKSURI               string `json:"jwks_uri"`
	EndSessionEndpoint    string `json:"end_session_endpoint"`
	IssParameter          bool   `json:"authorization_response_iss_parameter_supported"` // RFC 9207 §3
	BackchannelLogout     bool   `json:"backchannel_logout_supported"`
	BackchannelSID        bool   `json:"backchannel_logout_session_supported"`
	FrontchannelLogout    bool   `json:"frontchannel_logout_supported"`
	FrontchannelSID       bool   `json:"frontchannel_logout_session_supported"`
}

const (
	maxMetadataBytes = 256 << 10
	maxMetadataAge   = time.Hour
)

// metadata returns the discovery document or, if the upstream does not answer, the last good copy of it.
func (p *Provider) metadata(ctx context.Context) (metadata, error) {
	uri := strings.TrimSuffix(p.Issuer, "/") + "/.well-known/openid-configuration"
	raw, err := p.Egress.FetchJSON(ctx, uri, maxMetadataBytes, maxMetadataAge)
	if err != nil {
		return metadata{}, fmt.Errorf("%w: fetch the metadata of %s: %w", ErrUnavailable, p.ID, err)
	}
	var m metadata
	if err := json.Unmarshal(raw, &m); err != nil {
		return metadata{}, fmt.Errorf("%w: read the metadata of %s: %w", ErrUnavailable, p.ID, err)
	}
	if m.Issuer != p.Issuer { // Discovery 1.0 §4.3
		return metadata{}, fmt.Errorf("%w: the metadata of %s name the issuer %q, not %q",
			ErrUnavailable, p.ID, m.Issuer, p.Issuer)
	}
	for _, endpoint := range []string{m.AuthorizationEndpoint, m.TokenEndpoint, m.JWKSURI} {
		if !isWebURL(endpoint) {
			return metadata{}, fmt.Errorf("%w: the metadata of %s lack an endpoint", ErrUnavailable, p.ID)
		}
	}
	return m, nil
}

// isWebURL reports whether text begins with https:// or http://.
func isWebURL(text string) bool {
	return strings.HasPrefix(text, "https://") || strings.HasPrefix(text, "http://")
}

// verifier returns the verifier of the upstream's ID tokens and logout tokens. It checks signature, issuer, audience
// and expiry.
func (p *Provider) verifier(m metadata) *oidc.IDTokenVerifier {
	algs := p.idTokenAlgs()
	return oidc.NewVerifier(p.Issuer, keySet{p, m.JWKSURI, algs}, &oidc.Config{
		ClientID:             p.ClientID,
		SupportedSigningAlgs: algs,
		Now:                  p.Now,
	})
}

// idTokenAlgs returns the accepted signature algorithms. They never include symmetric algorithms or "none".
func (p *Provider) idTokenAlgs() []string {
	if len(p.IDTokenAlg) > 0 {
		return p.IDTokenAlg
	}
	return SigningAlgs()
}

// SigningAlgs lists the signature algorithms that Curfew can verify.
func SigningAlgs() []string {
	return []string{"RS256", "ES256", "PS256", "EdDSA", "RS384", "RS512", "ES384", "ES512"}
}

// keySet verifies signatures with the keys at an upstream's jwks_uri.
type keySet struct {
	provider *Provider
	uri      string
	algs     []string
}

// VerifySignature implements oidc.KeySet.
func (k keySet) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	keys := clientkeys.Verifier{Fetch: k.provider.Egress}
	publisher := &storage.Client{Metadata: storage.Metadata{ClientID: k.provider.ID, JWKSURI: k.uri}}
	return keys.Verify(ctx, publisher, token, k.algs)
}

// Set has all configured upstreams.
type Set []*Provider

// Find returns the upstream with that id, or nil.
func (s Set) Find(id string) *Provider {
	if i := slices.IndexFunc(s, func(p *Provider) bool { return p.ID == id }); i >= 0 {
		return s[i]
	}
	return nil
}

// Route returns the upstream that has the domain of a domain_hint or, without one, of a login_hint. It returns nil if
// no upstream or several upstreams have the domain.
func (s Set) Route(domainHint, loginHint string) *Provider {
	domain := domainHint
	if domain == "" {
		domain = domainOf(loginHint)
	}
	if domain == "" {
		return nil
	}
	var only *Provider
	for _, p := range s {
		if !p.hasDomain(domain) {
			continue
		}
		if only != nil {
			return nil // a second one
		}
		only = p
	}
	return only
}

// hasDomain reports whether the upstream has the domain.
func (p *Provider) hasDomain(domain string) bool {
	return slices.ContainsFunc(p.Domains, func(d string) bool { return strings.EqualFold(d, domain) })
}

// domainOf returns the domain of an e-mail address, or "" if text is no address.
func domainOf(text string) string {
	if !storage.IsEmail(text) {
		return ""
	}
	return text[strings.LastIndexByte(text, '@')+1:]
}
