package machine

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/storage"
)

// introspection is what is said about a token (RFC 7662 §2.2). sid, auth_time, acr and amr let a resource server act on ended sessions and ask for
// a fresh sign-in.
type introspection struct {
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
}

// Introspect tells an authenticated caller about its own tokens and those whose audience names it. All else is exactly {"active":false}: a caller
// learns nothing about what is not meant for it.
func (s *Server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	caller, err := s.authenticate(ctx, r.Header, r.Form)
	if err != nil {
		return nil, refusal(err)
	}
	text := r.Data.Token
	var found introspection
	// token_type_hint is not needed: the token's form tells its kind.
	if opaque(text, tokens.RefreshPrefix) {
		found, err = s.introspectRefresh(ctx, caller, text)
	} else {
		found, err = s.introspectAccess(ctx, caller, text)
	}
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		return nil, refusal(err)
	}
	return op.NewResponse(found), nil
}

func (s *Server) introspectAccess(ctx context.Context, caller *storage.Client, text string) (introspection, error) {
	b, err := s.bearer(ctx, text)
	if err != nil || b.token.Client != caller.ClientID && !slices.Contains(b.token.Audience, caller.ClientID) {
		return introspection{}, err
	}
	found := introspection{Active: true, Scope: strings.Join(b.token.Scope, " "), Client: b.token.Client, TokenType: "Bearer", Expires: b.token.Expires.Unix(),
		Issued: b.token.Issued.Unix(), Subject: b.client.ClientID, Audience: b.token.Audience, Issuer: s.Issuer, ID: b.jti, SID: b.token.SID}
	if b.token.Grant != "" {
		s.describe(&found, b.client, b.grant)
	}
	return found, nil
}

// introspectRefresh tells a client about its own refresh token; a resource server has no business with one.
func (s *Server) introspectRefresh(ctx context.Context, caller *storage.Client, text string) (introspection, error) {
	g, current, err := s.Store.GrantByRefresh(ctx, storage.HashOf(text), s.Now())
	if err != nil || !current || g.Client != caller.ClientID || !tokens.MayRefresh(caller, g) {
		return introspection{}, err
	}
	found := introspection{Active: true, Scope: strings.Join(tokens.Within(caller, g.Scope), " "), Client: g.Client, Issuer: s.Issuer}
	if !g.Offline() {
		found.SID = g.SID
	}
	if end := g.Deadline(); !end.IsZero() {
		found.Expires = end.Unix()
	}
	s.describe(&found, caller, g)
	return found, nil
}

// describe says what a grant says about its person's sign-in.
func (s *Server) describe(found *introspection, c *storage.Client, g storage.Grant) {
	found.Subject = s.Minter.SubjectFor(g.Subject, c)
	found.AuthTime, found.ACR, found.AMR = g.AuthTime.Unix(), g.ACR, g.AMR
}
