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

// maxResponseBody is how many bytes of an answer's body are read. Operators see them, to find faults.
const maxResponseBody = 4 << 10

// maxURL is the longest URL, in bytes.
const maxURL = 2 << 10

// userAgent has no version, which would help an attacker to find known faults.
const userAgent = "Curfew"

// Response is an answer to a form.
type Response struct {
	Status     int
	RetryAfter time.Duration // 0: the answer asks for no delay
	Location   string        // the absolute target of a redirect; empty: no redirect
	Body       string        // at most the first 4 kB
}

// PostForm posts form to target and returns the answer with any status, redirects included. Its error is an *Error and
// means that no status arrived: the form may or may not have been received.
func (c *Client) PostForm(ctx context.Context, target string, form url.Values) (Response, error) {
	u, err := parseURL(target)
	if err != nil {
		return Response{}, err
	}
	// net/http repeats a POST only if an idle connection was closed before the first byte was written.
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
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxResponseBody)) // an incomplete body is no error
	location := ""
	if redirectTarget, err := resp.Location(); err == nil {
		location = redirectTarget.String()
	}
	return Response{
		Location:   location,
		Status:     resp.StatusCode,
		RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.now()),
		Body:       strings.ToValidUTF8(string(body), "�"),
	}, nil
}

// retryAfter parses Retry-After, in seconds or as a date (RFC 9110 §10.2.3). It returns 0 for any other text.
func retryAfter(value string, now time.Time) time.Duration {
	const maxDelay = 24 * time.Hour // a longer delay is a mistake
	const maxSeconds = int64(maxDelay / time.Second)
	if seconds, err := strconv.ParseInt(value, 10, 64); err == nil {
		return time.Duration(min(max(seconds, 0), maxSeconds)) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return min(max(date.Sub(now), 0), maxDelay)
	}
	return 0
}

// ValidateURL checks the form of a URL without using the network: http or https, a host, no user info, no fragment, at
// most 2 kB, and spelt as net/url writes it. Its error is an *Error of class [Invalid].
func ValidateURL(target string) error {
	u, err := parseURL(target)
	if err == nil && u.Fragment != "" {
		return &Error{Class: Invalid, Host: u.Host, Advice: "a URL with a fragment cannot be called"}
	}
	return err
}

// parseURL parses a URL and checks what ValidateURL checks. It allows a fragment.
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
		// With another spelling, two parsers could understand different URLs at registration and at the call.
		return nil, invalid("spelt unlike " + u.String())
	}
	return u, nil
}
