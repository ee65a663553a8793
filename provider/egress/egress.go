// Package egress owns every HTTP request that Curfew sends: logout tokens, and documents that a relying party names
// (jwks_uri, sector_identifier_uri, request_uri). Relying parties choose these URLs, so each request is a chance to
// reach what only this machine can reach.
//
//	URL ──▶ usable ──▶ resolve ──▶ policy, for every candidate address ──▶ dial ──▶ one answer, never a redirect
//
// The policy is asked after name resolution, by the dialer itself, so a name that changes its address between two
// look-ups gains nothing. It follows this order:
//
//  1. Only TCP.
//  2. Unspecified, multicast, link-local and metadata addresses and our own listeners are denied, even inside an
//     allowed network, unless that single address is named in egress.allow.
//  3. What egress.allow names is allowed, at any port: networks, addresses and names, each of these two with or without
//     a port.
//  4. Otherwise only port 443 of public addresses.
//
// The package keeps no cookies, uses no proxy, follows no redirect, and bounds every answer in time and size. Errors
// are of type [*Error] and fall into few classes.
package egress

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// One attempt is over after attemptTimeout whatever the other side does; the others bound its steps.
const (
	attemptTimeout = 5 * time.Second
	dialTimeout    = 2 * time.Second
	tlsTimeout     = 2 * time.Second
	headerTimeout  = 3 * time.Second
)

// maxHeaderBytes bounds the header of an answer, in bytes.
const maxHeaderBytes = 16 << 10

// maxConnsPerHost keeps one relying party with many sessions from being flooded.
const maxConnsPerHost = 8

// Config says what a client may reach.
type Config struct {
	// Allow is egress.allow: networks in CIDR notation, addresses, and host names, the last two with or without
	// ":port", that may be reached although they are private, or at a port other than 443. Names are exact and in
	// ASCII.
	Allow []string

	// AllowSetting is the name of the setting that gave Allow, for error texts. Empty: egress.allow.
	AllowSetting string

	// CA holds PEM certificates that are trusted besides the system's.
	CA []byte

	// FetchesPerMinute is how many documents are fetched from one host in a minute. From all hosts together it is ten
	// times as many. 0: no limit.
	FetchesPerMinute int

	// OwnListeners are the host:port pairs that this process (or its database) listens on; they are never called. An
	// empty or unspecified host means that port on every address of this machine.
	OwnListeners []string

	Resolver *net.Resolver    // nil: the system's
	Now      func() time.Time // nil: time.Now
}

// Client sends all requests. It is safe for concurrent use.
type Client struct {
	http     *http.Client
	policy   policy
	quota    fetchQuota
	resolver *net.Resolver
	now      func() time.Time

	mu        sync.Mutex
	documents map[string]*document
}

// New makes a client. Its error names every entry of cfg that cannot be read.
func New(cfg Config) (*Client, error) {
	p, err := newPolicy(cfg.Allow, cfg.OwnListeners, cmp.Or(cfg.AllowSetting, "egress.allow"))
	roots, caErr := certPoolWith(cfg.CA)
	if err = errors.Join(err, caErr); err != nil {
		return nil, err
	}
	c := &Client{policy: p, quota: fetchQuota{perHost: cfg.FetchesPerMinute}, resolver: cfg.Resolver, now: cfg.Now, documents: map[string]*document{}}
	if c.resolver == nil {
		c.resolver = net.DefaultResolver
	}
	if c.now == nil {
		c.now = time.Now
	}
	c.http = &http.Client{
		Transport: c.transport(roots),
		Timeout:   attemptTimeout,
		// A redirect would make us call a URL that was not registered; the answer itself is what the caller gets.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// transport is the only http.Transport of the program.
func (c *Client) transport(roots *x509.CertPool) *http.Transport {
	// HTTP/1.1 only: one request a connection, so the limits above hold for each request.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	return &http.Transport{
		Proxy:                  nil, // the environment must not turn the address check into a check of the proxy
		DialContext:            c.dial,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
		TLSHandshakeTimeout:    tlsTimeout,
		ResponseHeaderTimeout:  headerTimeout,
		MaxResponseHeaderBytes: maxHeaderBytes,
		DisableCompression:     true, // a small answer must not unfold into a large one
		MaxConnsPerHost:        maxConnsPerHost,
		MaxIdleConns:           128,
		MaxIdleConnsPerHost:    4, // as many as logout tokens go to one host at a time: fewer would cost handshakes
		IdleConnTimeout:        30 * time.Second,
		Protocols:              &protocols,
	}
}

// Close closes idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func certPoolWith(pem []byte) (*x509.CertPool, error) {
	if len(pem) == 0 {
		return nil, nil // crypto/tls then asks the system
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
