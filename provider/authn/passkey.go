package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// FieldCredential is the field with the response of a passkey, as JSON (Web Authentication Level 3 §5.1).
const FieldCredential = "credential"

// challengeLifetime is how long a page that asks for a passkey may stay open.
const challengeLifetime = time.Hour

// Passkeys registers passkeys and checks their answers (Web Authentication Level 3 §7). The relying party is the
// issuer's host, and answers from other origins are refused.
type Passkeys struct {
	Store    FactorStore
	Limiter  Limiter
	Notify   Notify
	webauthn *webauthn.WebAuthn
}

// NewPasskeys returns the passkeys of an issuer. It returns an error if the issuer's host cannot have passkeys, for
// example because it is an IP address.
func NewPasskeys(issuer string, store FactorStore, limiter Limiter) (*Passkeys, error) {
	u, err := url.Parse(issuer)
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	w, err := webauthn.New(&webauthn.Config{
		RPID:          u.Hostname(),
		RPDisplayName: u.Hostname(),
		RPOrigins:     []string{u.Scheme + "://" + u.Host},
	})
	if err != nil {
		return nil, fmt.Errorf("passkeys: %w", err)
	}
	return &Passkeys{Store: store, Limiter: limiter, webauthn: w}, nil
}

// challenge is the state that a page with a passkey request seals.
type challenge struct {
	Session  webauthn.SessionData `json:"s"`
	SealedAt int64                `json:"a"` // Unix milliseconds
}

// passkeyUser implements webauthn.User.
type passkeyUser struct {
	user    storage.User
	factors storage.Factors
}

func (u passkeyUser) WebAuthnID() []byte          { return []byte(u.user.Subject) }
func (u passkeyUser) WebAuthnName() string        { return u.user.Name }
func (u passkeyUser) WebAuthnDisplayName() string { return u.user.Name }

func (u passkeyUser) WebAuthnCredentials() []webauthn.Credential {
	list := make([]webauthn.Credential, len(u.factors.Passkeys))
	for i, p := range u.factors.Passkeys {
		list[i] = webauthn.Credential{
			ID:        p.ID,
			PublicKey: p.PublicKey,
			Flags: webauthn.CredentialFlags{
				BackupEligible: p.BackupEligible,
				BackupState:    p.BackedUp,
			},
			Authenticator: webauthn.Authenticator{
				AAGUID:    p.AAGUID,
				SignCount: p.SignCount,
			},
		}
		for _, transport := range p.Transports {
			list[i].Transport = append(list[i].Transport, protocol.AuthenticatorTransport(transport))
		}
	}
	return list
}

func (p *Passkeys) readUser(ctx context.Context, subject string) (passkeyUser, error) {
	user, err := p.Store.User(ctx, subject)
	if err != nil {
		return passkeyUser{}, err
	}
	factors, err := p.Store.Factors(ctx, subject)
	return passkeyUser{user, factors}, err
}

// Begin returns the options of a sign-in by passkey, and the state that the page must seal. If user is nil, the browser
// offers its passkeys of all users, and the authenticator must verify the user (by PIN or biometrics).
func (p *Passkeys) Begin(ctx context.Context, user *storage.User, at time.Time) (options string, state any, err error) {
	var assertion *protocol.CredentialAssertion
	var session *webauthn.SessionData
	if user == nil {
		assertion, session, err = p.webauthn.BeginDiscoverableLogin(
			webauthn.WithUserVerification(protocol.VerificationRequired),
		)
	} else {
		var u passkeyUser
		if u, err = p.readUser(ctx, user.Subject); err != nil {
			return "", nil, err
		}
		assertion, session, err = p.webauthn.BeginLogin(
			u,
			webauthn.WithUserVerification(protocol.VerificationPreferred),
		)
	}
	if err != nil {
		return "", nil, fmt.Errorf("begin sign-in by passkey: %w", err)
	}
	raw, err := json.Marshal(assertion.Response)
	if err != nil {
		return "", nil, fmt.Errorf("encode passkey options: %w", err)
	}
	return string(raw), challenge{*session, at.UnixMilli()}, nil
}

// refusedPasskey returns the refusal of a passkey's answer.
func refusedPasskey(subject, reason string) error {
	return &Refusal{
		Problem: templates.Problem{Fault: templates.PasskeyRefused},
		Reason:  reason,
		Subject: subject,
	}
}

