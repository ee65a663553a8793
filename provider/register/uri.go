package register

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
)

// indexed names an entry of a list.
func indexed(field string, i int) string { return field + "[" + strconv.Itoa(i) + "]" }

// parseURI reads a URI of any scheme and checks what holds for all of them. What is stored and compared is the text
// as given.
func parseURI(raw string) (*url.URL, error) {
	if raw == "" {
		return nil, errors.New("is empty; leave it out")
	}
	if len(raw) > maxURIBytes {
		return nil, fmt.Errorf("is longer than %d bytes", maxURIBytes)
	}
	if i := strings.IndexFunc(raw, notInURI); i >= 0 {
		// A backslash or a space is read differently by browsers, servers and us; no URI has one.
		return nil, fmt.Errorf(
			"%+q has %+q in it, which no URI has (RFC 3986 §2); percent-encode it",
			raw,
			[]rune(raw[i:])[0],
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
		// Who reads https://good.example@evil.example sees the wrong host.
		return nil, fmt.Errorf("%+q holds a user name; leave out what stands before the @", raw)
	}
	return u, nil
}

// notInURI reports whether a character is neither reserved nor unreserved nor the percent sign (RFC 3986 §2).
func notInURI(r rune) bool {
	return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}", r)
}

// parseHTTPSOrLocalhost reads an https URI, or an http URI of this machine; whether a fragment may be there is the
// caller's business.
func parseHTTPSOrLocalhost(raw string) (*url.URL, error) {
	u, err := parseURI(raw)
	if err != nil {
		return nil, err
	}
	switch u.Scheme { // url.Parse writes it in lower case
	case "https":
	case "http":
		if !isLoopback(u.Hostname()) {
			return nil, fmt.Errorf(
				"%+q is not https; http is for loopback addresses, localhost and *.localhost only",
				raw,
			)
		}
	default:
		return nil, fmt.Errorf("%+q has the scheme %+q; use https", raw, u.Scheme)
	}
	return u, checkHost(raw, u)
}

// parseFetchedURI reads a URI that Curfew itself will call. What is checked here and what is called must be one thing
// for every parser, so it is stored in the spelling in which it is sent.
func parseFetchedURI(raw string) (*url.URL, error) {
	u, err := parseHTTPSOrLocalhost(raw)
	if err != nil {
		return nil, err
	}
	if u.String() != raw {
		return nil, fmt.Errorf("%+q is spelt unlike what would be called; write %+q", raw, u.String())
	}
	return u, nil
}

// refuseFragment refuses a fragment where nothing could come of it; parsers drop an empty one, so the text is asked.
func refuseFragment(raw string, err error) error {
	if err == nil && strings.Contains(raw, "#") {
		err = fmt.Errorf("%+q has a fragment; leave out the # and what follows", raw)
	}
	return err
}

// parseHTTPS reads a URI where the specification names https and nothing else.
func parseHTTPS(raw string) (*url.URL, error) {
	u, err := parseHTTPSOrLocalhost(raw)
	if err == nil && u.Scheme != "https" {
		err = fmt.Errorf("%+q is not https", raw)
	}
	return u, err
}

// checkHost checks the authority of an http or https URI.
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
		return fmt.Errorf("%+q has no host name or address (names beyond ASCII are written xn--...)", raw)
	}
	return nil
}

// isLoopback reports whether host can only be this machine (RFC 6761 §6.3, RFC 8252 §7.3).
func isLoopback(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}

// origin is scheme, host and port in the one spelling that origins are compared in.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + strings.ToLower(strings.TrimSuffix(u.Hostname(), ".")) + ":" + port
}
