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
