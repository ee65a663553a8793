package admin

import (
	"context"
	"iter"
	"net/http"
	"net/url"

	"github.com/curfew-id/curfew/storage"
)

// AddUser calls POST /users. members are claims of Core §5.1, password, and sub to import an existing subject.
func (c *Client) AddUser(ctx context.Context, members any) (User, error) {
	return call[User](ctx, c, http.MethodPost, "/users", nil, members)
}

// Users lists GET /users: the members of a group, or all users if group is empty.
func (c *Client) Users(ctx context.Context, group string) iter.Seq2[User, error] {
	query := url.Values{}
	if group != "" {
		query.Set("group", group)
	}
	return listAll(ctx, c, "/users", query, func(l UserList) ([]User, string) { return l.Users, l.Next })
}

// User calls GET /users/{user}. In all methods, user is a subject, login name or e-mail address.
func (c *Client) User(ctx context.Context, user string) (User, error) {
	return call[User](ctx, c, http.MethodGet, joinPath("users", user), nil, nil)
}

// ChangeUser calls PATCH /users/{user}. A null removes a member (RFC 7396).
func (c *Client) ChangeUser(ctx context.Context, user string, members any) (User, error) {
	return call[User](ctx, c, http.MethodPatch, joinPath("users", user), nil, members)
}

// SetPassword calls POST /users/{user}/password.
func (c *Client) SetPassword(ctx context.Context, user string, change PasswordChange) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("users", user, "password"), nil, change)
}

// DisableUser calls POST /users/{user}/disable.
func (c *Client) DisableUser(ctx context.Context, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("users", user, "disable"), nil, nil)
}

// EnableUser calls POST /users/{user}/enable.
func (c *Client) EnableUser(ctx context.Context, user string) (User, error) {
	return call[User](ctx, c, http.MethodPost, joinPath("users", user, "enable"), nil, nil)
}

// RemoveUser calls DELETE /users/{user}.
func (c *Client) RemoveUser(ctx context.Context, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("users", user), nil, nil)
}

// Invite calls POST /invitations.
func (c *Client) Invite(ctx context.Context, request InvitationRequest) (Invitation, error) {
	return call[Invitation](ctx, c, http.MethodPost, "/invitations", nil, request)
}

// MakeEnrolLink calls POST /users/{user}/enrol-link.
func (c *Client) MakeEnrolLink(ctx context.Context, user string, request ResetLinkRequest) (ResetLink, error) {
	return call[ResetLink](ctx, c, http.MethodPost, joinPath("users", user, "enrol-link"), nil, request)
}

// MakeResetLink calls POST /users/{user}/reset-link.
func (c *Client) MakeResetLink(ctx context.Context, user string, request ResetLinkRequest) (ResetLink, error) {
	return call[ResetLink](ctx, c, http.MethodPost, joinPath("users", user, "reset-link"), nil, request)
}

// Factors calls GET /users/{user}/factors.
func (c *Client) Factors(ctx context.Context, user string) (FactorList, error) {
	return call[FactorList](ctx, c, http.MethodGet, joinPath("users", user, "factors"), nil, nil)
}

// RemoveFactor calls DELETE /users/{user}/factors/{factor}. factor is the ID of a factor, or "all".
func (c *Client) RemoveFactor(ctx context.Context, user, factor string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("users", user, "factors", factor), nil, nil)
}

// Groups calls GET /groups.
func (c *Client) Groups(ctx context.Context) ([]Group, error) {
	list, err := call[GroupList](ctx, c, http.MethodGet, "/groups", nil, nil)
	return list.Groups, err
}

// Scopes calls GET /scopes.
func (c *Client) Scopes(ctx context.Context) ([]storage.APIScope, error) {
	list, err := call[ScopeList](ctx, c, http.MethodGet, "/scopes", nil, nil)
	return list.Scopes, err
}

// JoinGroup calls PUT /groups/{group}/members/{user}.
func (c *Client) JoinGroup(ctx context.Context, group, user string) (User, error) {
	return call[User](ctx, c, http.MethodPut, joinPath("groups", group, "members", user), nil, nil)
}

// LeaveGroup calls DELETE /groups/{group}/members/{user}.
func (c *Client) LeaveGroup(ctx context.Context, group, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("groups", group, "members", user), nil, nil)
}
