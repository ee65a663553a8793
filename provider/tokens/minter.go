package tokens

import (
	"cmp"
	"slices"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// Ring signs, seals and derives values with the provider's keys (provider/keys).
type Ring interface {
	// Sign returns a compact JWS of the claims as JSON.
	Sign(alg, typ string, claims any) (string, error)
	// Seal encrypts and authenticates a small value. Each kind has its own keys.
	Seal(kind string, value []byte) (string, error)
	// Open returns the value of a text that Seal made for the same kind.
	Open(kind, text string) ([]byte, error)
	// NextRefreshToken derives the refresh token that follows token. The same token always has the same successor.
	NextRefreshToken(token string) string
	// Pairwise derives the sub by which the clients of one sector know a user (Core §8.1).
	Pairwise(sector, subject string) string
}

// Minter makes tokens. Issuer, Ring and Lifetimes are required.
type Minter struct {
	Issuer    string
	Ring      Ring
	Lifetimes policy.Token
	// APIScopes are the scopes of APIs that the operator declared.
	APIScopes storage.APIScopes
	// StatedACR returns the acr that a token contains: the acr of the session, or an equivalent that accepts allows
	// (provider/authn). nil: always the acr of the session.
	StatedACR func(acr string, accepts func(value any) bool) string
}

// Prefixes of opaque tokens. Each kind has its own, so that one kind is not accepted as another.
const (
	AccessPrefix  = "cat_"
	RefreshPrefix = "crt_"
)

// SubjectFor returns the sub by which a client knows a user: the user's subject, or a pairwise one (Core §8).
func (m *Minter) SubjectFor(subject string, c *storage.Client) string {
	if !c.UsesPairwiseSubjects() || subject == "" {
		return subject
	}
	return m.Ring.Pairwise(c.SectorHost, subject)
}

// GrantedSubject returns the subject identifier of a grant's tokens: the one that was granted. A grant of an earlier
// release does not have it. Such a grant has the client's present one, because it ends when that changes.
func (m *Minter) GrantedSubject(g storage.Grant, c *storage.Client) string {
	return cmp.Or(g.ClientSubject, m.SubjectFor(g.Subject, c))
}

// accessTokenExpiry returns the expiry of an access token that is issued at this time. The expiry is at most limit; a
// zero limit does not count.
func (m *Minter) accessTokenExpiry(c *storage.Client, at, limit time.Time) time.Time {
	lifetime := m.Lifetimes.Opaque
	if c.UsesJWTAccessTokens() {
		lifetime = m.Lifetimes.JWT
	}
	expiresAt := at.Add(lifetime)
	if !limit.IsZero() && limit.Before(expiresAt) {
		return limit
	}
	return expiresAt
}

// audience returns the audience of an opaque access token of the client with that scope: the client's registered
// audience and those of the APIs, by default the client itself.
func (m *Minter) audience(c *storage.Client, scope []string) []string {
	if values := m.APIScopes.Audience(c, scope); len(values) > 0 {
		return values
	}
	return []string{c.ClientID}
}

// jwtAudience returns the audience of a JWT access token of the client with that scope. It never contains the client: a
// relying party that does not check typ would accept such a token as an ID token. The audience is the issuer if there
// is no other: for a client that was registered before an audience was required, and for a token without scopes of APIs
// of a client that has only those.
func (m *Minter) jwtAudience(c *storage.Client, scope []string) []string {
	isClient := func(value string) bool { return value == c.ClientID }
	values := slices.DeleteFunc(m.APIScopes.Audience(c, scope), isClient)
	if len(values) == 0 {
		return []string{m.Issuer}
	}
	return values
}

// truncateToMillis returns t in UTC with the precision of stored records.
func truncateToMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// grantIDRandomLength is the length of the random part of a grant ID: 132 bits in base64url.
const grantIDRandomLength = 22

// newGrantID returns a new grant ID: the time, then a random part. The time comes first, so that the store writes
// grants of the same time next to each other.
func newGrantID(at time.Time) string { return formatMillis(at) + keys.Random()[:grantIDRandomLength] }
