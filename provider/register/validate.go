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
	// SigningAlgs are the algorithms that ID tokens and userinfo answers can be signed with. Empty: all that Curfew has.
	SigningAlgs []string
	// Scopes are those that a client may register for itself; any other is an operator's to give.
	Scopes []string
	// Unsigned allows id_token_signed_response_alg none, and then only where Core §2 does.
	Unsigned bool
	// PublicWithoutPKCE lets a public client do without PKCE, against RFC 9700 §2.1.1, if an operator says so for it.
	PublicWithoutPKCE bool
	// MaxTrustHorizon refuses a client that may go on trusting an ended session for longer. 0: no limit.
	MaxTrustHorizon time.Duration
	Lifetimes       logout.Lifetimes // what the horizon depends on besides the client
}

// Limits that keep one client's record small; a registration never needs more.
const (
	maxURI   = 2048 // bytes
	maxURIs  = 100
	maxText  = 200 // bytes of a name, contact or audience
	maxItems = 50
)

// Validate checks m, fills in the defaults of OpenID Connect Dynamic Client Registration 1.0 §2, and writes equal
// response types in one order. Its error is [Problems] and names everything that is wrong. It calls nobody; what
// sector_identifier_uri leads to is checked by [Registrar].
func Validate(m *storage.Metadata, p Policy) error {
	c := check{policy: p}
	c.flow(m)
	c.redirects(m)
	c.logout(m)
	c.keys(m)
	c.algorithms(m)
	c.subjects(m)
	c.pages(m)
	c.texts(m)
	c.choices(m)
	// The horizon is a sum over the other values, so it means something only if they are sound.
	if len(c.problems) == 0 {
		for _, breach := range logout.CheckMaxHorizon(p.MaxTrustHorizon, &storage.Client{Metadata: *m}, p.Lifetimes) {
			c.refuse("max_trust_horizon", "%s", breach)
		}
	}
	if len(c.problems) > 0 {
		return c.problems
	}
	return nil
}

// texts checks what is shown or compared, but never called.
func (c *check) texts(m *storage.Metadata) {
	if m.ClientID != "" {
		if err := checkID(m.ClientID); err != nil {
			c.refuse("client_id", "%s", err)
		}
	}
	c.text("client_name", m.ClientName)
	c.list("contacts", m.Contacts)
	c.list("default_acr_values", m.DefaultACRValues)
	if m.DefaultMaxAge != nil && *m.DefaultMaxAge < 0 {
		c.refuse("default_max_age", "is negative; give seconds, or leave it out")
	}
	if m.Scope != "" {
		for token := range strings.SplitSeq(m.Scope, " ") {
			if !scopeToken(token) {
				c.refuse("scope", "%+q is not a list of scopes parted by single spaces (RFC 6749 §3.3)", m.Scope)
				break
			}
		}
	}
}

// scopeToken: RFC 6749 §3.3: 1*( %x21 / %x23-5B / %x5D-7E ), parted by single spaces.
func scopeToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' })
}

func (c *check) text(field, value string) {
	switch {
	case len(value) > maxText:
		c.refuse(field, "is longer than %d bytes", maxText)
	case strings.ContainsFunc(value, func(r rune) bool { return !unicode.IsGraphic(r) }):
		c.refuse(field, "holds characters that cannot be shown")
	case value != "" && strings.TrimSpace(value) != value:
		c.refuse(field, "begins or ends with a space")
	}
}

func (c *check) list(field string, values []string) {
	if len(values) > maxItems {
		c.refuse(field, "has more than %d entries", maxItems)
		return
	}
	for i, v := range values {
		if v == "" {
			c.refuse(at(field, i), "is empty; leave it out")
			continue
		}
		c.text(at(field, i), v)
	}
}
