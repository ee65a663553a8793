package provider

import (
	"net/url"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/provider/account"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/mail"
	"github.com/curfew-id/curfew/provider/password"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/tokens"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// This file builds the parts of the provider that several endpoints use. routes.go builds the handlers.

// newAuthenticators returns the configured ways to sign in, by default password and passkey.
func (p *Provider) newAuthenticators() []authn.Authenticator {
	c := p.config
	if c.Authenticators != nil {
		return c.Authenticators
	}
	byPassword := &authn.Password{
		Users:   c.Store,
		Hasher:  p.hasher,
		Limiter: p.limiter,
		Log:     c.Log,
	}
	if c.Mail != nil {
		byPassword.ForgotURL = p.site.Path(account.PathForgot)
	}
	if p.signUps != nil {
		byPassword.SignUpURL = p.site.Path(account.PathSignUp)
	}
	if p.passkeys == nil {
		return []authn.Authenticator{byPassword}
	}
	byPassword.Passkeys = p.passkeys
	return []authn.Authenticator{byPassword, authn.PasskeySignIn{Passkeys: p.passkeys}}
}

// secondFactors returns what may be asked after the password, in the order in which it is offered.
func (p *Provider) secondFactors() []authn.SecondFactor {
	factors := []authn.SecondFactor{p.totp, p.recovery}
	if p.passkeys == nil {
		return factors
	}
	return append([]authn.SecondFactor{authn.PasskeyFactor{Passkeys: p.passkeys}}, factors...)
}

// enrolments returns what users can set up while they sign in, if a policy requires it.
func (p *Provider) enrolments() []authn.SecondFactor {
	totp := authn.EnrolTOTP{TOTP: p.totp}
	if p.passkeys == nil {
		return []authn.SecondFactor{totp}
	}
	return []authn.SecondFactor{totp, authn.EnrolPasskey{Passkeys: p.passkeys}}
}

// newUpstreams returns the configured upstreams.
func (p *Provider) newUpstreams() (set upstream.Set) {
	c := p.config
	for _, settings := range c.Upstreams {
		set = append(set, &upstream.Provider{
			Upstream: settings,
			Issued:   c.Issuer,
			Egress:   c.Egress,
			Keys:     c.Ring,
			Now:      c.Now,
		})
	}
	return set
}

// newSite returns the Site, which all pages use.
func (p *Provider) newSite() *web.Site {
	c := p.config
	return &web.Site{
		Issuer:         c.Issuer,
		Sessions:       c.Store,
		Sealer:         c.Ring,
		Now:            c.Now,
		TrustedProxies: c.TrustedProxies,
		Log:            c.Log,
		HSTS:           c.HSTS,
		CheckSession:   c.CheckSession,
		CrossSite:      c.Session.CrossSiteCookie(),
		ShowLogos:      c.Registration.Logo,
	}
}

// newDispatcher returns the Dispatcher, which delivers logout tokens.
func (p *Provider) newDispatcher() *logout.Dispatcher {
	c := p.config
	return &logout.Dispatcher{
		Store:    c.Store,
		Sign:     p.signLogoutToken,
		Post:     p.postLogoutToken,
		Now:      c.Now,
		Issuer:   c.Issuer,
		Log:      c.Log,
		Observer: c.Observe,
	}
}

// newOutbox returns the Outbox, which sends mail.
func (p *Provider) newOutbox() *mail.Outbox {
	c := p.config
	return mail.NewOutbox(mail.Outbox{Store: c.Store, Wrapper: c.Ring, Sender: c.Mail, Now: c.Now, Log: c.Log})
}

// newResetMails returns the ResetMails, which mails links to users who forgot their password.
func (p *Provider) newResetMails() *account.ResetMails {
	c := p.config
	return account.NewResetMails(account.ResetMails{
		Store:   c.Store,
		Outbox:  p.outbox,
		Limiter: p.limiter,
		Authn:   c.Authn,
		Issuer:  c.Issuer,
		Now:     c.Now,
		Log:     c.Log,
	})
}

// newSignUps returns the SignUps, which mails links to everyone who wants an account.
func (p *Provider) newSignUps() *account.SignUps {
	c := p.config
	return account.NewSignUps(account.SignUps{
		Store:   c.Store,
		Notices: p.notices,
		Policy:  c.SignUp,
		Now:     c.Now,
		Log:     c.Log,
	})
}

// newTerminator returns the Terminator, which ends sessions. It wakes the dispatcher, which must exist already.
func (p *Provider) newTerminator() *logout.Terminator {
	c := p.config
	return &logout.Terminator{
		Store:           c.Store,
		Now:             c.Now,
		Wake:            p.dispatcher.Wake,
		Behind:          p.dispatcher.Behind,
		Issuer:          c.Issuer,
		SubjectFor:      p.subjectFor,
		Lifetimes:       p.maxLifetimes(),
		ReportRetention: c.Logout.ReportRetention,
		RedirectDelay:   c.Logout.RedirectDelay,
		SilentExpiry:    c.Session.SilentExpiry(),
		Log:             c.Log,
		Observer:        c.Observe,
	}
}

// newRegistrar returns the Registrar, which builds client records.
func (p *Provider) newRegistrar() *register.Registrar {
	c := p.config
	return &register.Registrar{
		Policy: register.Policy{
			SigningAlgs:           c.Ring.Algorithms(),
			SelfServiceScopes:     tokens.Scopes(),
			AllowUnsignedIDTokens: true,
			Implicit:              c.Token.Implicit,
			PublicWithoutPKCE:     c.Registration.PublicWithoutPKCE,
			MaxTrustHorizon:       c.MaxTrustHorizon,
			APIScopes:             c.APIScopes,
			Lifetimes:             p.maxLifetimes(),

			MaxSelfRegisteredBytes: c.Registration.MaxBytes,
			CheckSelfRegisteredURL: c.SelfRegisteredEgress.CheckURL,
		},
		Fetch:      c.Egress,
		Clients:    c.Store,
		SelfFetch:  c.SelfRegisteredEgress,
		WrapSecret: c.Ring.WrapSecret,
		Now:        c.Now,
	}
}

// passwordRules returns the rules for new passwords. They refuse passwords close to this deployment's public names.
func (p *Provider) passwordRules() password.Rules {
	words := []string{"curfew"}
	if u, err := url.Parse(p.config.Issuer); err == nil {
		words = append(words, u.Hostname())
	}
	rules := p.config.PasswordRules
	rules.ContextWords = words
	rules.SecondFactorRequired = authn.RequiredACR(p.config.Authn.Require) != ""
	return rules
}

// notifyOfFactor lets the audit event of a new factor carry a message to the user.
func (p *Provider) notifyOfFactor(e *storage.Event, user storage.User, userAgent string) error {
	notice := mail.Notice{Kind: templates.MailFactorAdded, What: e.Detail["factor"], UserAgent: userAgent}
	return p.notices.Attach(e, user, notice)
}

// notifyOfLink lets the audit event of a linked account carry a message to the user.
func (p *Provider) notifyOfLink(e *storage.Event, user storage.User) error {
	notice := mail.Notice{Kind: templates.MailLinked, What: e.Detail["factor"]}
	if provider := p.upstreams.Find(notice.What); provider != nil {
		notice.What = provider.Name
	}
	return p.notices.Attach(e, user, notice)
}
