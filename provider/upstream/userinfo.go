package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
)

// maxUserInfoBytes is the maximum length of a UserInfo response.
const maxUserInfoBytes = 256 << 10

// Complete adds the claims of the UserInfo endpoint to those of the ID token (Core §5.3). Only an account without a
// link needs them. It does nothing if the upstream has no such endpoint. The error is a *RefusedError or
// ErrUnavailable.
func (p *Provider) Complete(ctx context.Context, account Account) (Account, error) {
	m, err := p.metadata(ctx)
	if err != nil || !isWebURL(m.UserinfoEndpoint) || account.accessToken == "" {
		return account, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, m.UserinfoEndpoint, nil)
	if err != nil {
		return account, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	r.Header.Set("Authorization", "Bearer "+account.accessToken)
	r.Header.Set("Accept", "application/json")
	response, err := p.Egress.HTTPClient().Do(r)
	if err != nil {
		return account, fmt.Errorf("%w: fetch the claims at %s: %w", ErrUnavailable, p.ID, err)
	}
	defer response.Body.Close()
	mediaType, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type"))
	if mediaType == "application/jwt" {
		return account, nil // Curfew does not read signed UserInfo responses
	}
	if response.StatusCode != http.StatusOK {
		return account, refused("the UserInfo endpoint answered %d", response.StatusCode)
	}
	var claims map[string]any
	if err := json.NewDecoder(io.LimitReader(response.Body, maxUserInfoBytes)).Decode(&claims); err != nil {
		return account, refused("the UserInfo response cannot be read: %v", err)
	}
	if claims["sub"] != account.Subject { // Core §5.3.2: a response about another user must not be used
		return account, refused("the UserInfo response is about another user")
	}
	all := maps.Clone(claims)
	maps.Copy(all, account.Claims) // claims of the ID token take precedence, because they are signed
	account.Claims = all
	return account, nil
}
