package tokens

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/curfew-id/curfew/provider/keys"
	"github.com/curfew-id/curfew/storage"
)

// CodeMax is how long an authorization code may be: it travels in a URL.
const CodeMax = 1024

var (
	// ErrCode: the text is no authorization code of ours.
	ErrCode = errors.New("not an authorization code of this issuer")
	// ErrCodeSize: what the code would have to carry is too large.
	ErrCodeSize = fmt.Errorf("the authorization code would be longer than %d characters: shorten nonce or claims", CodeMax)
)

// kindCode is the kind under which codes are sealed.
const kindCode = "code"

// Code is an authorization request that a person has agreed to. It travels sealed in the authorization code itself, and is stored nowhere
// until it is redeemed. What makes it one-time is ID: base64 has several spellings of one value, so the text identifies nothing.
type Code struct {
	ID        string            // random
	Client    string            //
	Redirect  storage.Hash      // HashOf the redirect URI, which is only ever compared
	Challenge string            // PKCE, S256; empty: none was sent
	Nonce     string            //
	Scope     []string          // what the person granted; offline_access only where it may be given
	Claims    json.RawMessage   // ClaimsRequest.Raw
	Session   storage.SessionID //
	Subject   string            // the person's own, not a pairwise one
	SID       string            // taken if the client is no member of the session yet
	Issued    time.Time         // whole milliseconds
	Expires   time.Time         //
}

// sealedCode is Code as it stands in a code: with short names, for the sake of its length.
type sealedCode struct {
	ID        string            `json:"i"`
	Client    string            `json:"c"`
	Redirect  storage.Hash      `json:"u"`
	Challenge string            `json:"p,omitempty"`
	Nonce     string            `json:"n,omitempty"`
	Scope     string            `json:"s,omitempty"`
	Claims    json.RawMessage   `json:"l,omitempty"`
	Session   storage.SessionID `json:"e"`
	Subject   string            `json:"b"`
	SID       string            `json:"d"`
	Issued    int64             `json:"t"`
	Life      int64             `json:"x"` // milliseconds
}

// NewCode fills in what is the same for all codes: a new id, a new sid, and the times.
func (m *Minter) NewCode(c Code, at time.Time) Code {
	c.ID, c.SID = keys.Random(""), keys.Random("")
	c.Issued = instant(at)
	c.Expires = c.Issued.Add(m.Lifetimes.Code)
	return c
}

// SealCode makes the text of a code. ErrCodeSize.
func (m *Minter) SealCode(c Code) (string, error) {
	raw, err := json.Marshal(sealedCode{c.ID, c.Client, c.Redirect, c.Challenge, c.Nonce, strings.Join(c.Scope, " "), c.Claims, c.Session, c.Subject, c.SID,
		c.Issued.UnixMilli(), c.Expires.Sub(c.Issued).Milliseconds()})
	if err != nil {
		return "", fmt.Errorf("encode code: %w", err)
	}
	text, err := m.Ring.Seal(kindCode, raw)
	if err != nil {
		return "", fmt.Errorf("seal code: %w", err)
	}
	if len(text) > CodeMax {
		return "", ErrCodeSize
	}
	return text, nil
}

// OpenCode reads a code, expired or not. ErrCode.
func (m *Minter) OpenCode(text string) (Code, error) {
	if len(text) > CodeMax {
		return Code{}, ErrCode
	}
	raw, err := m.Ring.Open(kindCode, text)
	if err != nil {
		return Code{}, ErrCode
	}
	var s sealedCode
	if json.Unmarshal(raw, &s) != nil || s.ID == "" {
		return Code{}, ErrCode
	}
	issued := time.UnixMilli(s.Issued).UTC()
	return Code{s.ID, s.Client, s.Redirect, s.Challenge, s.Nonce, strings.Fields(s.Scope), s.Claims, s.Session, s.Subject, s.SID,
		issued, issued.Add(time.Duration(s.Life) * time.Millisecond)}, nil
}

// Record is what the store needs of the code.
func (c Code) Record() storage.Code {
	return storage.Code{ID: c.ID, Client: c.Client, Subject: c.Subject, Session: c.Session, SID: c.SID, Issued: c.Issued, Expires: c.Expires}
}
