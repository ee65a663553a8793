package storage

import (
	"slices"
	"strconv"
	"strings"
)

// AllowsRedirectURI reports whether an authorization response may go to uri: byte for byte one of redirect_uris (RFC
// 9700 §2.1), or a loopback address of a native client that differs from one in its port only.
func (c *Client) AllowsRedirectURI(uri string) bool { return c.allowsURI(c.RedirectURIs, uri) }

// AllowsPostLogoutRedirectURI is AllowsRedirectURI for post_logout_redirect_uris (RP-Initiated Logout 1.0 §3.1).
func (c *Client) AllowsPostLogoutRedirectURI(uri string) bool {
	return c.allowsURI(c.PostLogoutRedirectURIs, uri)
}

// allowsURI is the one place where a redirect URI need not be equal byte for byte. A native client takes a free port
// at each start (RFC 8252 §7.3). The name localhost counts too, beside the RFC (§8.3 advises against it): many tools
// send it.
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

// cutLoopbackPort cuts the port out of http://127.0.0.1:port/…, http://[::1]:port/… or http://localhost:port/…,
// leaving every other byte.
func cutLoopbackPort(uri string) (string, bool) {
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

// AcceptsResources reports whether the resource parameters of a request (RFC 8707 §2) are the client's audience, to
// which its access tokens are bound in any case. A token for a part of the audience is not issued.
func (c *Client) AcceptsResources(resources []string) bool {
	if len(resources) == 0 {
		return true
	}
	for _, resource := range resources {
		if !slices.Contains(c.Audience, resource) {
			return false
		}
	}
	for _, audience := range c.Audience {
		if !slices.Contains(resources, audience) {
			return false
		}
	}
	return true
}
