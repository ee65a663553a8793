package upstream

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// The paths that an upstream calls or redirects to. {upstream} is the id of the upstream.
const (
	CallbackPath     = "/upstream/{upstream}/callback"
	BackchannelPath  = "/upstream/{upstream}/backchannel_logout"
	FrontchannelPath = "/upstream/{upstream}/frontchannel_logout"
	SignedOutPath    = "/upstream/{upstream}/signed_out"
)

// url returns the absolute URL of a path.
func (p *Provider) url(path string) string {
	return p.Issued + strings.ReplaceAll(path, "{upstream}", p.ID)
}

// Flow has the values of one authorization request that are needed to check its response. The state parameter carries
// it, sealed and bound to the browser and the upstream.
type Flow struct {
	Nonce    string `json:"n"`
	Verifier string `json:"v"`           // PKCE (RFC 7636 §4.1)
	Force    bool   `json:"f,omitempty"` // the upstream must authenticate the user again (prompt=login)
	Started  int64  `json:"s"`           // Unix milliseconds
	Session  string `json:"r,omitempty"` // of a silent check: the storage.SessionID that is checked
}

// NewFlow returns the values for a new authorization request. With force the upstream must authenticate the user again.
func (p *Provider) NewFlow(force bool) Flow {
	return Flow{
		Nonce:    keys.Random(),
		Verifier: keys.Random(),
		Force:    force,
		Started:  p.Now().UnixMilli(),
	}
}

// NewSilentFlow returns the values for a silent check of a session (prompt=none).
func (p *Provider) NewSilentFlow(session string) Flow {
	flow := p.NewFlow(false)
	flow.Session = session
	return flow
}

// maxHint is the maximum length of an id_token_hint in a URL, in bytes. Longer ones are left out: the parameter is only
// recommended with prompt=none (Core §3.1.2.1).
const maxHint = 3000

// SilentURL returns the URL of an authorization request that shows no page. The hint lets the upstream refuse if
// another user is signed in there. The error is ErrUnavailable.
func (p *Provider) SilentURL(
	ctx context.Context,
	flow Flow,
	state string,
	session storage.UpstreamSession,
) (string, error) {
	target, err := p.AuthorizationURL(ctx, flow, state, "")
	if err != nil {
		return "", err
	}
	q := url.Values{"prompt": {"none"}}
	hint, err := p.Keys.UnwrapIDToken(session.Issuer, session.Subject, session.IDToken)
	if err == nil && len(hint) <= maxHint {
		q.Set("id_token_hint", string(hint))
	}
	return withQuery(target, q), nil
}

// AuthorizationURL returns the URL of the authorization request (Core §3.1.2.1). loginHint may be empty. The error is
// ErrUnavailable.
func (p *Provider) AuthorizationURL(ctx context.Context, flow Flow, state, loginHint string) (string, error) {
	m, err := p.metadata(ctx)
	if err != nil {
		return "", err
	}
	challenge := sha256.Sum256([]byte(flow.Verifier))
	q := url.Values{
		"client_id":             {p.ClientID},
		"redirect_uri":          {p.url(CallbackPath)},
		"response_type":         {"code"},
		"scope":                 {strings.Join(p.scopes(), " ")},
		"state":                 {state},
		"nonce":                 {flow.Nonce},
		"code_challenge":        {base64.RawURLEncoding.EncodeToString(challenge[:])},
		"code_challenge_method": {"S256"},
	}
	if loginHint != "" {
		q.Set("login_hint", loginHint)
	}
	if flow.Force { // with max_age the ID token must have auth_time (Core §2)
		q.Set("prompt", "login")
		q.Set("max_age", "0")
	}
	return withQuery(m.AuthorizationEndpoint, q), nil
}

// scopes returns the scopes of the authorization request.
func (p *Provider) scopes() []string {
	if len(p.Scopes) > 0 {
		return p.Scopes
	}
	return []string{"openid", "profile", "email"}
}

// withQuery adds parameters to an endpoint, which may have some already (RFC 6749 §3.1).
func withQuery(endpoint string, q url.Values) string {
	separator := "?"
	if strings.Contains(endpoint, "?") {
		separator = "&"
	}
	return endpoint + separator + q.Encode()
}
