package register

import (
	"cmp"
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

// minSecretLength is the minimum length of a client_secret that Curfew did not generate, in characters.
const minSecretLength = 32

// maxSectorSize is the maximum size of the document at a sector_identifier_uri, in bytes.
const maxSectorSize = 256 << 10

// Fetcher fetches a JSON document. A cached document may be up to maxAge old (provider/egress).
type Fetcher interface {
	FetchJSON(ctx context.Context, uri string, maxBytes int64, maxAge time.Duration) ([]byte, error)
}

// Registrar builds client records from metadata. The caller stores them.
type Registrar struct {
	Policy    Policy
	Fetch     Fetcher // nil: no client can have a sector_identifier_uri
	SelfFetch Fetcher // as Fetch, for clients that register themselves
	Clients   Clients // the stored clients; nil: other clients are not checked
	// WrapSecret encrypts a secret for client_secret_jwt. nil: no client can use that method.
	WrapSecret func(clientID string, secret []byte) ([]byte, error)
	Now        func() time.Time
}

// NewClient builds a new client from m. It generates the client_id and the secret unless they are given. newSecret is
// the secret of the client, or empty if its authentication method needs none. If m or the secret is invalid, the error
// is [Problems].
func (r *Registrar) NewClient(
	ctx context.Context,
	m storage.Metadata,
	secret string,
) (c storage.Client, newSecret string, err error) {
	if m.ClientID == "" {
		m.ClientID = strings.ToLower(rand.Text())
	}
	now := r.Now()
	return r.buildClient(ctx, storage.Client{Created: now}, m, secret, now)
}

// NewSelfRegistered builds a new client that registers itself. It returns the same values as NewClient.
func (r *Registrar) NewSelfRegistered(
	ctx context.Context,
	m storage.Metadata,
) (c storage.Client, newSecret string, err error) {
	m.ClientID = strings.ToLower(rand.Text())
	now := r.Now()
	return r.buildClient(ctx, storage.Client{Created: now, Dynamic: true}, m, "", now)
}

// UpdateClient replaces all metadata of a client with m. The secret stays, unless a new one is given or the new
// authentication method needs one that the client does not have. newSecret is empty if the secret stays.
func (r *Registrar) UpdateClient(
	ctx context.Context,
	old *storage.Client,
	m storage.Metadata,
	secret string,
) (c storage.Client, newSecret string, err error) {
	if m.ClientID != "" && m.ClientID != old.ClientID {
		return storage.Client{}, "", Problems{
			{Code: InvalidMetadata, Field: "client_id", Text: "cannot change; make a new client"},
		}
	}
	m.ClientID = old.ClientID
	return r.buildClient(ctx, *old, m, secret, r.Now())
}

// buildClient validates m and the secret and sets them on c. It returns the same values as NewClient.
func (r *Registrar) buildClient(
	ctx context.Context,
	c storage.Client,
	m storage.Metadata,
	secret string,
	now time.Time,
) (built storage.Client, newSecret string, err error) {
	var problems Problems
	policy := r.Policy
	policy.selfRegistered = c.Dynamic
	err = Validate(&m, policy)
	if err != nil && !errors.As(err, &problems) {
		return storage.Client{}, "", err
	}
	// If sector and redirect URIs are unchanged, they are not checked again: an update must work while the sector's
	// host is down.
	sectorUnchanged := c.SectorIdentifierURI == m.SectorIdentifierURI && slices.Equal(c.RedirectURIs, m.RedirectURIs)
	mustCheckSector := m.SectorIdentifierURI != "" && !sectorUnchanged
	if err == nil && mustCheckSector {
		if problem := r.checkSector(ctx, &m, c.Dynamic); problem != nil {
			problems = append(problems, *problem)
		}
	}
	// Only the client_id of a new client that an operator chose can be an audience of another client already.
	isChosenID := c.Revision == 0 && !c.Dynamic
	audienceProblems, err := r.checkAudienceOfOthers(ctx, &m, isChosenID)
	if err != nil {
		return storage.Client{}, "", err
	}
	problems = append(problems, audienceProblems...)
	if err := r.checkSecret(&m, secret); err != nil {
		problems = append(problems, Problem{Code: InvalidMetadata, Field: "client_secret", Text: err.Error()})
	}
	if len(problems) > 0 {
		return storage.Client{}, "", problems
	}
	c.SetMetadata(m, now)
	newSecret, err = r.setSecret(&c, secret)
	return c, newSecret, err
}

// checkSector checks that the document at sector_identifier_uri lists all redirect URIs (Registration §5). Without this
// check, a client could use the sector of another client and find out which users they have in common.
//
// The response to a client that registers itself says only that the document cannot be used. It does not say whether
// the document exists, because otherwise strangers could explore other hosts through Curfew. The log has the cause.
func (r *Registrar) checkSector(ctx context.Context, m *storage.Metadata, selfRegistered bool) *Problem {
	fetch := r.Fetch
	if selfRegistered {
		fetch = r.SelfFetch
	}
	problem := Problem{Code: InvalidMetadata, Field: "sector_identifier_uri"}
	if fetch == nil {
		problem.Text = "cannot be read here"
		return &problem
	}
	text, err := readSector(ctx, fetch, m)
	if err == nil {
		return nil
	}
	problem.Text = text
	if selfRegistered {
		problem.Text = "leads to no JSON array that lists all redirect URIs (Registration §5), or cannot be read"
	}
	problem.Cause = err
	return &problem
}

// readSector fetches the document at sector_identifier_uri. If the document does not list all redirect URIs, readSector
// returns a text for the caller and an error for the log.
func readSector(ctx context.Context, fetch Fetcher, m *storage.Metadata) (text string, err error) {
	body, err := fetch.FetchJSON(ctx, m.SectorIdentifierURI, maxSectorSize, time.Minute)
	if err != nil {
		// The error is only logged. In the response it would describe the provider's network to strangers.
		return "could not be read", err
	}
	var sectorURIs []string
	if err := json.Unmarshal(body, &sectorURIs); err != nil {
		text = "leads to something else than a JSON array of redirect URIs (Registration §5)"
		return text, errors.New(text)
	}
	for _, uri := range m.RedirectURIs {
		if !slices.Contains(sectorURIs, uri) {
			text = fmt.Sprintf("leads to a list without the redirect URI %+q (Registration §5)", uri)
			return text, errors.New(text)
		}
	}
	return "", nil
}

// checkSecret checks a client_secret that the caller chose. given is empty if the secret is to be generated.
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
		return fmt.Errorf(
			"has %d characters; %d are the least, or leave it out to get one",
			len(given),
			minSecretLength,
		)
	case len(given) > maxURIBytes:
		return fmt.Errorf("is longer than %d characters", maxURIBytes)
	case strings.ContainsFunc(given, isNotPrintableASCII):
		return errors.New("holds something else than printable ASCII (RFC 6749 appendix A.2)")
	}
	return nil
}

