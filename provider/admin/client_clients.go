package admin

import (
	"context"
	"iter"
	"net/http"

	"github.com/curfew-id/curfew/storage"
)

// AddClient calls POST /clients. members are client metadata, and client_secret to import an existing secret.
func (c *Client) AddClient(ctx context.Context, members any) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, "/clients", nil, members)
}

// Clients lists GET /clients.
func (c *Client) Clients(ctx context.Context) iter.Seq2[ClientRecord, error] {
	return listAll(ctx, c, "/clients", nil, func(l ClientList) ([]ClientRecord, string) { return l.Clients, l.Next })
}

// Client calls GET /clients/{client}.
func (c *Client) Client(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodGet, joinPath("clients", client), nil, nil)
}

// ChangeClient calls PATCH /clients/{client}. A null removes a member (RFC 7396).
func (c *Client) ChangeClient(ctx context.Context, client string, members any) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPatch, joinPath("clients", client), nil, members)
}

// RotateSecret calls POST /clients/{client}/secret.
func (c *Client) RotateSecret(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, joinPath("clients", client, "secret"), nil, nil)
}

// DisableClient calls POST /clients/{client}/disable.
func (c *Client) DisableClient(ctx context.Context, client string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("clients", client, "disable"), nil, nil)
}

// EnableClient calls POST /clients/{client}/enable.
func (c *Client) EnableClient(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, joinPath("clients", client, "enable"), nil, nil)
}

// RemoveClient calls DELETE /clients/{client}.
func (c *Client) RemoveClient(ctx context.Context, client string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("clients", client), nil, nil)
}

// Refusals calls GET /clients/{client}/refusals.
func (c *Client) Refusals(ctx context.Context, client string) ([]storage.ClientRefusal, error) {
	list, err := call[RefusalList](ctx, c, http.MethodGet, joinPath("clients", client, "refusals"), nil, nil)
	return list.Refusals, err
}

// TestLogout calls POST /clients/{client}/test-logout.
func (c *Client) TestLogout(ctx context.Context, client string) (LogoutTestResult, error) {
	return call[LogoutTestResult](ctx, c, http.MethodPost, joinPath("clients", client, "test-logout"), nil, nil)
}

// InitialAccessTokens calls GET /initial-access-tokens.
func (c *Client) InitialAccessTokens(ctx context.Context) ([]InitialAccessToken, error) {
	list, err := call[InitialAccessTokenList](ctx, c, http.MethodGet, "/initial-access-tokens", nil, nil)
	return list.Tokens, err
}

// AddInitialAccessToken calls POST /initial-access-tokens.
func (c *Client) AddInitialAccessToken(
	ctx context.Context,
	request InitialAccessTokenRequest,
) (InitialAccessToken, error) {
	return call[InitialAccessToken](ctx, c, http.MethodPost, "/initial-access-tokens", nil, request)
}

// RemoveInitialAccessToken calls DELETE /initial-access-tokens/{name}.
func (c *Client) RemoveInitialAccessToken(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodDelete, joinPath("initial-access-tokens", name), nil, nil, nil)
}
