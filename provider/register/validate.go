package register

import (
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
)

// Policy is what a deployment supports and allows. The zero value is the strictest one.
type Policy struct {
	// SigningAlgs are the algorithms that ID tokens and userinfo answers can be signed with. Empty: all that Curfew
	// has.
	SigningAlgs []string
	// SelfServiceScopes are those that a client may register for itself; any other is an operator's to give.
	SelfServiceScopes []string
	// AllowUnsignedIDTokens allows id_token_signed_response_alg none, and then only where Core §2 does.
	AllowUnsignedIDTokens bool
	// PublicWithoutPKCE lets a public client do without PKCE, against RFC 9700 §2.1.1, if an operator says so for it.
	PublicWithoutPKCE bool
	// MaxTrustHorizon refuses a client that may go on trusting an ended session for longer. 0: no limit.
	MaxTrustHorizon time.Duration
	Lifetimes       logout.Lifetimes // what the horizon depends on besides the client
	// MaxSelfRegisteredBytes is how large the metadata of a client that registers itself may be, in bytes of JSON. 0:
	// no limit.
	MaxSelfRegisteredBytes int
	// CheckSelfRegisteredURL reports whether a URL of a client that registers itself may be called, without asking the
	// network. nil: all may.
	CheckSelfRegisteredURL func(uri string) error

	selfRegistered bool // the client registers itself
}

// Limits that keep one client's record small; a registration never needs more.
const (
	maxURIBytes  = 2048 // bytes
	maxURIs      = 100
	maxTextBytes = 200 // bytes of a name, contact or audience
	maxItems     = 50
)

// Validate checks m, fills in the defaults of OpenID Connect Dynamic Client Registration 1.0 §2, and writes equal
// response types in one order. Its error is [Problems] and names everything that is wrong. It calls no other host; what
// sector_identifier_uri leads to is checked by [Registrar].
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
	if p.selfRegistered {
		c.checkSelfRegistered(m)
	}
	// The horizon is a sum over the other values, so it means something only if they are sound.
	if len(c.problems) == 0 {
		for _, violation := range logout.CheckMaxHorizon(p.MaxTrustHorizon, &storage.Client{Metadata: *m}, p.Lifetimes) {
			c.addProblem("max_trust_horizon", "%s", violation)
		}
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}

// checkTexts checks what is shown or compared, but never called.
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

// isScopeToken: RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ), parted by single spaces.
func isScopeToken(s string) bool {
	return s != "" &&
		!strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

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

func (c *validation) checkList(field string, values []string) {
	if len(values) > maxItems {
		c.addProblem(field, "has more than %d entries", maxItems)
		return
	}
	for i, v := range values {
		if v == "" {
			c.addProblem(indexed(field, i), "is empty; leave it out")
			continue
		}
		c.checkText(indexed(field, i), v)
	}
}
