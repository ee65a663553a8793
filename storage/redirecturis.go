package storage

import (
	"slices"
	"strconv"
	"strings"
)

// AllowsRedirectURI reports whether an authorization response may go to uri. It must equal one of redirect_uris byte
// for byte (RFC 9700 §2.1). A loopback URI of a native client may differ in its port.
func (c *Client) AllowsRedirectURI(uri string) bool { return c.allowsURI(c.RedirectURIs, uri) }

// AllowsPostLogoutRedirectURI is AllowsRedirectURI for post_logout_redirect_uris (RP-Initiated Logout 1.0 §3.1).
func (c *Client) AllowsPostLogoutRedirectURI(uri string) bool {
	return c.allowsURI(c.PostLogoutRedirectURIs, uri)
}

// allowsURI reports whether uri is registered. It ignores the port of a native client's loopback URI, because such a
// client takes a free port at each start (RFC 8252 §7.3). It also accepts the name localhost, which many tools send,
// although RFC 8252 §8.3 advises against it.
func (c *Client) allowsURI(registered []string, uri string) bool {
	if slices.Contains(registered, uri) {
		return true
	}
	if c.ApplicationType != "native" {
		return false
	}
	wanted, ok := cutLoopbackPort(uri)
	return ok && slices.ContainsFunc(registered, func(r string) bool {
		withoutPort, ok := cutLoopbackPort(r)
		return ok && withoutPort == wanted
	})
}

// cutLoopbackPort removes the port from http://127.0.0.1:port/…, http://[::1]:port/… or http://localhost:port/….
// Every other byte stays. ok is false for any other URI and for an invalid port.
func cutLoopbackPort(uri string) (withoutPort string, ok bool) {
	for _, host := range []string{"http://127.0.0.1", "http://[::1]", "http://localhost"} {
		rest, ok := strings.CutPrefix(uri, host)
		if !ok {
			continue
		}
		authority, path := rest, ""
		if i := strings.IndexAny(rest, "/?"); i >= 0 {
			authority, path = rest[:i], rest[i:]
		}
		if port, ok := strings.CutPrefix(authority, ":"); ok {
			if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
				return "", false
			}
		} else if authority != "" {
			return "", false
		}
		return host + path, true
	}
	return "", false
}
