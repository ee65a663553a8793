package admin

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// ErrUnreachable: no server answers at the socket.
var ErrUnreachable = errors.New("no server answers")

// Client talks to a running provider through its socket. Errors of the API are of type *[Error].
type Client struct {
	Socket string // path
}

// Do sends a request and reads the answer into out, if it is not nil. in is sent as JSON, unless it is nil.
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

// Raw is like Do for answers that are not JSON. The caller closes the body.
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
		DisableKeepAlives: true, // one command, one request or two
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", c.Socket)
		},
	}
	resp, err := (&http.Client{Transport: transport}).Do(req)
	if err != nil {
		if dial, ok := errors.AsType[*net.OpError](err); ok && dial.Op == "dial" {
			return nil, fmt.Errorf("%w at %s: %w", ErrUnreachable, c.Socket, dial.Err)
		}
		return nil, fmt.Errorf("call %s %s: %w", method, path, err)
	}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	var response errorResponse
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&response); err != nil || response.Error == nil {
		return nil, fmt.Errorf("call %s %s: answered %s", method, path, resp.Status)
	}
	response.Error.Status = resp.StatusCode
	return nil, response.Error
}

// joinPath joins the parts of a path; each may hold any character.
func joinPath(parts ...string) string {
	var b strings.Builder
	for _, p := range parts {
		b.WriteString("/" + url.PathEscape(p))
	}
	return b.String()
}

// call is Do with the answer as its result.
func call[T any](ctx context.Context, c *Client, method, path string, query url.Values, in any) (T, error) {
	var out T
	err := c.Do(ctx, method, path, query, in, &out)
	return out, err
}

// listAll walks a listing to its end, whatever its length.
func listAll[T, L any](
	ctx context.Context,
	c *Client,
	path string,
	query url.Values,
	unpack func(L) ([]T, string),
) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		q := url.Values{}
		for name, values := range query {
			q[name] = values
		}
		q.Set("limit", strconv.Itoa(maxLimit))
		for {
			list, err := call[L](ctx, c, http.MethodGet, path, q, nil)
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
			q.Set("after", next)
		}
	}
}

// Status is GET /status.
func (c *Client) Status(ctx context.Context) (Status, error) {
	return call[Status](ctx, c, http.MethodGet, "/status", nil, nil)
}

// Diagnose is GET /doctor for one client, or (empty) all of them. Without probe no client is called.
func (c *Client) Diagnose(ctx context.Context, client string, probe bool) (Diagnosis, error) {
	q := url.Values{"probe": {strconv.FormatBool(probe)}}
	if client != "" {
		q.Set("client", client)
	}
	return call[Diagnosis](ctx, c, http.MethodGet, "/doctor", q, nil)
}

// AddUser is POST /users; members are claims of Core §5.1, password, and sub where it is to be kept.
func (c *Client) AddUser(ctx context.Context, members any) (User, error) {
	return call[User](ctx, c, http.MethodPost, "/users", nil, members)
}

// Users walks GET /users.
func (c *Client) Users(ctx context.Context) iter.Seq2[User, error] {
	return listAll(ctx, c, "/users", nil, func(l UserList) ([]User, string) { return l.Users, l.Next })
}

// User is GET /users/{user}: by subject, login name or e-mail address, here and below.
func (c *Client) User(ctx context.Context, user string) (User, error) {
	return call[User](ctx, c, http.MethodGet, joinPath("users", user), nil, nil)
}

// ChangeUser is PATCH /users/{user}; null takes a member away.
func (c *Client) ChangeUser(ctx context.Context, user string, members any) (User, error) {
	return call[User](ctx, c, http.MethodPatch, joinPath("users", user), nil, members)
}

// SetPassword is POST /users/{user}/password.
func (c *Client) SetPassword(ctx context.Context, user string, change PasswordChange) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("users", user, "password"), nil, change)
}

// DisableUser is POST /users/{user}/disable.
func (c *Client) DisableUser(ctx context.Context, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("users", user, "disable"), nil, nil)
}

// EnableUser is POST /users/{user}/enable.
func (c *Client) EnableUser(ctx context.Context, user string) (User, error) {
	return call[User](ctx, c, http.MethodPost, joinPath("users", user, "enable"), nil, nil)
}

// RemoveUser is DELETE /users/{user}.
func (c *Client) RemoveUser(ctx context.Context, user string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("users", user), nil, nil)
}

// MakeResetLink is POST /users/{user}/reset-link.
func (c *Client) MakeResetLink(ctx context.Context, user string, q ResetLinkRequest) (ResetLink, error) {
	return call[ResetLink](ctx, c, http.MethodPost, joinPath("users", user, "reset-link"), nil, q)
}

// AddClient is POST /clients; members are client metadata, and client_secret where it is to be kept.
func (c *Client) AddClient(ctx context.Context, members any) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, "/clients", nil, members)
}

// Clients walks GET /clients.
func (c *Client) Clients(ctx context.Context) iter.Seq2[ClientRecord, error] {
	return listAll(ctx, c, "/clients", nil, func(l ClientList) ([]ClientRecord, string) { return l.Clients, l.Next })
}

// Client is GET /clients/{client}.
func (c *Client) Client(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodGet, joinPath("clients", client), nil, nil)
}

// ChangeClient is PATCH /clients/{client}; null takes a member away.
func (c *Client) ChangeClient(ctx context.Context, client string, members any) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPatch, joinPath("clients", client), nil, members)
}

// RotateSecret is POST /clients/{client}/secret.
func (c *Client) RotateSecret(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, joinPath("clients", client, "secret"), nil, nil)
}

// DisableClient is POST /clients/{client}/disable.
func (c *Client) DisableClient(ctx context.Context, client string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, joinPath("clients", client, "disable"), nil, nil)
}

