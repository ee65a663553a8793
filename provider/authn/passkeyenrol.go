package authn

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// BeginRegistration returns the options for a new passkey of a user, and the state that the page must seal.
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

// Register checks the answer of a new passkey and returns the passkey. It returns a *[Refusal] if the answer is not
// valid.
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

// passkeyName returns the name under which a passkey is stored: text with single spaces, shortened to maxPasskeyName,
// or "Passkey" if text is empty.
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

// ErrTooManyPasskeys says that the user already has storage.MaxPasskeys passkeys.
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

// EnrolPasskey sets up a passkey during the sign-in of a user who needs one and has none.
type EnrolPasskey struct{ *Passkeys }

// Method returns "enrol-passkey".
func (p EnrolPasskey) Method() string { return "enrol-passkey" }

// Label returns the key of the text of the link to the page.
func (p EnrolPasskey) Label() string { return "enrolpasskey.use" }

// Usable reports whether the user has no passkey, if acr is ACRPasskey, or else no second factor at all.
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

// Authenticate registers the passkey. A user without recovery codes also gets recovery codes.
func (p EnrolPasskey) Authenticate(ctx context.Context, attempt Attempt) (Authentication, error) {
	user, err := p.Store.User(ctx, attempt.User.Subject)
	if err != nil {
		return Authentication{}, err
	}
	passkey, err := p.Register(ctx, attempt)
	if err != nil {
		return Authentication{}, err
	}
	event, err := p.Notify.factorAdded(attempt, user, "passkey")
	if err != nil {
		return Authentication{}, err
	}
	codes, hashes := NewRecoveryCodes(user.Subject)
	var newCodes []string // nil if the user has recovery codes already
	err = p.Store.ChangeFactors(ctx, user.Subject, func(f *storage.Factors) error {
		if len(f.Passkeys) > 0 {
			return storage.ErrChanged
		}
		newCodes = nil // this function may run twice
		if len(f.RecoveryCodes) == 0 {
			f.RecoveryCodes = hashes
			f.RecoveryCreated = passkey.Created
			newCodes = codes
		}
		f.ForgetBrowsers()
		return AddPasskey(f, passkey)
	}, event)
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
		RecoveryCodes: newCodes,
	}, nil
}
