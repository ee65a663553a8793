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

// minFetchInterval is the minimum time between two requests for one URI, also after a failed request. Otherwise an
// attacker could make Curfew flood a third party: each forged token with a new key id would cause a request for the
// jwks_uri.
const minFetchInterval = time.Minute

// The limits of all cached documents together. Above a limit, the cache drops the documents that were fetched longest
// ago.
const (
	maxDocuments     = 1024
	maxDocumentBytes = 32 << 20
)

// document is the last good copy of a URI's content, and the error of the last request. A failed request does not
// remove the good copy: otherwise a forged token with an unknown key id could remove a client's keys while its server
// is down.
type document struct {
	lock    chan struct{} // full while a caller fetches; other callers wait
	body    []byte
	hasBody bool
	err     error // of the last request

	// Client.mu guards these two; makeRoom reads them.
	fetchedAt time.Time // start of the last request
	size      int       // of body
}

// FetchJSON returns the JSON document at uri (a jwks_uri or sector_identifier_uri), of at most maxBytes. The document
// is at most maxAge old. A maxAge below one minute counts as one minute. Concurrent callers wait for the same request.
//
// If the request fails, FetchJSON returns the last good copy, however old it is. If there is none, or if maxAge is 0,
// it returns an *Error. After a failed request it sends no other for one minute. The caller must not change the bytes.
func (c *Client) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return c.fetch(ctx, "application/json", uri, maxBytes, maxAge)
}

// FetchBytes is like [Client.FetchJSON] for content of any type. A request_uri may have a fragment, which is not sent:
// the fragment changes whenever the content changes (OpenID Connect Core 1.0 §6.2).
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
	interval := max(maxAge, minFetchInterval)
	if doc.err != nil { // try again soon
		interval = minFetchInterval
	}
	now := c.now()
	if now.Sub(doc.fetchedAt) >= interval {
		c.refresh(ctx, doc, now, accept, uri, maxBytes)
	}
	if doc.err != nil && (mustBeFresh || !doc.hasBody) {
		return nil, doc.err
	}
	return doc.body, nil
}

// refresh requests the document again. Other callers wait for the result, so the request goes on if ctx is cancelled.
func (c *Client) refresh(ctx context.Context, doc *document, now time.Time, accept, uri string, maxBytes int64) {
	c.mu.Lock()
	doc.fetchedAt = now
	c.mu.Unlock()
	body, err := c.get(context.WithoutCancel(ctx), accept, uri, maxBytes)
	doc.err = err
	if err != nil {
		return
	}
	doc.body = body
	doc.hasBody = true
	c.mu.Lock()
	doc.size = len(body)
	c.makeRoom(maxDocuments)
	c.mu.Unlock()
}

// document returns the document with this key. It creates an empty one if there is none.
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

// makeRoom drops the oldest documents until there are at most maxCount, with at most maxDocumentBytes.
func (c *Client) makeRoom(maxCount int) {
	for {
		totalBytes := 0
		oldest := "" // the key of the oldest document
		for key, doc := range c.documents {
			totalBytes += doc.size
			if oldest == "" || doc.fetchedAt.Before(c.documents[oldest].fetchedAt) {
				oldest = key
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
		if err := checkJSON(resp.Header.Get("Content-Type"), body); err != nil {
			return nil, contentError(err.Error())
		}
	}
	return body, nil
}

func checkJSON(contentType string, body []byte) error {
	mediaType, _, _ := mime.ParseMediaType(contentType)
	if mediaType != "application/json" && !strings.HasSuffix(mediaType, "+json") {
		return fmt.Errorf("content type %q is not JSON", contentType)
	}
	if !json.Valid(body) {
		return errors.New("the document is not JSON")
	}
	return nil
}
