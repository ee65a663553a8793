// Package egress sends every HTTP request of Curfew: logout tokens, and requests for documents that a client names
// (jwks_uri, sector_identifier_uri, request_uri). Clients choose these URLs, so a client could make Curfew call
// services that only this machine can reach (server-side request forgery). The policy prevents that.
//
//	URL ──▶ parse ──▶ resolve ──▶ policy, for every candidate address ──▶ dial ──▶ one answer, never a redirect
//
// The dialer applies the policy after name resolution, so a name that later resolves to another address does not evade
// the policy. The policy checks in this order:
//
//  1. Only TCP is allowed.
//  2. Unspecified, multicast, link-local and metadata addresses and Curfew's own listeners are denied, even inside an
//     allowed network. An entry for that single address in egress.allow allows it.
//  3. Entries of egress.allow are allowed at any port: networks, addresses and names. An address or name may have a
//     port; then only that port is allowed.
//  4. All others are allowed at port 443 of public addresses only.
//
// The package keeps no cookies, uses no proxy, follows no redirect, and limits the time and the size of every answer.
// Errors are of type [*Error].
package egress

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// attemptTimeout limits a whole request. The other timeouts limit its steps.
const (
	attemptTimeout = 5 * time.Second
	dialTimeout    = 2 * time.Second
	tlsTimeout     = 2 * time.Second
	headerTimeout  = 3 * time.Second
)

// maxHeaderBytes limits the header of an answer, in bytes.
const maxHeaderBytes = 16 << 10

// The limits of connections. maxConnsPerHost keeps Curfew from flooding a client that has many sessions.
// maxIdleConnsPerHost is the number of logout tokens that Curfew sends to one host at a time. With fewer idle
// connections, some of them would need a new TLS handshake.
const (
	maxConnsPerHost     = 8
	maxIdleConns        = 128
	maxIdleConnsPerHost = 4
	idleConnTimeout     = 30 * time.Second
)

// Config has the settings of a Client.
type Config struct {
	// Allow is egress.allow: networks in CIDR notation, addresses and host names that Curfew may call even if they are
	// private, and at any port. An address or name may have a ":port". Names have no wildcards and are in ASCII.
	Allow []string

	// AllowSetting is the name of the setting with Allow, for error texts. Empty: egress.allow.
	AllowSetting string

	// CA has PEM certificates to trust in addition to the system's.
	CA []byte

	// FetchesPerMinute is how many documents are fetched from one host in a minute. The limit for all hosts together is
	// ten times as high. 0: no limit.
	FetchesPerMinute int

	// OwnListeners are the host:port pairs that this process or its database listens on. Curfew does not call them. An
	// empty or unspecified host stands for all addresses of this machine.
	OwnListeners []string

	Resolver *net.Resolver    // nil: the system's
	Now      func() time.Time // nil: time.Now
}

// Client sends requests under the policy. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	policy   policy
	quota    fetchQuota
	resolver *net.Resolver
	now      func() time.Time

	mu        sync.Mutex
	documents map[string]*document
}

// New returns a client. Its error names every invalid entry of cfg.
func New(cfg Config) (*Client, error) {
	policy, policyErr := newPolicy(cfg.Allow, cfg.OwnListeners, cmp.Or(cfg.AllowSetting, "egress.allow"))
	roots, caErr := certPoolWith(cfg.CA)
	if err := errors.Join(policyErr, caErr); err != nil {
		return nil, err
	}
	c := &Client{
		policy:    policy,
		quota:     fetchQuota{perHost: cfg.FetchesPerMinute},
		resolver:  cfg.Resolver,
		now:       cfg.Now,
		documents: map[string]*document{},
	}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.http = &http.Client{
		Transport: c.transport(roots),
		Timeout:   attemptTimeout,
		// A redirect could lead to a URL that was not registered. The caller gets the redirect itself as the answer.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// transport is the only http.Transport of the program.
func (c *Client) transport(roots *x509.CertPool) *http.Transport {
	// HTTP/1.1 has one request at a time on a connection, so the timeouts of a connection apply to each request.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // with a proxy, the policy would check the proxy's address only
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a small compressed answer could expand to a huge one
		MaxConnsPerHost:        maxConnsPerHost,
		MaxIdleConns:           maxIdleConns,
		MaxIdleConnsPerHost:    maxIdleConnsPerHost,
		IdleConnTimeout:        idleConnTimeout,
		Protocols:              &protocols,
	}
}

// HTTPClient returns a client for libraries that make requests themselves. It sends each request under the policy, too,
// and follows no redirect. It reads at most 1 MB of an answer.
func (c *Client) HTTPClient() *http.Client {
	return &http.Client{
		Transport:     limitedTransport{c},
		Timeout:       attemptTimeout,
		CheckRedirect: c.http.CheckRedirect,
	}
}

// maxLibraryBody limits an answer that a library reads, in bytes.
const maxLibraryBody = 1 << 20

// limitedTransport is the transport of HTTPClient.
type limitedTransport struct{ client *Client }

// RoundTrip implements http.RoundTripper.
func (t limitedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	u, err := parseURL(r.URL.String())
	if err != nil {
		return nil, err
	}
	r = r.Clone(r.Context())
	r.Header.Set("User-Agent", userAgent)
	response, err := t.client.http.Transport.RoundTrip(r)
	if err != nil {
		return nil, wrapError(u.Host, err)
	}
	response.Body = limitedBody{io.LimitReader(response.Body, maxLibraryBody), response.Body}
	return response, nil
}

// limitedBody reads the beginning of a body and closes all of it.
type limitedBody struct {
	io.Reader
	io.Closer
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// certPoolWith returns the system's certificates together with those in pem. Without pem it returns nil.
func certPoolWith(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil // crypto/tls uses the system's certificates
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("egress.ca: read the system's certificates: %w", err)
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("egress.ca: no PEM certificate in the file")
	}
	return pool, nil
}
