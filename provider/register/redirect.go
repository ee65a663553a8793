package register

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// checkRedirects checks the redirect URIs and the post-logout redirect URIs.
func (c *validation) checkRedirects(m *storage.Metadata) {
	c.checkOneOf("application_type", m.ApplicationType, "web", "native")
	if m.ApplicationType == "" {
		m.ApplicationType = "web"
	}
	if len(m.RedirectURIs) == 0 && len(m.ResponseTypes) > 0 {
		c.addRedirectProblem("redirect_uris", "is missing; name every address that answers may go to")
	}
	if len(m.RedirectURIs) > maxURIs {
		c.addRedirectProblem("redirect_uris", "has more than %d entries", maxURIs)
		return
	}
	isImplicit := slices.Contains(m.GrantTypes, "implicit")
	for i, raw := range m.RedirectURIs {
		u, err := parseRedirect(raw, m)
		if err != nil {
			c.addRedirectProblem(indexed("redirect_uris", i), "%s", err)
			continue
		}
		// Registration §2: the implicit grant needs https, because the redirect URI carries tokens. The section
		// also forbids https://localhost. Curfew allows it, because it reaches no other machine.
		if isImplicit && u.Scheme == "http" && m.ApplicationType == "web" {
			c.addRedirectProblem(
				indexed("redirect_uris", i),
				"%+q is not https, which the implicit grant needs (Registration §2)",
				raw,
			)
		}
	}
	if len(m.PostLogoutRedirectURIs) > maxURIs {
		c.addProblem("post_logout_redirect_uris", "has more than %d entries", maxURIs)
		return
	}
	for i, raw := range m.PostLogoutRedirectURIs {
		// RP-Initiated Logout 1.0 §3.1: the rules of redirect URIs apply, except that a request must have the registered
		// port of a loopback address.
		if _, err := parseRedirect(raw, m); err != nil {
			c.addProblem(indexed("post_logout_redirect_uris", i), "%s", err)
		}
	}
}

// addRedirectProblem adds a problem with error code invalid_redirect_uri.
func (c *validation) addRedirectProblem(field, format string, args ...any) {
	c.addProblem(field, format, args...)
	c.problems[len(c.problems)-1].Code = InvalidRedirectURI
}

// parseRedirect parses a redirect URI. Curfew compares the URI of a request with it byte for byte. parseRedirect
// refuses a URI that could never match, or that could match more than its owner expects.
func parseRedirect(raw string, m *storage.Metadata) (*url.URL, error) {
	u, err := parseURI(raw)
	if err = refuseFragment(raw, err); err != nil { // RFC 6749 §3.1.2
		return nil, err
	}
	if strings.Contains(raw, "*") {
		return nil, fmt.Errorf("%+q has a wildcard; register each address in full", raw)
	}
	isAllowedScheme := strings.Contains(u.Scheme, ".") || slices.Contains(m.AllowSchemes, u.Scheme)
	switch {
	case u.Scheme == "https" || u.Scheme == "http":
		return parseHTTP(raw, m.AllowHTTP)
	case m.ApplicationType != "native":
		return nil, fmt.Errorf(
			"%+q has the scheme %+q; use https, or application_type native for a scheme of an app's own",
			raw,
			u.Scheme,
		)
	case !isAllowedScheme: // RFC 8252 §7.1 and §8.4. This also refuses javascript:, data: and similar schemes.
		return nil, fmt.Errorf(
			"%+q has the scheme %+q; "+
				"an app's own scheme is a domain name in reverse, such as com.example.app (RFC 8252 §7.1), "+
				"unless an operator lists it in allow_schemes",
			raw,
			u.Scheme,
		)
	}
	return u, nil
}

// checkLogoutURIs checks the URIs at which a client is notified of session terminations.
func (c *validation) checkLogoutURIs(m *storage.Metadata) {
	if raw := m.BackchannelLogoutURI; raw != "" {
		// Back-Channel Logout 1.0 §2.2: an absolute URI without a fragment.
		_, err := parseFetchedURI(raw, m.AllowHTTP)
		if err = refuseFragment(raw, err); err != nil {
			c.addProblem("backchannel_logout_uri", "%s", err)
		}
	}
	raw := m.FrontchannelLogoutURI
	if raw == "" {
		return
	}
	u, err := parseHTTP(raw, m.AllowHTTP)
	if err = refuseFragment(raw, err); err != nil {
		c.addProblem("frontchannel_logout_uri", "%s", err)
		return
	}
	// Front-Channel Logout 1.0 §2: scheme, host and port must be those of a redirect URI.
	hasSameOrigin := func(text string) bool {
		redirectURI, err := parseHTTP(text, m.AllowHTTP)
		return err == nil && origin(redirectURI) == origin(u)
	}
	if !slices.ContainsFunc(m.RedirectURIs, hasSameOrigin) {
		c.addProblem(
			"frontchannel_logout_uri",
			"%+q shares scheme, host and port with no redirect URI (Front-Channel Logout 1.0 §2)",
			raw,
		)
	}
}
