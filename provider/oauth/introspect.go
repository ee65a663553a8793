package oauth

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// introspectionResponse is an introspection response (RFC 7662 §2.2). With sid, auth_time, acr and amr a resource
// server can react to ended sessions and ask for a new authentication.
type introspectionResponse struct {
	Active    bool            `json:"active"`
	Scope     string          `json:"scope,omitempty"`
	Client    string          `json:"client_id,omitempty"`
	TokenType string          `json:"token_type,omitempty"`
	Expires   int64           `json:"exp,omitempty"`
	Issued    int64           `json:"iat,omitempty"`
	Subject   string          `json:"sub,omitempty"`
	Audience  tokens.Audience `json:"aud,omitempty"`
	Issuer    string          `json:"iss,omitempty"`
	ID        string          `json:"jti,omitempty"`
	SID       string          `json:"sid,omitempty"`
	AuthTime  int64           `json:"auth_time,omitempty"`
	ACR       string          `json:"acr,omitempty"`
	AMR       []string        `json:"amr,omitempty"`

	userClaims map[string]any // of the client's access_token_claims; the members above win
}

// MarshalJSON adds the claims about the user.
func (r introspectionResponse) MarshalJSON() ([]byte, error) {
	type members introspectionResponse // without this method
	raw, err := json.Marshal(members(r))
	if err != nil || len(r.userClaims) == 0 {
		return raw, err
	}
	all := maps.Clone(r.userClaims)
	if err := json.Unmarshal(raw, &all); err != nil { // replaces only the members in raw
		return nil, err
	}
	return json.Marshal(all)
}

// introspect describes a token to the client that it was issued to, and to the clients in that client's metadata
// parameter introspect. For any other token the response is exactly {"active":false}.
func (s *Server) introspect(
	ctx context.Context,
	header http.Header,
	form url.Values,
	token string,
) (response introspectionResponse, err error) {
	caller, err := s.authenticateClient(ctx, header, form)
	if err != nil {
		return response, err
	}
	// token_type_hint is ignored: the prefix of the token shows its kind.
	if looksLikeToken(token, tokens.RefreshPrefix) {
		response, err = s.introspectRefresh(ctx, caller, token)
	} else {
		response, err = s.introspectAccess(ctx, caller, token)
	}
	if errors.Is(err, storage.ErrNotFound) {
		return introspectionResponse{}, nil
	}
	return response, err
}

// introspectAccess describes an access token.
func (s *Server) introspectAccess(
	ctx context.Context,
	caller *storage.Client,
	token string,
) (introspectionResponse, error) {
	active, err := s.lookupToken(ctx, token)
	if err != nil {
		return introspectionResponse{}, err
	}
	isOwner := active.token.Client == caller.ClientID
	if !isOwner && !slices.Contains(active.client.Introspect, caller.ClientID) {
		return introspectionResponse{}, nil
	}
	response := introspectionResponse{
		Active:    true,
		Scope:     strings.Join(active.token.Scope, " "),
		Client:    active.token.Client,
		TokenType: "Bearer",
		Expires:   active.token.Expires.Unix(),
		Issued:    active.token.Issued.Unix(),
		Subject:   active.client.ClientID, // for client_credentials; addAuthentication replaces it by the user
		Audience:  active.token.Audience,
		Issuer:    s.Issuer,
		ID:        active.jti,
		SID:       active.token.SID,
	}
	if active.token.Grant != "" {
		s.addAuthentication(&response, active.client, active.grant)
		if response.userClaims, err = s.accessTokenClaims(ctx, active); err != nil {
			return introspectionResponse{}, err
		}
	}
	return response, nil
}

// accessTokenClaims returns the claims about the user of the client's access_token_claims. It reads the user only if
// there are any.
func (s *Server) accessTokenClaims(ctx context.Context, active activeToken) (map[string]any, error) {
	if len(active.client.AccessTokenClaims) == 0 {
		return nil, nil
	}
	user, err := s.Store.User(ctx, active.grant.Subject)
	if err != nil {
		return nil, err
	}
	return tokens.AccessTokenClaims(&user, active.client, active.token.Scope), nil
}

// introspectRefresh describes a refresh token to the client that owns it. For every other caller, also for a resource
// server, the token is inactive.
func (s *Server) introspectRefresh(
	ctx context.Context,
	caller *storage.Client,
	refreshToken string,
) (introspectionResponse, error) {
	g, isCurrent, err := s.Store.GrantByRefresh(ctx, storage.HashOf(refreshToken), s.Now())
	if err != nil {
		return introspectionResponse{}, err
	}
	isOwner := g.Client == caller.ClientID
	if !isCurrent || !isOwner || !caller.MayRefresh(g) {
		return introspectionResponse{}, nil
	}
	scope, err := s.allowedScope(ctx, caller, g, g.Scope)
	if err != nil {
		return introspectionResponse{}, err
	}
	response := introspectionResponse{
		Active: true,
		Scope:  strings.Join(scope, " "),
		Client: g.Client,
		Issuer: s.Issuer,
	}
	if !g.Offline() {
		response.SID = g.SID
	}
	if deadline := g.Deadline(); !deadline.IsZero() {
		response.Expires = deadline.Unix()
	}
	s.addAuthentication(&response, caller, g)
	return response, nil
}

// addAuthentication adds the user and the authentication that the grant records.
func (s *Server) addAuthentication(response *introspectionResponse, c *storage.Client, g storage.Grant) {
	response.Subject = s.Minter.GrantedSubject(g, c)
	response.AuthTime = g.AuthTime.Unix()
	response.ACR = g.ACR
	response.AMR = g.AMR
}
