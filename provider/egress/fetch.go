package egress

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"
)

// minFetchInterval is the least time between two requests for one URI, failed ones included, so that a caller cannot
// use us to press a third party: forged tokens with ever new key ids would otherwise make us fetch a jwks_uri each
// time.
const minFetchInterval = time.Minute

// maxDocuments and maxKept (bytes) bound the memory for fetched documents; those fetched longest ago make room.
const (
	maxDocuments     = 1024
	maxDocumentBytes = 32 << 20
)

// A document is the last good copy of a URI's content, and the error of the last request. An error never replaces a
// good copy: a forged token with an unknown key id must not make a client's keys unknown while its server is down.
type document struct {
	lock      chan struct{} // held by the one caller that fetches; the others wait for its result
	fetchedAt time.Time     // start of the last request
	size      int           // of body; like fetchedAt, also read by those who make room
	body      []byte
	hasBody   bool
	err       error // of the last request
}

// FetchJSON returns the JSON document at uri (a jwks_uri or sector_identifier_uri), of at most maxBytes, as it was at
// most maxAge ago; below a minute, maxAge counts as a minute. Callers at the same time share one request. If the
// request fails, it returns the last good copy however old, except with maxAge 0: then the copy must be fresh. Its
// error is an *Error, and is repeated for a minute. The caller must not change the bytes.
func (c *Client) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return c.fetch(ctx, "application/json", uri, maxBytes, maxAge)
}

// FetchBytes is like [Client.FetchJSON] for content of any type. A request_uri may carry a fragment, which is not sent:
// it changes when the content of the same URL does (OpenID Connect Core 1.0 §6.2).
func (c *Client) FetchBytes(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return c.fetch(ctx, "*/*", uri, maxBytes, maxAge)
}

func (c *Client) fetch(ctx context.Context, accept, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	doc := c.document(accept + " " + uri)
	select {
	case doc.lock <- struct{}{}:
		defer func() { <-doc.lock }()
	case <-ctx.Done():
		return nil, &Error{Class: Canceled, Host: "URL", Err: ctx.Err()}
	}
	mustBeFresh := maxAge == 0
	maxAge = max(maxAge, minFetchInterval)
	if doc.err != nil {
		maxAge = minFetchInterval
	}
	if now := c.now(); now.Sub(doc.fetchedAt) >= maxAge {
		c.refresh(ctx, doc, now, accept, uri, maxBytes)
	}
	if doc.err != nil && (mustBeFresh || !doc.hasBody) {
		return nil, doc.err
	}
	return doc.body, nil
}

// refresh requests the document anew. Others wait for the result, so it is not given up with the request that
// happened to come first.
func (c *Client) refresh(ctx context.Context, doc *document, now time.Time, accept, uri string, maxBytes int64) {
	c.mu.Lock()
	doc.fetchedAt = now
	c.mu.Unlock()
	body, err := c.get(context.WithoutCancel(ctx), accept, uri, maxBytes)
	doc.err = err
	if err != nil {
		return
	}
	doc.body, doc.hasBody = body, true
	c.mu.Lock()
	doc.size = len(body)
	c.makeRoom(maxDocuments)
	c.mu.Unlock()
}

// document finds or makes the entry for key.
func (c *Client) document(key string) *document {
	c.mu.Lock()
	defer c.mu.Unlock()
	if doc := c.documents[key]; doc != nil {
		return doc
	}
	c.makeRoom(maxDocuments - 1)
	doc := &document{lock: make(chan struct{}, 1)}
	c.documents[key] = doc
	return doc
}

// makeRoom drops the oldest documents until there are at most as many, and within maxKept.
func (c *Client) makeRoom(maxCount int) {
	for {
		totalBytes, oldest := 0, ""
		for k, doc := range c.documents {
			totalBytes += doc.size
			if oldest == "" || doc.fetchedAt.Before(c.documents[oldest].fetchedAt) {
				oldest = k
			}
		}
		if len(c.documents) <= maxCount && totalBytes <= maxDocumentBytes {
			return
		}
		delete(c.documents, oldest)
	}
}

func (c *Client) get(ctx context.Context, accept, uri string, maxBytes int64) ([]byte, error) {
	u, err := parseURL(uri)
	if err != nil {
		return nil, err
	}
	if !c.quota.take(canonicalHost(u.Hostname()), c.now()) {
		return nil, &Error{Class: Limited, Host: u.Host, Advice: "too many documents were fetched in this minute"}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, uri, nil)
	if err != nil {
		return nil, &Error{Class: Invalid, Host: u.Host, Err: err}
	}
	req.Header.Set("Accept", accept)
	req.Header.Set("User-Agent", userAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, wrapError(u.Host, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, &Error{Class: Status, Host: u.Host, Advice: fmt.Sprintf("answered %d", resp.StatusCode)}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBytes+1))
	if err != nil {
		return nil, wrapError(u.Host, err)
	}
	contentError := func(advice string) error { return &Error{Class: Content, Host: u.Host, Advice: advice} }
	if int64(len(body)) > maxBytes {
		return nil, contentError(fmt.Sprintf("more than %d bytes", maxBytes))
	}
	if accept == "application/json" {
		if err := isJSON(resp.Header.Get("Content-Type"), body); err != nil {
			return nil, contentError(err.Error())
		}
	}
	return body, nil
}

func isJSON(contentType string, body []byte) error {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return fmt.Errorf("content type %q is not JSON", contentType)
	}
	if !json.Valid(body) {
		return errors.New("the document is not JSON")
	}
	return nil
}
