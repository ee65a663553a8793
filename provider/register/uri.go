package register

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"
)

// indexed returns the name of the entry i of a list, such as redirect_uris[0].
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// parseURI parses an absolute URI of any scheme. The caller stores and compares the text itself.
func parseURI(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("is empty; leave it out")
	}
	if len(raw) > maxURIBytes {
		return nil, fmt.Errorf("is longer than %d bytes", maxURIBytes)
	}
	if i := strings.IndexFunc(raw, notInURI); i >= 0 {
		// Browsers and servers interpret a backslash or a space in different ways.
		forbidden, _ := utf8.DecodeRuneInString(raw[i:])
		return nil, fmt.Errorf(
			"%+q contains %+q, which a URI must not contain (RFC 3986 §2); percent-encode it",
			raw,
			forbidden,
		)
	}
	u, err := url.Parse(raw)
	if err != nil || u.Scheme == "" {
		return nil, fmt.Errorf(
			"%+q is not an absolute URI; write it in full, such as https://app.example/callback",
			raw,
		)
	}
	if u.User != nil {
		// A reader of https://good.example@evil.example takes it for a URI of good.example.
		return nil, fmt.Errorf("%+q contains a user name; leave out the part before the @", raw)
	}
	return u, nil
}

// notInURI reports whether a URI must not contain the character: it is neither reserved, nor unreserved, nor "%" (RFC
// 3986 §2).
func notInURI(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r)
}

// parseHTTPSOrLocalhost parses an https URI, or an http URI of a loopback host. It allows a fragment.
func parseHTTPSOrLocalhost(raw string) (*url.URL, error) {
	const allowHTTP = false
	return parseHTTP(raw, allowHTTP)
}

// parseHTTP parses an https or http URI. Without allowHTTP, http is allowed for loopback hosts only.
func parseHTTP(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := parseURI(raw)
	if err != nil {
		return nil, err
	}
	switch u.Scheme { // url.Parse writes it in lower case
	case "https":
	case "http":
		if !allowHTTP && !isLoopback(u.Hostname()) {
			return nil, fmt.Errorf(
				"%+q is not https; http is for loopback addresses, localhost and *.localhost only, "+
					"unless an operator sets allow_http",
				raw,
			)
		}
	default:
		return nil, fmt.Errorf("%+q has the scheme %+q; use https", raw, u.Scheme)
	}
	return u, checkHost(raw, u)
}

// parseFetchedURI parses a URI that Curfew itself will request. The URI must be written exactly as Curfew will send it,
// so that no other parser understands it differently. Without allowHTTP, http is allowed for loopback hosts only.
func parseFetchedURI(raw string, allowHTTP bool) (*url.URL, error) {
	u, err := parseHTTP(raw, allowHTTP)
	if err != nil {
		return nil, err
	}
	if u.String() != raw {
		return nil, fmt.Errorf("%+q would be sent in another spelling; write %+q", raw, u.String())
	}
	return u, nil
}

// refuseFragment returns err, the result of parsing raw, or else an error if raw has a fragment. It searches the text,
// because parsers drop an empty fragment.
func refuseFragment(raw string, err error) error {
	if err == nil && strings.Contains(raw, "#") {
		return fmt.Errorf("%+q has a fragment; leave out the # and what follows", raw)
	}
	return err
}

// parseHTTPS parses an https URI.
func parseHTTPS(raw string) (*url.URL, error) {
	u, err := parseHTTPSOrLocalhost(raw)
	if err == nil && u.Scheme != "https" {
		err = fmt.Errorf("%+q is not https", raw)
	}
	return u, err
}

// checkHost checks host and port of an http or https URI.
func checkHost(raw string, u *url.URL) error {
	host := u.Hostname()
	switch {
	case host == "":
		return fmt.Errorf("%+q names no host", raw)
	case strings.Contains(host, "*"):
		return fmt.Errorf("%+q has a wildcard; register each address in full", raw)
	case strings.HasSuffix(u.Host, ":"):
		return fmt.Errorf("%+q has a colon but no port", raw)
	}
	if u.Port() != "" {
		if n, err := strconv.ParseUint(u.Port(), 10, 16); err != nil || n == 0 {
			return fmt.Errorf("%+q has no port from 1 to 65535", raw)
		}
	}
	if strings.Contains(host, ":") {
		if ip, err := netip.ParseAddr(host); err != nil || ip.Zone() != "" {
			return fmt.Errorf("%+q has no IPv6 address between its brackets", raw)
		}
		return nil
	}
	if strings.Trim(strings.ToLower(host), "abcdefghijklmnopqrstuvwxyz0123456789-._") != "" {
		return fmt.Errorf("%+q has no valid host name; write a name with non-ASCII characters in its xn-- form", raw)
	}
	return nil
}

// isLoopback reports whether host always names the local machine (RFC 6761 §6.3, RFC 8252 §7.3).
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// origin returns scheme, host and port of u in normalized form.
func origin(u *url.URL) string {
	host := strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
	port := u.Port()
	switch {
	case port != "":
	case u.Scheme == "http":
		port = "80"
	case u.Scheme == "https":
		port = "443"
	}
	return u.Scheme + "://" + host + ":" + port
}
