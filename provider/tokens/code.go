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

// MaxCodeLength is how long an authorization code may be: it travels in a URL.
const MaxCodeLength = 1000

var (
	// ErrInvalidCode: the text is no authorization code of ours.
	ErrInvalidCode = errors.New("not an authorization code of this issuer")
	// ErrCodeTooLong: what the code would have to carry is too large.
	ErrCodeTooLong = fmt.Errorf(
		"the authorization code would be longer than %d characters: shorten nonce or claims",
		MaxCodeLength,
	)
)

// kindCode is the kind under which codes are sealed.
const kindCode = "code"

// Code is an authorization request that a user has agreed to. It travels sealed in the authorization code itself, and
// is stored nowhere until it is redeemed. What makes it one-time is ID: base64 has several spellings of one value, so
// the text identifies nothing.
type Code struct {
	ID              string            // random
	Client          string            //
	RedirectURIHash storage.Hash      // HashOf the redirect URI, which is only ever compared
	CodeChallenge   string            // PKCE, S256; empty: none was sent
	Nonce           string            //
	Scope           []string          // what the user granted; offline_access only where it may be given
	Claims          json.RawMessage   // ClaimsRequest.Raw
	Session         storage.SessionID //
	Subject         string            // the user's own, not a pairwise one
	SID             string            // taken if the client is no member of the session yet
	Sequence        storage.Sequence  // the store's, from before client, session and consent were read
	Issued          time.Time         // whole milliseconds
	Expires         time.Time         //
}

// NewCode fills in what is the same for all codes: a new id, a new sid, and the times.
func (m *Minter) NewCode(c Code, at time.Time) Code {
	c.ID, c.SID = keys.Random(""), keys.Random("")
	c.Issued = truncateToMillis(at)
	c.Expires = c.Issued.Add(m.Lifetimes.Code)
	return c
}

// SealCode makes the text of a code. ErrCodeSize.
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

// OpenCode reads a code, expired or not. ErrCode.
func (m *Minter) OpenCode(text string) (Code, error) {
	if len(text) > MaxCodeLength {
		return Code{}, ErrInvalidCode
	}
	raw, err := m.Ring.Open(kindCode, text)
	if err != nil {
		return Code{}, ErrInvalidCode
	}
	var c Code
	var version, redirect, scope, claims, session, sequence, issued, expires string
	if !unpack(
		raw,
		&version,
		&c.ID,
		&c.Client,
		&redirect,
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
	) ||
		version != codeVersion {
		return Code{}, ErrInvalidCode
	}
	c.Scope, c.Session = strings.Fields(scope), storage.SessionID(session)
	if claims != "" {
		c.Claims = json.RawMessage(claims)
	}
	var valid [3]bool
	c.Sequence, valid[2] = parseSequence(sequence)
	c.Issued, valid[0] = parseMillis(issued)
	c.Expires, valid[1] = parseMillis(expires)
	if c.RedirectURIHash.UnmarshalText([]byte(redirect)) != nil || !valid[0] || !valid[1] || !valid[2] || c.ID == "" {
		return Code{}, ErrInvalidCode
	}
	return c, nil
}

// codeVersion begins what is sealed, so that a later release can recognize codes of this one.
const codeVersion = "1"

func formatSequence(n storage.Sequence) string { return strconv.FormatUint(uint64(n), 36) }

func parseSequence(text string) (storage.Sequence, bool) {
	n, err := strconv.ParseUint(text, 36, 64)
	return storage.Sequence(n), err == nil
}

func formatMillis(t time.Time) string { return strconv.FormatInt(t.UnixMilli(), 36) }

func parseMillis(text string) (time.Time, bool) {
	ms, err := strconv.ParseInt(text, 36, 64)
	return time.UnixMilli(ms).UTC(), err == nil
}

// Record is what the store needs of the code.
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
