package register

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"

	"github.com/curfew-id/curfew/storage"
)

// checkSelfRegistered applies additional limits to a client that registers itself, because it may belong to a stranger:
// Curfew calls it only at hosts of its redirect URIs, and its record must be small.
func (c *validation) checkSelfRegistered(m *storage.Metadata) {
	for _, callBack := range callBacks(m) {
		u, err := url.Parse(callBack.uri)
		if err != nil {
			continue // another check has reported it
		}
		if !sharesRedirectHost(m, u.Hostname()) {
			c.addProblem(callBack.field, "%+q shares its host with no redirect URI; "+
				"a client that registers itself is called at its own hosts only", callBack.uri)
			continue
		}
		c.checkSelfRegisteredURL(callBack.field, callBack.uri)
	}
	if m.SectorIdentifierURI != "" {
		c.checkSelfRegisteredURL("sector_identifier_uri", m.SectorIdentifierURI)
	}
	if limit := c.policy.MaxSelfRegisteredBytes; limit > 0 {
		encoded, err := json.Marshal(m)
		if err != nil || len(encoded) > limit {
			c.addProblem(
				"metadata",
				"takes %d bytes of JSON; %d are the most for a client that registers itself",
				len(encoded),
				limit,
			)
		}
	}
}

// checkSelfRegisteredURL checks that Curfew may call the URL for a client that registers itself.
func (c *validation) checkSelfRegisteredURL(field, uri string) {
	if c.policy.CheckSelfRegisteredURL == nil {
		return
	}
	if err := c.policy.CheckSelfRegisteredURL(uri); err != nil { // err is not shown: it describes the network
		c.addProblem(field, "%+q cannot be called; "+
			"a client that registers itself is called at port 443 of public addresses", uri)
	}
}

// callBack is a member of metadata with a URI that Curfew calls.
type callBack struct {
	field string
	uri   string
}

// callBacks returns the URIs that Curfew calls and that must be at the client's own hosts.
func callBacks(m *storage.Metadata) []callBack {
	var list []callBack
	for _, c := range []callBack{
		{"backchannel_logout_uri", m.BackchannelLogoutURI},
		{"jwks_uri", m.JWKSURI},
	} {
		if c.uri != "" {
			list = append(list, c)
		}
	}
	for i, uri := range m.RequestURIs {
		list = append(list, callBack{indexed("request_uris", i), uri})
	}
	return list
}

// sharesRedirectHost reports whether an http or https redirect URI has this host.
func sharesRedirectHost(m *storage.Metadata, host string) bool {
	return slices.ContainsFunc(m.RedirectURIs, func(redirectURI string) bool {
		u, err := url.Parse(redirectURI)
		if err != nil {
			return false
		}
		isHTTP := u.Scheme == "https" || u.Scheme == "http"
		return isHTTP && strings.EqualFold(u.Hostname(), host)
	})
}
