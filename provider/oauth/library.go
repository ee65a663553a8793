package oauth

import (
	"context"

	"github.com/zitadel/oidc/v3/pkg/oidc"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/curfew-id/curfew/provider/tokens"
)

// This file contains the methods of op.Server that the library's routes call. Each calls a method of this package and
// converts its error for the library.

// VerifyClient authenticates the client of a token or revocation request.
func (s *Server) VerifyClient(ctx context.Context, r *op.Request[op.ClientCredentials]) (op.Client, error) {
	sequence, err := s.Store.Sequence(ctx)
	if err != nil {
		return nil, refuse(ctx, err)
	}
	c, err := s.verifyClient(ctx, r.URL.Path, r.Header, r.Form)
	if err != nil {
		return nil, refuse(ctx, err)
	}
	return opClient{record: c, sequence: sequence}, nil
}

// CodeExchange handles grant_type authorization_code.
func (s *Server) CodeExchange(ctx context.Context, r *op.ClientRequest[oidc.AccessTokenRequest]) (*op.Response, error) {
	response, err := s.exchangeCode(ctx, r.Client.(opClient).record, r.Data, r.Form["resource"])
	return newTokenResponse(ctx, response, err)
}

// RefreshToken handles grant_type refresh_token.
func (s *Server) RefreshToken(
	ctx context.Context,
	r *op.ClientRequest[oidc.RefreshTokenRequest],
) (*op.Response, error) {
	response, err := s.refresh(ctx, r.Client.(opClient).record, r.Data.RefreshToken, r.Form)
	return newTokenResponse(ctx, response, err)
}

// ClientCredentialsExchange handles grant_type client_credentials.
func (s *Server) ClientCredentialsExchange(
	ctx context.Context,
	r *op.ClientRequest[oidc.ClientCredentialsRequest],
) (*op.Response, error) {
	c := r.Client.(opClient)
	response, err := s.issueClientToken(ctx, c.record, c.sequence, r.Form)
	return newTokenResponse(ctx, response, err)
}

// Introspect handles an introspection request.
func (s *Server) Introspect(ctx context.Context, r *op.Request[op.IntrospectionRequest]) (*op.Response, error) {
	response, err := s.introspect(ctx, r.Header, r.Form, r.Data.Token)
	if err != nil {
		return nil, refuse(ctx, err)
	}
	return op.NewResponse(response), nil
}

// Revocation handles a revocation request.
func (s *Server) Revocation(ctx context.Context, r *op.ClientRequest[oidc.RevocationRequest]) (*op.Response, error) {
	if err := s.revoke(ctx, r.Client.(opClient).record, r.Data.Token); err != nil {
		return nil, refuse(ctx, err)
	}
	return op.NewResponse(nil), nil
}

// newTokenResponse returns the library's response to a token request. If err comes from signing, the grant is stored
// but its tokens are not sent. The code or refresh token counts as used, so a retry is refused.
func newTokenResponse(ctx context.Context, response tokens.Response, err error) (*op.Response, error) {
	if err != nil {
		return nil, refuse(ctx, err)
	}
	return op.NewResponse(response), nil
}