// EnableClient is POST /clients/{client}/enable.
func (c *Client) EnableClient(ctx context.Context, client string) (ClientRecord, error) {
	return call[ClientRecord](ctx, c, http.MethodPost, joinPath("clients", client, "enable"), nil, nil)
}

// RemoveClient is DELETE /clients/{client}.
func (c *Client) RemoveClient(ctx context.Context, client string) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodDelete, joinPath("clients", client), nil, nil)
}

// TestLogout is POST /clients/{client}/test-logout.
func (c *Client) TestLogout(ctx context.Context, client string) (LogoutTestResult, error) {
	return call[LogoutTestResult](ctx, c, http.MethodPost, joinPath("clients", client, "test-logout"), nil, nil)
}

// InitialAccessTokens is GET /initial-access-tokens.
func (c *Client) InitialAccessTokens(ctx context.Context) ([]InitialAccessToken, error) {
	list, err := call[InitialAccessTokenList](ctx, c, http.MethodGet, "/initial-access-tokens", nil, nil)
	return list.Tokens, err
}

// AddInitialAccessToken is POST /initial-access-tokens.
func (c *Client) AddInitialAccessToken(ctx context.Context, q InitialAccessTokenRequest) (InitialAccessToken, error) {
	return call[InitialAccessToken](ctx, c, http.MethodPost, "/initial-access-tokens", nil, q)
}

// RemoveInitialAccessToken is DELETE /initial-access-tokens/{name}.
func (c *Client) RemoveInitialAccessToken(ctx context.Context, name string) error {
	return c.Do(ctx, http.MethodDelete, joinPath("initial-access-tokens", name), nil, nil, nil)
}

// Sessions walks GET /sessions; query may hold user and client.
func (c *Client) Sessions(ctx context.Context, query url.Values) iter.Seq2[Session, error] {
	return listAll(ctx, c, "/sessions", query, func(l SessionList) ([]Session, string) { return l.Sessions, l.Next })
}

// Session is GET /sessions/{session}; offline asks what would remain if offline access ended, too.
func (c *Client) Session(ctx context.Context, id string, offline bool) (Session, error) {
	return call[Session](
		ctx,
		c,
		http.MethodGet,
		joinPath("sessions", id),
		url.Values{"include_offline": {strconv.FormatBool(offline)}},
		nil,
	)
}

// Terminate is POST /logouts.
func (c *Client) Terminate(ctx context.Context, q TerminationRequest) (TerminationResult, error) {
	return call[TerminationResult](ctx, c, http.MethodPost, "/logouts", nil, q)
}

// BulkLogouts is GET /logouts.
func (c *Client) BulkLogouts(ctx context.Context) ([]BulkLogout, error) {
	list, err := call[BulkLogoutList](ctx, c, http.MethodGet, "/logouts", nil, nil)
	return list.BulkLogouts, err
}

// Reports walks GET /reports; query may hold user, client and cause.
func (c *Client) Reports(ctx context.Context, query url.Values) iter.Seq2[Report, error] {
	return listAll(ctx, c, "/reports", query, func(l ReportList) ([]Report, string) { return l.Reports, l.Next })
}

// Report is GET /reports/{report}.
func (c *Client) Report(ctx context.Context, id string) (Report, error) {
	return call[Report](ctx, c, http.MethodGet, joinPath("reports", id), nil, nil)
}

// SignedReport is GET /reports/{report}/signed: a JWT.
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

// Deliveries walks GET /deliveries; query may hold state, client and report.
func (c *Client) Deliveries(ctx context.Context, query url.Values) iter.Seq2[Delivery, error] {
	return listAll(
		ctx,
		c,
		"/deliveries",
		query,
		func(l DeliveryList) ([]Delivery, string) { return l.Deliveries, l.Next },
	)
}

// Delivery is GET /deliveries/{delivery}.
func (c *Client) Delivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodGet, joinPath("deliveries", id), nil, nil)
}

// RetryDelivery is POST /deliveries/{delivery}/retry.
func (c *Client) RetryDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "retry"), nil, nil)
}

// CancelDelivery is POST /deliveries/{delivery}/cancel.
func (c *Client) CancelDelivery(ctx context.Context, id string) (Delivery, error) {
	return call[Delivery](ctx, c, http.MethodPost, joinPath("deliveries", id, "cancel"), nil, nil)
}

// Keys is GET /keys.
func (c *Client) Keys(ctx context.Context) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodGet, "/keys", nil, nil)
}

// RotateKeys is POST /keys/rotate.
func (c *Client) RotateKeys(ctx context.Context, q RotateRequest) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodPost, "/keys/rotate", nil, q)
}

// RevokeKey is DELETE /keys/{key}.
func (c *Client) RevokeKey(ctx context.Context, id string) (KeyList, error) {
	return call[KeyList](ctx, c, http.MethodDelete, joinPath("keys", id), nil, nil)
}

// Events walks GET /events; query may hold kind, user, client, session, reason, since, until and newest.
func (c *Client) Events(ctx context.Context, query url.Values) iter.Seq2[storage.Event, error] {
	return listAll(ctx, c, "/events", query, func(l EventList) ([]storage.Event, string) { return l.Events, l.Next })
}

// ExportEvents is GET /events/export: JSON lines. The caller closes them.
func (c *Client) ExportEvents(ctx context.Context, query url.Values) (io.ReadCloser, error) {
	return c.Raw(ctx, "/events/export", query)
}

// VerifyEvents is GET /events/verify.
func (c *Client) VerifyEvents(ctx context.Context) (Verification, error) {
	return call[Verification](ctx, c, http.MethodGet, "/events/verify", nil, nil)
}
