package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
)

// ErrUnreachable means that no server answers at the socket.
var ErrUnreachable = errors.New("no server answers")

// Client calls the API of a running provider. Errors that the API answers are of type *[Error].
type Client struct {
	Socket string // path of the Unix socket
}

// Do sends a request with in as its JSON body, and decodes the answer into out. Both may be nil.
func (c *Client) Do(ctx context.Context, method, path string, query url.Values, in, out any) error {
	resp, err := c.send(ctx, method, path, query, in)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(resp.Body).Decode(out); err != nil {
		return fmt.Errorf("read answer to %s %s: %w", method, path, err)
	}
	return nil
}

// Raw sends a GET request and returns the body of the answer, which the caller closes.
func (c *Client) Raw(ctx context.Context, path string, query url.Values) (io.ReadCloser, error) {
	resp, err := c.send(ctx, http.MethodGet, path, query, nil)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func (c *Client) send(ctx context.Context, method, path string, query url.Values, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(encoded)
	}
	target := "http://curfew" + path // the host has no meaning on a Unix socket
	if len(query) > 0 {
		target += "?" + query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	transport := &http.Transport{
		DisableKeepAlives: true, // a command makes one or two requests and ends
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
		},
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		opErr, ok := errors.AsType[*net.OpError](err)
		if ok && opErr.Op == "dial" {
			return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.Socket, opErr.Err)
		}
		return nil, fmt.Errorf("call %s %s: %w", method, path, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, readError(resp, method, path)
}

// maxErrorBody is how many bytes of the body of an error answer the client reads.
const maxErrorBody = 1 << 20

// readError returns the *Error in an answer, or a plain error if the answer has none.
func readError(resp *http.Response, method, path string) error {
	var body errorResponse
	err := json.NewDecoder(io.LimitReader(resp.Body, maxErrorBody)).Decode(&body)
	if err != nil || body.Error == nil {
		return fmt.Errorf("call %s %s: answered %s", method, path, resp.Status)
	}
	body.Error.Status = resp.StatusCode
	return body.Error
}

// joinPath returns the path of the parts. It escapes each part, so a part may have any character.
func joinPath(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// call sends a request like Do and returns the decoded answer.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (T, error) {
	var out T
	err := c.Do(ctx, method, path, query, in, &out)
	return out, err
}

// listAll returns all items of a listing, whose pages it reads one after the other. unpack returns the items of a page
// and the parameter after of the next page.
func listAll[T, L any](
	ctx context.Context,
	c *Client,
	path string,
	query url.Values,
	unpack func(L) (items []T, next string),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		pageQuery := url.Values{}
		maps.Copy(pageQuery, query)
		pageQuery.Set("limit", strconv.Itoa(maxLimit))
		for {
			list, err := call[L](ctx, c, http.MethodGet, path, pageQuery, nil)
			if err != nil {
				var zero T
				yield(zero, err)
				return
			}
			items, next := unpack(list)
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if next == "" {
				return
			}
			pageQuery.Set("after", next)
		}
	}
}

// Status calls GET /status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status", nil, nil)
}

// Diagnose calls GET /doctor for one client, or for all clients if client is empty. With probe, the server sends a
// request to each logout endpoint.
func (c *Client) Diagnose(ctx context.Context, client string, probe bool) (Diagnosis, error) {
	query := url.Values{"probe": {strconv.FormatBool(probe)}}
	if client != "" {
		query.Set("client", client)
	}
	return call[Diagnosis](ctx, c, http.MethodGet, "/doctor", query, nil)
}

// Backup calls GET /backup. The caller closes the answer. Package storage/backup reads it, and notices if it was cut
// short.
func (c *Client) Backup(ctx context.Context) (io.ReadCloser, error) {
	return c.Raw(ctx, "/backup", nil)
}

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

// JoinGroup calls PUT /groups/{group}/members/{user}.
func (c *Client) JoinGroup(ctx context.Context, group, user string) (User, error) {
	return call[User](ctx, c, http.MethodPut, joinPath("groups", group, "members", user), nil, nil)
}

