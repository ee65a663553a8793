package provider

import (
	"net/http"

	"github.com/curfew-id/curfew/provider/account"
	"github.com/curfew-id/curfew/provider/admin"
)

// adminRoutes returns the handler of the admin API (JSON over a Unix socket).
func (p *Provider) adminRoutes() (http.Handler, error) {
	c := p.config
	return admin.New(admin.Config{
		Issuer:          c.Issuer,
		Version:         c.Version,
		Started:         c.Now(),
		Store:           c.Store,
		Terminator:      p.terminator,
		PasswordHasher:  p.hasher,
		PasswordRules:   p.passwordRules(),
		Limiter:         p.limiter,
		Keys:            c.Ring,
		Registrar:       p.registrar,
		Egress:          c.Egress,
		Outbox:          p.dispatcher,
		Upstreams:       p.upstreams,
		Notices:         p.notices,
		SignUp:          c.SignUp,
		ResetURL:        func(secret string) string { return p.site.URL("/reset/" + secret) },
		EnrolURL:        func(secret string) string { return p.site.URL(account.PathEnrol + secret) },
		APIScopes:       c.APIScopes,
		MaxTrustHorizon: c.MaxTrustHorizon,
		Lifetimes:       p.maxLifetimes(),
		Now:             c.Now,
		Log:             c.Log,
		Refusals:        p.refusals,
		Backup:          c.Backup,
	})
}
