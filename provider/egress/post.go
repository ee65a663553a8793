package egress

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// maxResponseBody is how much of an answer's body is read, in bytes; operators read it when they look for a fault.
const maxResponseBody = 4 << 10

// maxURL bounds what is accepted as a URL, in bytes.
const maxURL = 2 << 10

// userAgent has no version: who is called need not know which faults we may have.
const userAgent = "Curfew"

// Response is what a relying party said to a form.
type Response struct {
	Status     int
	RetryAfter time.Duration // 0: it asked for no delay
	Location   string        // of a redirect, absolute; empty: there is none
	Body       string        // the first 4 kB at most
}

// PostForm sends form to target and returns its answer, whatever the status: a redirect is an answer like any other.
// Its error is an *Error and means that no status arrived, so whether the form was read is unknown.
func (c *Client) PostForm(ctx context.Context, target string, form url.Values) (Response, error) {
	u, err := parseURL(target)
	if err != nil {
		return Response{}, err
	}
	// The request can be sent a second time only over a kept connection that had closed before a byte was written.
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, strings.NewReader(form.Encode()))
	if err != nil {
		return Response{}, &Error{Class: Invalid, Host: u.Host, Err: err}
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return Response{}, wrapError(u.Host, err)
	}
	defer resp.Body.Close()
	// The status is the answer; a body that breaks off or never ends does not take it back.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponseBody))
	location := ""
	if target, err := resp.Location(); err == nil {
		location = target.String()
	}
	return Response{
		Location:   location,
		Status:     resp.StatusCode,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now()),
		Body:       strings.ToValidUTF8(string(body), "�"),
	}, nil
}

// retryAfter reads the delay that RFC 9110 §10.2.3 writes as seconds or as a date. What cannot be read asks for
// nothing.
func retryAfter(value string, now time.Time) time.Duration {
	const maxDelay = 24 * time.Hour // more is a mistake, and large numbers overflow
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), int64(maxDelay/time.Second))) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxDelay)
	}
	return 0
}

// ValidateURL reports whether target could be called at all, without asking the network: http or https, a host, no
// user info, no fragment, at most 2 kB, and spelt as it will be sent. Its error is an *Error of class [Invalid].
func ValidateURL(target string) error {
	u, err := parseURL(target)
	if err == nil && u.Fragment != "" {
		return &Error{Class: Invalid, Host: u.Host, Advice: "a URL with a fragment cannot be called"}
	}
	return err
}

func parseURL(target string) (*url.URL, error) {
	invalid := func(advice string) error { return &Error{Class: Invalid, Host: "URL", Advice: advice} }
	if len(target) > maxURL {
		return nil, invalid("longer than 2 kB")
	}
	u, err := url.Parse(target)
	switch {
	case err != nil:
		return nil, invalid("not a URL")
	case u.Scheme != "https" && u.Scheme != "http":
		return nil, invalid("neither https nor http")
	case u.Hostname() == "":
		return nil, invalid("no host")
	case u.User != nil:
		return nil, invalid("user info in a URL")
	case u.String() != target:
		// What was checked at registration and what is called must be one thing for every parser.
		return nil, invalid("spelt unlike " + u.String())
	}
	return u, nil
}