// LeaveGroup calls DELETE /groups/{group}/members/{user}.
func (c *Client) LeaveGroup(ctx context.Context, group, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("groups", group, "members", user), nil, nil)
}

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
func (c *Client) Refusals(ctx context.Context, client string) ([]web.ClientRefusal, error) {
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

// Sessions lists GET /sessions. query may have user and client.
func (c *Client) Sessions(ctx context.Context, query url.Values) iter.Seq2[Session, error] {
	return listAll(ctx, c, "/sessions", query, func(l SessionList) ([]Session, string) { return l.Sessions, l.Next })
}

// Session calls GET /sessions/{session}. With includeOffline, the horizon assumes that offline access ends too.
func (c *Client) Session(ctx context.Context, id string, includeOffline bool) (Session, error) {
	query := url.Values{"include_offline": {strconv.FormatBool(includeOffline)}}
	return call[Session](ctx, c, http.MethodGet, joinPath("sessions", id), query, nil)
}

// Terminate calls POST /logouts.
func (c *Client) Terminate(ctx context.Context, request TerminationRequest) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, "/logouts", nil, request)
}

// BulkLogouts calls GET /logouts.
func (c *Client) BulkLogouts(ctx context.Context) ([]BulkLogout, error) {
	list, err := call[BulkLogoutList](ctx, c, http.MethodGet, "/logouts", nil, nil)
	return list.BulkLogouts, err
}

// Reports lists GET /reports. query may have user, client and cause.
func (c *Client) Reports(ctx context.Context, query url.Values) iter.Seq2[Report, error] {
	return listAll(ctx, c, "/reports", query, func(l ReportList) ([]Report, string) { return l.Reports, l.Next })
}

// Report calls GET /reports/{report}.
func (c *Client) Report(ctx context.Context, id string) (Report, error) {
	return call[Report](ctx, c, http.MethodGet, joinPath("reports", id), nil, nil)
}

// SignedReport calls GET /reports/{report}/signed and returns the JWT.
func (c *Client) SignedReport(ctx context.Context, id string) (string, error) {
	body, err := c.Raw(ctx, joinPath("reports", id, "signed"), nil)
	if err != nil {
		return "", err
	}
	defer body.Close()
	token, err := io.ReadAll(body)
	if err != nil {
		return "", fmt.Errorf("read signed report: %w", err)
	}
	return string(token), nil
}

// Deliveries lists GET /deliveries. query may have state, client and report.
func (c *Client) Deliveries(ctx context.Context, query url.Values) iter.Seq2[Delivery, error] {
	unpack := func(l DeliveryList) ([]Delivery, string) { return l.Deliveries, l.Next }
	return listAll(ctx, c, "/deliveries", query, unpack)
}

// Delivery calls GET /deliveries/{delivery}.
func (c *Client) Delivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodGet, joinPath("deliveries", id), nil, nil)
}

// RetryDelivery calls POST /deliveries/{delivery}/retry.
func (c *Client) RetryDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "retry"), nil, nil)
}

// CancelDelivery calls POST /deliveries/{delivery}/cancel.
func (c *Client) CancelDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "cancel"), nil, nil)
}

// Keys calls GET /keys.
func (c *Client) Keys(ctx context.Context) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodGet, "/keys", nil, nil)
}

// RotateKeys calls POST /keys/rotate.
func (c *Client) RotateKeys(ctx context.Context, request RotateRequest) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodPost, "/keys/rotate", nil, request)
}

// RevokeKey calls DELETE /keys/{key}.
func (c *Client) RevokeKey(ctx context.Context, id string) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodDelete, joinPath("keys", id), nil, nil)
}

// Events lists GET /events. query may have kind, user, client, session, reason, since, until and newest.
func (c *Client) Events(ctx context.Context, query url.Values) iter.Seq2[storage.Event, error] {
	unpack := func(l EventList) ([]storage.Event, string) { return l.Events, l.Next }
	return listAll(ctx, c, "/events", query, unpack)
}

// ExportEvents calls GET /events/export and returns JSON lines, which the caller closes.
func (c *Client) ExportEvents(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	return c.Raw(ctx, "/events/export", query)
}

// VerifyEvents calls GET /events/verify. since is a checkpoint that the trail must reach; it may be empty.
func (c *Client) VerifyEvents(ctx context.Context, since string) (Verification, error) {
	query := url.Values{}
	if since != "" {
		query.Set("since", since)
	}
	return call[Verification](ctx, c, http.MethodGet, "/events/verify", query, nil)
}
