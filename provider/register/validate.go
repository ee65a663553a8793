package register

import (
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// Policy contains the features and limits of the deployment. The zero value is the strictest one.
type Policy struct {
	// SigningAlgs are the algorithms for ID tokens and UserInfo responses. Empty: all that Curfew supports.
	SigningAlgs []string
	// SelfServiceScopes are the scopes that a client may register for itself. Only an operator can grant other scopes.
	SelfServiceScopes []string
	// AllowUnsignedIDTokens allows id_token_signed_response_alg none where Core §2 allows it.
	AllowUnsignedIDTokens bool
	// Implicit allows the response types that give tokens at the authorization endpoint.
	Implicit bool
	// PublicWithoutPKCE allows an operator to exempt a public client from PKCE, against RFC 9700 §2.1.1.
	PublicWithoutPKCE bool
	// MaxTrustHorizon is the maximum trust horizon that a client may declare. 0: no limit.
	MaxTrustHorizon time.Duration
	// Lifetimes are the deployment's lifetimes, on which the trust horizon depends.
	Lifetimes logout.Lifetimes
	// APIScopes are the scopes of APIs that the operator declared.
	APIScopes storage.APIScopes
	// MaxSelfRegisteredBytes is the maximum size of the metadata of a client that registers itself, in bytes of JSON.
	// 0: no limit.
	MaxSelfRegisteredBytes int
	// CheckSelfRegisteredURL returns an error if Curfew may not call this URL of a client that registers itself. It
	// sends no requests. nil: Curfew may call every URL.
	CheckSelfRegisteredURL func(uri string) error

	selfRegistered bool // the client registers itself
}

// Limits that keep the record of a client small.
const (
	maxURIBytes  = 2048 // of one URI
	maxURIs      = 100  // in one list of URIs
	maxTextBytes = 200  // of a name, contact or audience
	maxItems     = 50   // in one list of texts
)

// Validate checks m, fills in the defaults of OpenID Connect Dynamic Client Registration 1.0 §2, and sorts the values
// of response types. Its error is [Problems] and lists all problems. Validate sends no requests: [Registrar] checks the
// document at sector_identifier_uri.
func Validate(m *storage.Metadata, p Policy) error {
	c := validation{policy: p}
	c.checkFlow(m)
	c.checkRedirects(m)
	c.checkLogoutURIs(m)
	c.checkKeySource(m)
	c.checkAlgorithms(m)
	c.checkSubjectType(m)
	c.checkOtherURIs(m)
	c.checkTexts(m)
	c.checkExtensions(m)
	c.checkAudience(m)
	if p.selfRegistered {
		c.checkSelfRegistered(m)
	}
	// The trust horizon is computed from other values of m, so they must be valid.
	if len(c.problems) == 0 {
		client := &storage.Client{Metadata: *m}
		for _, violation := range logout.CheckMaxHorizon(p.MaxTrustHorizon, client, p.Lifetimes) {
			c.addProblem("max_trust_horizon", "%s", violation)
		}
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}

// checkTexts checks the texts in m that are not URIs.
func (c *validation) checkTexts(m *storage.Metadata) {
	if m.ClientID != "" {
		if err := checkClientID(m.ClientID); err != nil {
			c.addProblem("client_id", "%s", err)
		}
	}
	c.checkText("client_name", m.ClientName)
	c.checkList("contacts", m.Contacts)
	c.checkList("default_acr_values", m.DefaultACRValues)
	if m.DefaultMaxAge != nil && *m.DefaultMaxAge < 0 {
		c.addProblem("default_max_age", "is negative; give seconds, or leave it out")
	}
	if m.Scope != "" {
		for token := range strings.SplitSeq(m.Scope, " ") {
			if !isScopeToken(token) {
				c.addProblem("scope", "%+q is not a list of scopes parted by single spaces (RFC 6749 §3.3)", m.Scope)
				break
			}
		}
	}
}

// isScopeToken reports whether s is a scope-token: 1*( %x21 / %x23-5B / %x5D-7E ) (RFC 6749 §3.3).
func isScopeToken(s string) bool {
	isForbidden := func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }
	return s != "" && !strings.ContainsFunc(s, isForbidden)
}

// checkText checks the length and the characters of a text.
func (c *validation) checkText(field, value string) {
	switch {
	case len(value) > maxTextBytes:
		c.addProblem(field, "is longer than %d bytes", maxTextBytes)
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsGraphic(r) }):
		c.addProblem(field, "holds characters that cannot be shown")
	case value != "" && strings.TrimSpace(value) != value:
		c.addProblem(field, "begins or ends with a space")
	}
}

// checkList checks the length and the entries of a list of texts.
func (c *validation) checkList(field string, values []string) {
	if len(values) > maxItems {
		c.addProblem(field, "has more than %d entries", maxItems)
		return
	}
	for i, value := range values {
		if value == "" {
			c.addProblem(indexed(field, i), "is empty; leave it out")
			continue
		}
		c.checkText(indexed(field, i), value)
	}
}
