package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// FieldCredential is the field with a passkey's answer, as JSON (Web Authentication Level 3 §5.1).
const FieldCredential = "credential"

// challengeLifetime is how long a page that asks for a passkey may stay open.
const challengeLifetime = time.Hour

// Passkeys registers passkeys and checks their answers (Web Authentication Level 3 §7). The relying party is the
// issuer's host, and answers from other origins are refused.
type Passkeys struct {
	Store    FactorStore
	Limiter  Limiter
	webauthn *webauthn.WebAuthn
}

// NewPasskeys returns the passkeys of an issuer. It returns an error if the issuer's host cannot have any, as an IP
// address cannot.
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

// challenge is what a page that asks for a passkey seals.
type challenge struct {
	Session  webauthn.SessionData `json:"s"`
	SealedAt int64                `json:"a"` // Unix milliseconds
}

// passkeyUser is a user as package webauthn sees one.
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
			ID:            p.ID,
			PublicKey:     p.PublicKey,
			Flags:         webauthn.CredentialFlags{BackupEligible: p.BackupEligible, BackupState: p.BackedUp},
			Authenticator: webauthn.Authenticator{AAGUID: p.AAGUID, SignCount: p.SignCount},
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

// Begin makes the options of a sign-in by passkey and what the page has to seal. user nil: whichever user the browser
// has a passkey of, who is then verified by the authenticator.
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
		assertion, session, err = p.webauthn.BeginLogin(u, webauthn.WithUserVerification(protocol.VerificationPreferred))
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

// refusedPasskey is the refusal of a passkey's answer.
func refusedPasskey(subject, reason string) error {
	return &Refusal{Problem: templates.Problem{Fault: templates.PasskeyRefused}, Reason: reason, Subject: subject}
}

// openChallenge reads what a page sealed. A challenge counts once (useChallenge) and for challengeLifetime.
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

// useChallenge makes a challenge count once: a replayed answer is refused, from authenticators without a counter too.
func (p *Passkeys) useChallenge(ctx context.Context, c challenge, at time.Time) error {
	issued := time.UnixMilli(c.SealedAt)
	err := p.Store.MarkUsed(ctx, "passkey "+c.Session.Challenge, issued, issued.Add(challengeLifetime), at)
	if errors.Is(err, storage.ErrAlreadyUsed) {
		return refusedPasskey("", "the answer of the passkey was used before")
	}
	return err
}

