package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// MaxCodeLength is the maximum length of an authorization code in bytes, because a code travels in a URL.
const MaxCodeLength = 1000

var (
	// ErrInvalidCode says that a text is not an authorization code of this provider.
	ErrInvalidCode = errors.New("not an authorization code of this issuer")
	// ErrCodeTooLong says that the code would be longer than MaxCodeLength.
	ErrCodeTooLong = fmt.Errorf(
		"the authorization code would be longer than %d characters: shorten nonce or claims",
		MaxCodeLength,
	)
)

// kindCode separates codes from other sealed values: a value that was sealed as another kind does not open as a code.
const kindCode = "code"

// Code is an authorization request to which a user has agreed. The authorization code is the sealed Code itself.
// Nothing is stored until the code is redeemed. The replay cache records ID, not the text, because several base64 texts
// decode to the same code.
type Code struct {
	ID              string // random
	Client          string
	RedirectURIHash storage.Hash // the redirect URI is only compared, so a hash is enough
	CodeChallenge   string       // PKCE with S256; empty: the request had none
	Nonce           string
	Scope           []string        // granted scopes
	Claims          json.RawMessage // from ClaimsRequest.Raw
	Session         storage.SessionID
	Subject         string           // the user's subject, not a pairwise one
	SID             string           // the sid of the client session, if the code's redemption starts one
	Sequence        storage.Sequence // read before client, session and consent: a later cutoff revokes the code
	Issued          time.Time        // whole milliseconds
	Expires         time.Time
}

// NewCode returns c with a new ID, a new sid, and the times of a code that is issued at this time.
func (m *Minter) NewCode(c Code, at time.Time) Code {
	c.ID = keys.Random()
	c.SID = keys.Random()
	c.Issued = truncateToMillis(at)
	c.Expires = c.Issued.Add(m.Lifetimes.Code)
	return c
}

// SealCode returns the text of a code. It returns ErrCodeTooLong if nonce or claims are too long.
func (m *Minter) SealCode(c Code) (string, error) {
	raw := pack(
		codeVersion,
		c.ID,
		c.Client,
		c.RedirectURIHash.String(),
		c.CodeChallenge,
		c.Nonce,
		strings.Join(c.Scope, " "),
		string(c.Claims),
		string(c.Session),
		c.Subject,
		c.SID,
		formatSequence(c.Sequence),
		formatMillis(c.Issued),
		formatMillis(c.Expires),
	)
	text, err := m.Ring.Seal(kindCode, raw)
	if err != nil {
		return "", fmt.Errorf("seal code: %w", err)
	}
	if len(text) > MaxCodeLength {
		return "", ErrCodeTooLong
	}
	return text, nil
}

// OpenCode returns the content of an authorization code. It does not check the expiry. It returns ErrInvalidCode if
// text is not an authorization code.
func (m *Minter) OpenCode(text string) (Code, error) {
	if len(text) > MaxCodeLength {
		return Code{}, ErrInvalidCode
	}
	raw, err := m.Ring.Open(kindCode, text)
	if err != nil {
		return Code{}, ErrInvalidCode
	}
	var c Code
	var version, redirectURIHash, scope, claims, session, sequence, issued, expires string
	complete := unpack(
		raw,
		&version,
		&c.ID,
		&c.Client,
		&redirectURIHash,
		&c.CodeChallenge,
		&c.Nonce,
		&scope,
		&claims,
		&session,
		&c.Subject,
		&c.SID,
		&sequence,
		&issued,
		&expires,
	)
	if !complete || version != codeVersion || c.ID == "" {
		return Code{}, ErrInvalidCode
	}
	c.Scope = strings.Fields(scope)
	c.Session = storage.SessionID(session)
	if claims != "" {
		c.Claims = json.RawMessage(claims)
	}
	var sequenceOK, issuedOK, expiresOK bool
	c.Sequence, sequenceOK = parseSequence(sequence)
	c.Issued, issuedOK = parseMillis(issued)
	c.Expires, expiresOK = parseMillis(expires)
	hashErr := c.RedirectURIHash.UnmarshalText([]byte(redirectURIHash))
	if !sequenceOK || !issuedOK || !expiresOK || hashErr != nil {
		return Code{}, ErrInvalidCode
	}
	return c, nil
}

// codeVersion is the first value of a sealed code. By it, a later release can recognize the codes of this release.
const codeVersion = "1"

// compactBase is the base of the numbers in codes and token IDs: the largest that strconv supports.
const compactBase = 36

func formatSequence(n storage.Sequence) string { return strconv.FormatUint(uint64(n), compactBase) }

func parseSequence(text string) (storage.Sequence, bool) {
	n, err := strconv.ParseUint(text, compactBase, 64)
	return storage.Sequence(n), err == nil
}

func formatMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), compactBase) }

func parseMillis(text string) (time.Time, bool) {
	ms, err := strconv.ParseInt(text, compactBase, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

// Record returns the part of the code that the store needs.
func (c Code) Record() storage.Code {
	return storage.Code{
		ID:       c.ID,
		Client:   c.Client,
		Subject:  c.Subject,
		Session:  c.Session,
		SID:      c.SID,
		Sequence: c.Sequence,
		Issued:   c.Issued,
		Expires:  c.Expires,
	}
}