func isNotPrintableASCII(r rune) bool { return r < ' ' || r > '~' }

// hasSecret reports whether the client authenticates with a client_secret.
func hasSecret(m *storage.Metadata) bool {
	return m.TokenEndpointAuthMethod == "" || strings.HasPrefix(m.TokenEndpointAuthMethod, "client_secret_")
}

// setSecret sets the secret of c to the given one. If given is empty, c keeps its secret, or gets a generated one if it
// has none. newSecret is empty if c keeps its secret or needs none.
func (r *Registrar) setSecret(c *storage.Client, given string) (newSecret string, err error) {
	if !hasSecret(&c.Metadata) {
		c.SecretHash = storage.Hash{}
		c.SecretWrapped = nil
		return "", nil
	}
	needsWrapped := c.TokenEndpointAuthMethod == "client_secret_jwt" // a hash cannot verify its assertions
	lacksWrapped := needsWrapped && c.SecretWrapped == nil
	hasUsableSecret := !c.SecretHash.IsZero() && !lacksWrapped
	if given == "" && hasUsableSecret {
		return "", nil
	}
	newSecret = cmp.Or(given, keys.Random())
	c.SecretHash = storage.HashOf(newSecret)
	c.SecretWrapped = nil
	if needsWrapped {
		wrapped, err := r.WrapSecret(c.ClientID, []byte(newSecret))
		if err != nil {
			return "", fmt.Errorf("wrap client secret: %w", err)
		}
		c.SecretWrapped = wrapped
	}
	return newSecret, nil
}

// maxClientIDLength is the maximum length of a client_id, in bytes.
const maxClientIDLength = 255

// checkClientID checks a client_id that the caller chose. It must be usable in URLs, forms and HTTP Basic.
func checkClientID(id string) error {
	switch {
	case len(id) > maxClientIDLength:
		return errors.New("is longer than 255 characters")
	case id == "." || id == "..":
		return errors.New("is lost in a URL's path; choose another")
	case strings.Contains(id, " ") || strings.ContainsFunc(id, isNotPrintableASCII):
		return errors.New("holds something else than visible ASCII characters")
	}
	return nil
}