// finish checks a passkey's answer. user nil: the answer names the user.
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
	if errors.Is(err, storage.ErrNotFound) || err == nil && owner.user.Disabled {
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

// passkeyAuthentication is what a passkey proves: possession of a key and, if its user was verified, a second thing.
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

// describe is the reason that package webauthn gives, for the log.
func describe(err error) string {
	if e, ok := errors.AsType[*protocol.Error](err); ok && e.Details != "" {
		return e.Details
	}
	return err.Error()
}

// BeginRegistration makes the options of a new passkey for a user, and what the page has to seal.
func (p *Passkeys) BeginRegistration(
	ctx context.Context,
	user storage.User,
	at time.Time,
) (options string, state any, err error) {
	u, err := p.readUser(ctx, user.Subject)
	if err != nil {
		return "", nil, err
	}
	creation, session, err := p.webauthn.BeginRegistration(
		u,
		webauthn.WithExclusions(webauthn.Credentials(u.WebAuthnCredentials()).CredentialDescriptors()),
		webauthn.WithAuthenticatorSelection(protocol.AuthenticatorSelection{
			ResidentKey:        protocol.ResidentKeyRequirementRequired,
			RequireResidentKey: protocol.ResidentKeyRequired(),
			UserVerification:   protocol.VerificationRequired,
		}),
		webauthn.WithConveyancePreference(protocol.PreferNoAttestation),
	)
	if err != nil {
		return "", nil, fmt.Errorf("begin registration of a passkey: %w", err)
	}
	raw, err := json.Marshal(creation.Response)
	if err != nil {
		return "", nil, fmt.Errorf("encode passkey options: %w", err)
	}
	return string(raw), challenge{*session, at.UnixMilli()}, nil
}

// Register checks the answer of a new passkey and returns it. The error is a *[Refusal] if it proves nothing.
func (p *Passkeys) Register(ctx context.Context, attempt Attempt) (storage.Passkey, error) {
	c, err := openChallenge(attempt.State, attempt.At)
	if err != nil {
		return storage.Passkey{}, err
	}
	subject := attempt.User.Subject
	answer, err := protocol.ParseCredentialCreationResponseBytes([]byte(attempt.Form.Get(FieldCredential)))
	if err != nil {
		return storage.Passkey{}, refusedPasskey(subject, "the answer of the new passkey cannot be read")
	}
	owner, err := p.readUser(ctx, subject)
	if err != nil {
		return storage.Passkey{}, err
	}
	credential, err := p.webauthn.CreateCredential(owner, c.Session, answer)
	if err != nil {
		return storage.Passkey{}, refusedPasskey(subject, "the new passkey cannot be registered: "+describe(err))
	}
	if err := p.useChallenge(ctx, c, attempt.At); err != nil {
		return storage.Passkey{}, err
	}
	passkey := storage.Passkey{
		ID:             credential.ID,
		Name:           passkeyName(attempt.Form.Get(FieldName)),
		PublicKey:      credential.PublicKey,
		Attestation:    credential.AttestationFormat,
		AAGUID:         credential.Authenticator.AAGUID,
		SignCount:      credential.Authenticator.SignCount,
		BackupEligible: credential.Flags.BackupEligible,
		BackedUp:       credential.Flags.BackupState,
		Created:        attempt.At.UTC().Truncate(time.Millisecond),
	}
	for _, transport := range credential.Transport {
		passkey.Transports = append(passkey.Transports, string(transport))
	}
	return passkey, nil
}

// FieldName is the field with the name of a passkey.
const FieldName = "name"

const maxPasskeyName = 60 // characters

// passkeyName is a name as it is stored.
func passkeyName(text string) string {
	name := []rune(strings.Join(strings.Fields(text), " "))
	if len(name) == 0 {
		return "Passkey"
	}
	return string(name[:min(len(name), maxPasskeyName)])
}

// Rename gives a passkey another name.
func Rename(f *storage.Factors, id []byte, name string) error {
	f.Passkeys = slices.Clone(f.Passkeys)
	passkey := f.Passkey(id)
	if passkey == nil {
		return storage.ErrNotFound
	}
	passkey.Name = passkeyName(name)
	return nil
}

// ErrTooManyPasskeys: the user has as many passkeys as one can have.
var ErrTooManyPasskeys = errors.New("the user has as many passkeys as one can have")

// AddPasskey adds a passkey to a user's factors.
func AddPasskey(f *storage.Factors, passkey storage.Passkey) error {
	if len(f.Passkeys) >= storage.MaxPasskeys {
		return ErrTooManyPasskeys
	}
	if f.Passkey(passkey.ID) != nil {
		return storage.ErrExists
	}
	f.Passkeys = append(slices.Clone(f.Passkeys), passkey)
	return nil
}

// PasskeySignIn signs in by a passkey alone. Its form stands on the page of the password.
type PasskeySignIn struct{ *Passkeys }

// Method returns "passkey".
func (p PasskeySignIn) Method() string { return "passkey" }

// Label returns no text: no link leads to a page of its own.
func (p PasskeySignIn) Label() string { return "" }

// Page returns the page that asks for a passkey.
func (p PasskeySignIn) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	return p.page(ctx, prompt, nil)
}

// page returns the page that asks for a passkey; user nil: of any user.
func (p *Passkeys) page(ctx context.Context, prompt Prompt, user *storage.User) (func(io.Writer) error, error) {
	options, state, err := p.Begin(ctx, user, prompt.Page.Now)
	if err != nil {
		return nil, err
	}
	action, interaction, err := prompt.Seal(state)
	if err != nil {
		return nil, err
	}
	page := templates.PasskeyPage{
		Page:            prompt.Page,
		Request:         templates.PasskeyRequest{Action: action, Interaction: interaction, Options: options},
		Application:     prompt.Application,
		RememberDays:    prompt.RememberDays,
		Problem:         prompt.Problem,
		OtherAccountURL: prompt.OtherAccountURL,
		CancelURL:       prompt.CancelURL,
		OtherMethods:    prompt.OtherMethods,
	}
	return func(w io.Writer) error { return templates.PasskeySignIn(w, page) }, nil
}

// Authenticate checks the answer of a passkey that verified its user. Attempts are limited by the browser's address
// only: a signature cannot be guessed, and wrong answers must not lock a user out.
func (p PasskeySignIn) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	account, origin := "passkey at "+attempt.Address, Origin{Address: attempt.Address}
	err := p.Limiter.Allow(ctx, attempt.At, account, origin)
	if tooMany, ok := errors.AsType[*TooManyAttemptsError](err); ok {
		return Authentication{}, &Refusal{
			Problem: templates.Problem{Fault: templates.TooManyAttempts, RetryAfter: tooMany.Wait},
			Reason:  "too many answers of passkeys",
		}
	}
	if err != nil {
		return Authentication{}, err
	}
	authentication, err := p.finish(ctx, attempt, nil)
	if err == nil && authentication.ACR != ACRPasskey {
		err = refusedPasskey(authentication.User.Subject, "the passkey did not verify its user")
	}
	if err != nil {
		return Authentication{}, err
	}
	return authentication, p.Limiter.RecordSuccess(ctx, account, origin)
}

