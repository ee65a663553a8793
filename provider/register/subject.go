package register

import "github.com/curfew-id/curfew/storage"

// checkSubjectType checks subject_type and sector_identifier_uri and fills in the default.
func (c *validation) checkSubjectType(m *storage.Metadata) {
	c.checkOneOf("subject_type", m.SubjectType, "public", "pairwise")
	if m.SubjectType == "" {
		m.SubjectType = "public"
	}
	if m.SectorIdentifierURI != "" {
		// Registration §5: https is required, also for loopback hosts.
		_, err := parseHTTPS(m.SectorIdentifierURI)
		if err = refuseFragment(m.SectorIdentifierURI, err); err != nil {
			c.addProblem("sector_identifier_uri", "%s", err)
		}
		return
	}
	if m.SubjectType == "pairwise" && len(m.RedirectURIs) > 0 && m.Sector() == "" {
		c.addProblem("sector_identifier_uri", "is missing; "+
			"pairwise subjects need it unless all redirect URIs are https on one host "+
			"that is not this machine (Core §8.1)")
	}
}

// checkOtherURIs checks the URIs to which pages link or redirect, and the registered request_uris.
func (c *validation) checkOtherURIs(m *storage.Metadata) {
	links := []struct{ field, uri string }{
		{"client_uri", m.ClientURI},
		{"policy_uri", m.PolicyURI},
		{"tos_uri", m.TOSURI},
		{"logo_uri", m.LogoURI},
	}
	for _, link := range links {
		if link.uri == "" {
			continue
		}
		if _, err := parseHTTPSOrLocalhost(link.uri); err != nil {
			c.addProblem(link.field, "%s", err)
		}
	}
	if m.InitiateLoginURI != "" {
		// Registration §2 requires https.
		if _, err := parseHTTPS(m.InitiateLoginURI); err != nil {
			c.addProblem("initiate_login_uri", "%s", err)
		}
	}
	if len(m.RequestURIs) > maxURIs {
		c.addProblem("request_uris", "has more than %d entries", maxURIs)
		return
	}
	const allowHTTP = false
	for i, raw := range m.RequestURIs {
		// A fragment is allowed: it is the hash of the request object (Registration §2).
		if _, err := parseFetchedURI(raw, allowHTTP); err != nil {
			c.addProblem(indexed("request_uris", i), "%s", err)
		}
	}
}
