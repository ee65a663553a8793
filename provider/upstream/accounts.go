package upstream

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"time"
	"unicode"

	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// accounts.go finds the user of an account of an upstream: the user to whom it is linked. If it is not linked, it is
// linked to the first of these that is possible:
//
//  1. the user with the same verified address, if the operator trusts the upstream for addresses,
//  2. a new user, if create_users allows it,
//  3. the user who then signs in by other means (NotLinkedError).

// Store is the part of storage.Store that this package uses.
type Store interface {
	Sequence(ctx context.Context) (storage.Sequence, error)
	User(ctx context.Context, subject string) (storage.User, error)
	UserByLogin(ctx context.Context, login string) (storage.User, error)
	Link(ctx context.Context, i storage.Identity, newUser *storage.User, e ...storage.Event) error
	Identity(ctx context.Context, issuer, subject string) (storage.Identity, error)
	WasUsed(ctx context.Context, id string, issued, expires, at time.Time) (bool, error)
	MarkUsed(ctx context.Context, id string, issued, until, at time.Time) error
}

// NotLinkedError is the error for an account that belongs to no user.
type NotLinkedError struct {
	Identity storage.Identity // without User
}

func (e *NotLinkedError) Error() string { return "the account of the upstream is linked to no user" }

// Accounts finds the users of accounts.
type Accounts struct {
	Store Store
	Now   func() time.Time
	// Notify lets the audit event of a new link carry a message to the user. Nil: no message.
	Notify func(e *storage.Event, user storage.User) error
}

// Authenticate returns the authentication of the account's user. attempt.User is the only user who may sign in; nil:
// any user. The errors are *authn.Refusal, *NotLinkedError, those of Complete, and those of the store.
func (a Accounts) Authenticate(
	ctx context.Context,
	p *Provider,
	account Account,
	attempt authn.Attempt,
) (authn.Authentication, error) {
	subject, err := a.find(ctx, p, account, attempt)
	if err != nil {
		return authn.Authentication{}, err
	}
	user, err := a.Store.User(ctx, subject)
	if err != nil {
		return authn.Authentication{}, err
	}
	refusal := &authn.Refusal{Subject: subject}
	switch {
	case user.Disabled:
		refusal.Problem.Fault = templates.UpstreamRefused
		refusal.Reason = "the user is disabled"
		return authn.Authentication{}, refusal
	case attempt.User != nil && attempt.User.Subject != subject:
		refusal.Problem.Fault = templates.OtherUser
		refusal.Reason = "the account belongs to another user"
		return authn.Authentication{}, refusal
	}
	stated := authn.UpstreamContext{
		ACR:      account.ACR,
		AMR:      account.AMR,
		CountACR: p.ACR,
		CountAMR: p.AMR,
	}
	authTime := attempt.At
	isEarlier := !account.AuthTime.IsZero() && account.AuthTime.Before(authTime)
	if isEarlier && attempt.User == nil {
		authTime = account.AuthTime // the user may have signed in at the upstream long ago
	}
	return authn.FromUpstream(user, account.UpstreamSession, stated, authTime, attempt.Sequence), nil
}

// find returns the subject of the account's user.
func (a Accounts) find(ctx context.Context, p *Provider, account Account, attempt authn.Attempt) (string, error) {
	identity, err := a.Store.Identity(ctx, account.Issuer, account.Subject)
	if err == nil {
		return identity.User, nil
	}
	if !errors.Is(err, storage.ErrNotFound) {
		return "", err
	}
	if account, err = p.Complete(ctx, account); err != nil {
		return "", err
	}
	profile := p.profile(account)
	identity = p.Identity(account)
	if p.TrustEmail && profile.verifiedEmail() != "" {
		subject, err := a.linkByEmail(ctx, p, identity, profile, attempt)
		if err != nil || subject != "" {
			return subject, err
		}
	}
	if attempt.User == nil && p.mayCreate(profile) {
		subject, err := a.create(ctx, p, identity, profile, attempt)
		if err == nil || !errors.Is(err, storage.ErrExists) {
			return subject, err
		}
	}
	return "", &NotLinkedError{Identity: identity}
}

// Identity returns the record that can link an account to a user. Its User is empty.
func (p *Provider) Identity(account Account) storage.Identity {
	return storage.Identity{
		Issuer:   account.Issuer,
		Subject:  account.Subject,
		Provider: p.ID,
		Name:     p.profile(account).displayName(),
	}
}

// linkByEmail links the account to the user whose verified address it has. It returns "" if there is no such user.
func (a Accounts) linkByEmail(
	ctx context.Context,
	p *Provider,
	identity storage.Identity,
	profile profile,
	attempt authn.Attempt,
) (string, error) {
	user, err := a.Store.UserByLogin(ctx, profile.email)
	if errors.Is(err, storage.ErrNotFound) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	sameAddress := storage.EmailKey(user.Email) == storage.EmailKey(profile.email)
	if !user.EmailVerified || !sameAddress { // UserByLogin also finds a user whose login name is this address
		return "", nil
	}
	if user.Disabled {
		return user.Subject, nil
	}
	return user.Subject, a.Link(ctx, identity, user.Subject, "upstream:"+p.ID, attempt.Address)
}

