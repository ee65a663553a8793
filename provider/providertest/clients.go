package providertest

import (
	"context"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/curfew-id/curfew/provider/egress"
)

// Clients replaces provider/egress in tests. It stands for the servers of the clients, which receive logout tokens and
// publish documents. The zero value answers every POST with 200 and has no documents.
type Clients struct {
	mu     sync.Mutex
	posts  []Post
	answer func(uri string, form url.Values) (egress.Response, error)
	denied map[string]bool
	files  map[string]string
	server http.RoundTripper
}

// Post is a form that was posted to a client.
type Post struct {
	URI  string
	Form url.Values
	At   time.Time
}

// Answer sets the function that answers later POSTs; with nil the answer is 200.
func (c *Clients) Answer(answer func(uri string, form url.Values) (egress.Response, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.answer = answer
}

// Publish sets the document that FetchJSON and FetchBytes return for uri.
func (c *Clients) Publish(uri, body string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.files == nil {
		c.files = map[string]string{}
	}
	c.files[uri] = body
}

// Deny makes Check refuse uri as a private address.
func (c *Clients) Deny(uri string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied == nil {
		c.denied = map[string]bool{}
	}
	c.denied[uri] = true
}

// Sent returns the forms that were posted so far, the oldest first.
func (c *Clients) Sent() []Post {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Post(nil), c.posts...)
}

// Forget drops the forms that were posted so far.
func (c *Clients) Forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.posts = nil
}

// Check refuses the URIs of Deny.
func (c *Clients) Check(_ context.Context, uri string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.denied[uri] {
		return deniedError()
	}
	return nil
}

// CheckURL refuses the URIs of Deny.
func (c *Clients) CheckURL(uri string) error { return c.Check(context.Background(), uri) }

// PostForm records the form and answers with the function of Answer.
func (c *Clients) PostForm(_ context.Context, uri string, form url.Values) (egress.Response, error) {
	c.mu.Lock()
	c.posts = append(c.posts, Post{uri, form, time.Now()})
	answer := c.answer
	c.mu.Unlock()
	if answer != nil {
		return answer(uri, form)
	}
	return egress.Response{Status: http.StatusOK}, nil
}

// FetchJSON returns a document of Publish.
func (c *Clients) FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error) {
	return c.FetchBytes(ctx, uri, maxBytes, maxAge)
}

// FetchBytes returns a document of Publish.
func (c *Clients) FetchBytes(_ context.Context, uri string, _ int64, _ time.Duration) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if body, ok := c.files[uri]; ok {
		return []byte(body), nil
	}
	return nil, deniedError()
}

// Serve sets the transport that answers the requests of HTTPClient.
func (c *Clients) Serve(server http.RoundTripper) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.server = server
}

// HTTPClient returns a client whose requests the transport of Serve answers.
func (c *Clients) HTTPClient() *http.Client {
	c.mu.Lock()
	defer c.mu.Unlock()
	return &http.Client{Transport: c.server}
}

// deniedError returns the error of provider/egress for a private address.
func deniedError() error {
	return &egress.Error{
		Class:  egress.Denied,
		Host:   "10.1.2.3",
		Advice: `10.1.2.3 is not a public address; add "10.1.2.0/24" to egress.allow`,
	}
}
