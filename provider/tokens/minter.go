package tokens

import (
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// Ring holds the keys that are signed, sealed and derived with (provider/keys).
type Ring interface {
	// Sign makes a JWS in compact form, of JSON claims.
	Sign(alg, typ string, claims any) (string, error)
	// Seal and Open are the two ways of a small authenticated, encrypted value; each kind has keys of its own.
	Seal(kind string, value []byte) (string, error)
	Open(kind, text string) ([]byte, error)
	// NextRefreshToken is the refresh token that follows token, the same each time.
	NextRefreshToken(token string) string
	// Pairwise is the subject of a user for the relying parties of one sector (Core §8.1).
	Pairwise(sector, subject string) string
}

// Minter mints. All fields are needed.
type Minter struct {
	Issuer    string
	Ring      Ring
	Lifetimes policy.Token
}

// Prefixes of opaque tokens: one for each kind, so that none passes for another.
const (
	AccessPrefix  = "cat_"
	RefreshPrefix = "crt_"
)

// SubjectFor is the sub by which a client knows a user: the user's own, or a pairwise one (Core §8).
func (m *Minter) SubjectFor(subject string, c *storage.Client) string {
	if !c.UsesPairwiseSubjects() || subject == "" {
		return subject
	}
	return m.Ring.Pairwise(c.SectorHost, subject)
}

// accessTokenExpiry is when an access token issued at that moment ends: never after limit, unless that is zero.
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

// audience is whom a client's access tokens are for.
func audience(c *storage.Client) []string {
	if len(c.Audience) > 0 {
		return c.Audience
	}
	return []string{c.ClientID}
}

// truncateToMillis is a moment as records keep it.
func truncateToMillis(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// newGrantID begins with the moment, so that grants which are given together share pages of a store, and goes on with
// 132 random bits.
func newGrantID(at time.Time) string { return formatMillis(at) + keys.Random("")[:22] }
