package register

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// minSecretLength is the least length of a client_secret that the caller chose, in characters.
const minSecretLength = 32

// Fetcher reads a JSON document that a relying party names; provider/egress does.
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Registrar makes client records of metadata. It stores nothing.
type Registrar struct {
	Policy     Policy
	Fetch      Fetcher                                              // nil: no client can have a sector_identifier_uri
	WrapSecret func(clientID string, secret []byte) ([]byte, error) // for secrets that must be known; nil: no client_secret_jwt
	Now        func() time.Time
}

// NewClient makes a new client of m. A client_id in m and a secret that is given are kept, what is missing is made; the
// secret is returned, empty if the client has none. The error is [Problems] if m or the secret is at fault.
func (r *Registrar) NewClient(ctx context.Context, m storage.Metadata, secret string) (storage.Client, string, error) {
	if m.ClientID == "" {
		m.ClientID = strings.ToLower(rand.Text())
	}
	now := r.Now()
	return r.buildClient(ctx, storage.Client{Created: now}, m, secret, now)
}

// UpdateClient gives a client new metadata in place of all of what it had. Its secret stays unless one is given or the new
// authentication method needs one that the old had not; only a secret that is new is returned.
func (r *Registrar) UpdateClient(ctx context.Context, old *storage.Client, m storage.Metadata, secret string) (storage.Client, string, error) {
	if m.ClientID != "" && m.ClientID != old.ClientID {
		return storage.Client{}, "", Problems{{Code: InvalidMetadata, Field: "client_id", Text: "cannot change; make a new client"}}
	}
	m.ClientID = old.ClientID
	return r.buildClient(ctx, *old, m, secret, r.Now())
}

func (r *Registrar) buildClient(ctx context.Context, c storage.Client, m storage.Metadata, secret string, now time.Time) (storage.Client, string, error) {
	var problems Problems
	err := Validate(&m, r.Policy)
	if err != nil && !errors.As(err, &problems) {
		return storage.Client{}, "", err
	}
	// What was listed once is not asked for again, so that a relying party can be changed while its sector does not answer.
	sectorUnchanged := c.SectorIdentifierURI == m.SectorIdentifierURI && slices.Equal(c.RedirectURIs, m.RedirectURIs)
	if m.SectorIdentifierURI != "" && !sectorUnchanged && err == nil {
		if problem := r.checkSector(ctx, &m); problem != nil {
			problems = append(problems, *problem)
		}
	}
	if err := r.checkSecret(&m, secret); err != nil {
		problems = append(problems, Problem{Code: InvalidMetadata, Field: "client_secret", Text: err.Error()})
	}
	if len(problems) > 0 {
		return storage.Client{}, "", problems
	}
	c.SetMetadata(m, now)
	secret, err = r.setSecret(&c, secret)
	return c, secret, err
}

// checkSector reads sector_identifier_uri: all redirect URIs must stand in it (Registration §5), or an attacker could
// join the sector of another and learn which of their users are the same.
func (r *Registrar) checkSector(ctx context.Context, m *storage.Metadata) *Problem {
	problem := Problem{Code: InvalidMetadata, Field: "sector_identifier_uri"}
	if r.Fetch == nil {
		problem.Text = "cannot be read here"
		return &problem
	}
	body, err := r.Fetch.FetchJSON(ctx, m.SectorIdentifierURI, 256<<10, time.Minute)
	if err != nil {
		// The cause goes to the log only: shown to the caller, it would let strangers map the provider's network.
		problem.Text, problem.Cause = "could not be read", err
		return &problem
	}
	var sectorURIs []string
	if err := json.Unmarshal(body, &sectorURIs); err != nil {
		problem.Text = "leads to something else than a JSON array of redirect URIs (Registration §5)"
		return &problem
	}
	for _, uri := range m.RedirectURIs {
		if !slices.Contains(sectorURIs, uri) {
			problem.Text = fmt.Sprintf("leads to a list without the redirect URI %+q (Registration §5)", uri)
			return &problem
		}
	}
	return nil
}

func (r *Registrar) checkSecret(m *storage.Metadata, given string) error {
	if m.TokenEndpointAuthMethod == "client_secret_jwt" && r.WrapSecret == nil {
		return errors.New("cannot be kept for client_secret_jwt here; use private_key_jwt")
	}
	switch {
	case given == "":
		return nil
	case !hasSecret(m):
		return fmt.Errorf("has no use with %s; leave it out", m.TokenEndpointAuthMethod)
	case len(given) < minSecretLength:
		return fmt.Errorf("has %d characters; %d are the least, or leave it out to get one", len(given), minSecretLength)
	case len(given) > maxURIBytes:
		return fmt.Errorf("is longer than %d characters", maxURIBytes)
	case strings.ContainsFunc(given, func(c rune) bool { return c < ' ' || c > '~' }):
		return errors.New("holds something else than printable ASCII (RFC 6749 appendix A.2)")
	}
	return nil
}

// hasSecret reports whether the client authenticates by a client_secret.
func hasSecret(m *storage.Metadata) bool {
	return m.TokenEndpointAuthMethod == "" || strings.HasPrefix(m.TokenEndpointAuthMethod, "client_secret_")
}

// setSecret gives c the secret that its authentication method needs and returns it if it is new.
func (r *Registrar) setSecret(c *storage.Client, given string) (string, error) {
	if !hasSecret(&c.Metadata) {
		c.SecretHash, c.SecretWrapped = storage.Hash{}, nil
		return "", nil
	}
	keepsPlaintext := c.TokenEndpointAuthMethod == "client_secret_jwt"
	if given == "" && !c.SecretHash.IsZero() && (!keepsPlaintext || c.SecretWrapped != nil) {
		return "", nil
	}
	if given == "" {
		given = keys.Random("")
	}
	c.SecretHash, c.SecretWrapped = storage.HashOf(given), nil
	if keepsPlaintext {
		wrapped, err := r.WrapSecret(c.ClientID, []byte(given))
		if err != nil {
			return "", fmt.Errorf("wrap client secret: %w", err)
		}
		c.SecretWrapped = wrapped
	}
	return given, nil
}

// checkClientID checks a client_id that the caller chose. It stands in URLs, forms and HTTP Basic.
func checkClientID(id string) error {
	switch {
	case len(id) > 255:
		return errors.New("is longer than 255 characters")
	case id == "." || id == "..":
		return errors.New("is lost in a URL's path; choose another")
	case strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }):
		return errors.New("holds something else than visible ASCII characters")
	}
	return nil
}