// openChallenge returns the challenge that a page sealed. It refuses one that is older than challengeLifetime.
func openChallenge(state json.RawMessage, at time.Time) (challenge, error) {
	var c challenge
	if state == nil || json.Unmarshal(state, &c) != nil || c.Session.Challenge == "" {
		return c, refusedPasskey("", "the page has no challenge for a passkey")
	}
	if at.Sub(time.UnixMilli(c.SealedAt)) >= challengeLifetime {
		return c, refusedPasskey("", "the challenge for a passkey is too old")
	}
	return c, nil
}

// useChallenge marks a challenge as used and refuses one that was used before. So a replayed answer is refused even if
// the authenticator has no counter.
func (p *Passkeys) useChallenge(ctx context.Context, c challenge, at time.Time) error {
	issued := time.UnixMilli(c.SealedAt)
	err := p.Store.MarkUsed(ctx, "passkey "+c.Session.Challenge, issued, issued.Add(challengeLifetime), at)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return refusedPasskey("", "the answer of the passkey was used before")
	}
	return err
}

// finish checks a passkey's answer. If user is nil, the answer names the user.
func (p *Passkeys) finish(ctx context.Context, attempt Attempt, user *storage.User) (Authentication, error) {
	c, err := openChallenge(attempt.State, attempt.At)
	if err != nil {
		return Authentication{}, err
	}
	answer, err := protocol.ParseCredentialRequestResponseBytes([]byte(attempt.Form.Get(FieldCredential)))
	if err != nil {
		return Authentication{}, refusedPasskey("", "the answer of the passkey cannot be read")
	}
	subject := string(answer.Response.UserHandle)
	if user != nil {
		subject = user.Subject
	}
	owner, err := p.readUser(ctx, subject)
	isDisabled := err == nil && owner.user.Disabled
	if isDisabled || errors.Is(err, storage.ErrNotFound) {
		return Authentication{}, refusedPasskey(subject, "the user of the passkey is unknown or disabled")
	}
	if err != nil {
		return Authentication{}, err
	}
	if len(c.Session.UserID) > 0 {
		_, err = p.webauthn.ValidateLogin(owner, c.Session, answer)
	} else {
		find := func(_, _ []byte) (webauthn.User, error) { return owner, nil }
		_, err = p.webauthn.ValidateDiscoverableLogin(find, c.Session, answer)
	}
	if err != nil {
		return Authentication{}, refusedPasskey(subject, "the answer of the passkey proves nothing: "+describe(err))
	}
	if attempt.User != nil && attempt.User.Subject != owner.user.Subject {
		return Authentication{}, refusedPasskey(subject, "the passkey is another user's")
	}
	if err := p.useChallenge(ctx, c, attempt.At); err != nil {
		return Authentication{}, err
	}
	flags := answer.Response.AuthenticatorData.Flags
	counter := answer.Response.AuthenticatorData.Counter
	err = p.Store.ChangeFactors(ctx, subject, func(f *storage.Factors) error {
		f.Passkeys = slices.Clone(f.Passkeys)
		return f.UsePasskey(answer.RawID, counter, flags.HasBackupState(), attempt.At.UTC().Truncate(time.Millisecond))
	})
	switch {
	case errors.Is(err, storage.ErrAlreadyUsed):
		return Authentication{}, refusedPasskey(subject, "the sign counter of the passkey fell: it may have been copied")
	case errors.Is(err, storage.ErrNotFound), errors.Is(err, storage.ErrRevoked):
		return Authentication{}, refusedPasskey(subject, "the passkey was removed meanwhile")
	case err != nil:
		return Authentication{}, err
	}
	return passkeyAuthentication(owner.user, attempt, flags), nil
}

// passkeyAuthentication returns the authentication by a passkey. It counts as two factors if the authenticator verified
// its user.
func passkeyAuthentication(user storage.User, attempt Attempt, flags protocol.AuthenticatorFlags) Authentication {
	amr := []string{amrHardwareKey}
	if flags.HasBackupEligible() {
		amr = []string{amrSoftwareKey}
	}
	if flags.HasUserVerified() {
		amr = append(amr, amrUser, amrMultiFactor)
	}
	return Authentication{
		User:     user,
		AuthTime: attempt.At,
		Sequence: attempt.Sequence,
		AMR:      amr,
		ACR:      acrOf(amr),
	}
}

// describe returns the reason in an error of package webauthn, for the log.
func describe(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.Details != "" {
		return e.Details
	}
	return err.Error()
}