// Link links an account to a user. If another request has just linked it to the same user, Link does nothing. by is the
// acting party, as in storage.Cause.By. The errors are those of storage.Identities.
func (a Accounts) Link(ctx context.Context, i storage.Identity, user, by, address string) error {
	i.User = user
	i.Created = a.Now()
	event := authn.FactorEvent(i.Created, authn.EventFactorAdded, user, address, i.Provider)
	event.By = by
	if a.Notify != nil {
		linkedUser, err := a.Store.User(ctx, user)
		if err == nil {
			err = a.Notify(&event, linkedUser)
		}
		if err != nil {
			return err
		}
	}
	err := a.Store.Link(ctx, i, nil, event)
	if errors.Is(err, storage.ErrExists) {
		if linked, findErr := a.Store.Identity(ctx, i.Issuer, i.Subject); findErr == nil && linked.User == user {
			return nil
		}
	}
	return err
}

// mayCreate reports whether the operator allows a new user for an account with that profile.
func (p *Provider) mayCreate(profile profile) bool {
	switch p.Create {
	case policy.CreateUsersAny:
		return true
	case policy.CreateUsersDomains:
		return p.hasDomain(domainOf(profile.verifiedEmail()))
	}
	return false
}

// create creates a user for the account. ErrExists: the login name or the address belongs to a user.
func (a Accounts) create(
	ctx context.Context,
	p *Provider,
	identity storage.Identity,
	profile profile,
	attempt authn.Attempt,
) (string, error) {
	user := storage.User{
		Subject: strings.ToLower(rand.Text()),
		Name:    profile.loginName(p),
		Email:   profile.email,
		Claims:  profile.claims,
		Created: attempt.At,
		Updated: attempt.At,
	}
	user.EmailVerified = p.TrustEmail && profile.verifiedEmail() != ""
	identity.User = user.Subject
	identity.Created = attempt.At
	event := storage.Event{
		At:      attempt.At,
		Kind:    "user.created",
		By:      "upstream:" + p.ID,
		Subject: user.Subject,
		Address: attempt.Address,
	}
	err := a.Store.Link(ctx, identity, &user, event)
	if !errors.Is(err, storage.ErrExists) {
		return user.Subject, err
	}
	// Another request may have created the user of this account at the same time.
	if linked, findErr := a.Store.Identity(ctx, identity.Issuer, identity.Subject); findErr == nil {
		return linked.User, nil
	}
	return "", err
}

// Recheck returns storage.ErrRevoked if the account of an authentication is no longer linked to its user.
func (a Accounts) Recheck(ctx context.Context, authentication authn.Authentication) error {
	if authentication.Upstream.IsZero() {
		return nil
	}
	linked, err := a.Store.Identity(ctx, authentication.Upstream.Issuer, authentication.Upstream.Subject)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return storage.ErrRevoked
	case err != nil:
		return err
	case linked.User != authentication.User.Subject:
		return storage.ErrRevoked
	}
	return nil
}

// profile has the claims of an account under the names of Core §5.1, after the claim mapping of the upstream.
type profile struct {
	name     string // preferred_username
	email    string
	verified bool
	claims   map[string]any // other claims of Core §5.1
}

// ProfileClaims returns the claims of Core §5.1 that Curfew copies from an upstream to a new user, besides
// preferred_username, email and email_verified.
func ProfileClaims() []string {
	return []string{
		"name", "given_name", "family_name", "middle_name", "nickname", "profile", "picture", "website", "gender",
		"birthdate", "zoneinfo", "locale",
	}
}

// maxClaim is the maximum length of a copied claim, in bytes. Longer values are ignored.
const maxClaim = 500

// claimName returns the name that the upstream uses for a claim of Core §5.1.
func (p *Provider) claimName(claim string) string {
	if mapped := p.Claims[claim]; mapped != "" {
		return mapped
	}
	return claim
}

// profile returns the profile of an account. It ignores values that are too long or not valid.
func (p *Provider) profile(account Account) profile {
	text := func(claim string) string {
		value, _ := account.Claims[p.claimName(claim)].(string)
		if len(value) > maxClaim || strings.ContainsFunc(value, unicode.IsControl) {
			return ""
		}
		return strings.TrimSpace(value)
	}
	read := profile{name: text("preferred_username"), email: text("email"), claims: map[string]any{}}
	if !storage.IsEmail(read.email) {
		read.email = ""
	}
	read.verified, _ = account.Claims[p.claimName("email_verified")].(bool)
	for _, claim := range ProfileClaims() {
		value := text(claim)
		isURL := claim == "profile" || claim == "picture" || claim == "website"
		if value != "" && (!isURL || isWebURL(value)) {
			read.claims[claim] = value
		}
	}
	return read
}

// verifiedEmail returns the address if the upstream says that it is verified, or else "".
func (f profile) verifiedEmail() string {
	if f.verified {
		return f.email
	}
	return ""
}

// displayName returns the name of the account for its user.
func (f profile) displayName() string {
	if f.name != "" {
		return f.name
	}
	return f.email
}

// maxLoginName is the maximum length of a copied login name, in bytes.
const maxLoginName = 64

// loginName returns the login name of a new user. It accepts a name with an @ only if that is the user's verified
// address, because it could be the address of another user. If the upstream gives no acceptable name, loginName returns
// a random one.
func (f profile) loginName(p *Provider) string {
	name := f.name
	if name == "" {
		name = f.email
	}
	isAddress := strings.Contains(name, "@")
	isTrusted := p.TrustEmail && f.verified && strings.EqualFold(name, f.email)
	isForeignAddress := isAddress && !isTrusted
	if name == "" || len(name) > maxLoginName || isForeignAddress {
		return p.ID + "-" + strings.ToLower(rand.Text()[:10])
	}
	return name
}