// Recheck returns storage.ErrRevoked if the user was disabled, or the password changed, since.
func (p *Passkeys) Recheck(ctx context.Context, a Authentication) error {
	return recheckUser(ctx, p.Store, a)
}

// PasskeyFactor asks for a passkey after the password.
type PasskeyFactor struct{ *Passkeys }

// Method returns "passkey".
func (p PasskeyFactor) Method() string { return "passkey" }

// Label returns the name of the text of the link to the page.
func (p PasskeyFactor) Label() string { return "passkey.use" }

// Usable reports whether the user has a passkey.
func (p PasskeyFactor) Usable(f storage.Factors, acr string) bool {
	return len(f.Passkeys) > 0 && Meets(ACRPasskey, acr)
}

// Page returns the page that asks for a passkey of the user.
func (p PasskeyFactor) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	return p.page(ctx, prompt, prompt.User)
}

// Authenticate checks the answer of the user's passkey.
func (p PasskeyFactor) Authenticate(ctx context.Context, attempt Attempt) (authentication Authentication, err error) {
	err = checkLimited(ctx, p.Limiter, attempt, func() error {
		authentication, err = p.finish(ctx, attempt, attempt.User)
		return err
	})
	return authentication, err
}

// EnrolPasskey sets up a passkey while a user signs in who needs one and has none.
type EnrolPasskey struct{ *Passkeys }

// Method returns "enrol-passkey".
func (p EnrolPasskey) Method() string { return "enrol-passkey" }

// Label returns the name of the text of the link to the page.
func (p EnrolPasskey) Label() string { return "enrolpasskey.use" }

// Usable reports whether the user has no passkey, and for two factors no second factor at all.
func (p EnrolPasskey) Usable(f storage.Factors, acr string) bool {
	if acr == ACRPasskey {
		return len(f.Passkeys) == 0
	}
	return !f.HasSecondFactor()
}

// Page returns the page that sets up a passkey.
func (p EnrolPasskey) Page(ctx context.Context, prompt Prompt) (func(io.Writer) error, error) {
	options, state, err := p.BeginRegistration(ctx, *prompt.User, prompt.Page.Now)
	if err != nil {
		return nil, err
	}
	action, interaction, err := prompt.Seal(state)
	if err != nil {
		return nil, err
	}
	page := templates.EnrolPasskeyPage{
		Page:         prompt.Page,
		Request:      templates.PasskeyRequest{Action: action, Interaction: interaction, Options: options},
		Application:  prompt.Application,
		Required:     true,
		Problem:      prompt.Problem,
		CancelURL:    prompt.CancelURL,
		OtherMethods: prompt.OtherMethods,
	}
	return func(w io.Writer) error { return templates.EnrolPasskey(w, page) }, nil
}

// Authenticate registers the passkey. A user without recovery codes gets some.
func (p EnrolPasskey) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := p.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	passkey, err := p.Register(ctx, attempt)
	if err != nil {
		return Authentication{}, err
	}
	codes, hashes := NewRecoveryCodes(user.Subject)
	var shown []string
	err = p.Store.ChangeFactors(ctx, user.Subject, func(f *storage.Factors) error {
		if len(f.Passkeys) > 0 {
			return storage.ErrChanged
		}
		shown = nil
		if len(f.RecoveryCodes) == 0 {
			f.RecoveryCodes, f.RecoveryCreated, shown = hashes, passkey.Created, codes
		}
		f.ForgetBrowsers()
		return AddPasskey(f, passkey)
	}, FactorEvent(attempt.At, EventFactorAdded, user.Subject, attempt.Address, "passkey"))
	if errors.Is(err, storage.ErrChanged) {
		return Authentication{}, fmt.Errorf("a passkey was added meanwhile: %w", storage.ErrRevoked)
	}
	if err != nil {
		return Authentication{}, err
	}
	key := amrHardwareKey
	if passkey.BackupEligible {
		key = amrSoftwareKey
	}
	amr := []string{key, amrUser, amrMultiFactor}
	return Authentication{
		User:          user,
		AuthTime:      attempt.At,
		Sequence:      attempt.Sequence,
		AMR:           amr,
		ACR:           acrOf(amr),
		RecoveryCodes: shown,
	}, nil
}
