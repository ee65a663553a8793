package provider

import (
	"net/http"
	"strings"

	"github.com/curfew-id/curfew/provider/account"
	"github.com/curfew-id/curfew/provider/authn"
	"github.com/curfew-id/curfew/provider/logoutview"
	"github.com/curfew-id/curfew/provider/oauth"
	"github.com/curfew-id/curfew/provider/oauth/clientkeys"
	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/signin"
	"github.com/curfew-id/curfew/provider/signin/requestobject"
	"github.com/curfew-id/curfew/provider/signout"
	"github.com/curfew-id/curfew/provider/upstream"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/templates"
)

// routes returns the handler of the main listener. It lists every URL.
func (p *Provider) routes() (http.Handler, error) {
	view := p.logoutView()
	signIn := p.signin()
	signOut := p.signout(view)
	accountPages := p.account(view)
	endpoints := p.oauth().Endpoints()
	registration := p.registration
	accountPages.RedirectToSignIn = signIn.RedirectToSignIn
	accountPages.RedirectToSignInAgain = signIn.RedirectToSignInAgain
	accountPages.LinkUpstream = signIn.LinkUpstream
	discovery, err := p.discoveryDocument()
	if err != nil {
		return nil, err
	}
	metadataHandler := oauth.CORS(serveStatic("application/json", "public, max-age=300", discovery), http.MethodGet)
	page := p.site.Handle
	ownForm := func(h web.Handler) http.Handler { return p.site.SameOrigin(page(h)) }

	mux := http.NewServeMux()
	// Endpoints for clients and monitoring.
	mux.Handle("/.well-known/openid-configuration", metadataHandler)       // Discovery 1.0 §4
	mux.Handle("/.well-known/oauth-authorization-server", metadataHandler) // RFC 8414 §3
	mux.Handle("/jwks", endpoints.JWKS)                                    // Discovery 1.0 §3
	mux.Handle("/token", endpoints.Token)                                  // RFC 6749 §3.2
	mux.Handle("/userinfo", endpoints.UserInfo)                            // Core §5.3
	mux.Handle("/introspect", endpoints.Introspect)                        // RFC 7662 §2
	mux.Handle("/revoke", endpoints.Revoke)                                // RFC 7009 §2
	mux.HandleFunc("GET /healthz", web.LogAtDebug(p.healthz))              //
	mux.HandleFunc("GET /readyz", web.LogAtDebug(p.readyz))                //
	if p.config.Registration.Enabled() {                                   //
		mux.HandleFunc("POST "+register.Path, registration.Register)       // RFC 7591 §3
		mux.HandleFunc("GET "+register.ClientPath, registration.Read)      // RFC 7592 §2.1
		mux.HandleFunc("PUT "+register.ClientPath, registration.Update)    // RFC 7592 §2.2
		mux.HandleFunc("DELETE "+register.ClientPath, registration.Remove) // RFC 7592 §2.3
	}
	if len(p.upstreams) > 0 {
		mux.HandleFunc("GET "+upstream.SignedOutPath, page(view.ReturnFromUpstream)) // RP-Initiated Logout 1.0 §3
		mux.HandleFunc("GET /signed-out/{interaction}/upstream", page(view.SignOutUpstream))
		logouts := p.upstreamLogouts()
		mux.HandleFunc("POST "+upstream.BackchannelPath, logouts.BackchannelLogout)  // Back-Channel Logout 1.0 §2.5
		mux.HandleFunc("GET "+upstream.FrontchannelPath, logouts.FrontchannelLogout) // Front-Channel Logout 1.0 §2
		mux.HandleFunc("GET "+upstream.CallbackPath, page(signIn.UpstreamCallback))  // Core §3.1.2.5
		mux.HandleFunc("GET /login/{interaction}/upstream/{upstream}", page(signIn.StartUpstream))
	}
	// Pages to which any site may send the browser.
	mux.HandleFunc("GET /authorize", page(signIn.Authorize))      // Core §3.1.2
	mux.HandleFunc("POST /authorize", page(signIn.Authorize))     // Core §3.1.2.1
	mux.HandleFunc("GET /end_session", page(signOut.EndSession))  // RP-Initiated Logout 1.0 §2
	mux.HandleFunc("POST /end_session", page(signOut.EndSession)) // RP-Initiated Logout 1.0 §2
	if p.config.CheckSession {                                    //
		mux.HandleFunc("GET /check_session", p.checkSession) // Session Management 1.0 §3.2
		mux.HandleFunc("GET /check_session/origin", p.checkOrigin)
	}
	// Pages to which only Curfew's own pages lead. Their forms must come from Curfew's own origin.
	mux.HandleFunc("GET /login/{interaction}", page(signIn.ShowLogin))
	mux.Handle("POST /login/{interaction}", ownForm(signIn.Login))
	mux.HandleFunc("GET /login/{interaction}/cancel", page(signIn.Cancel))
	mux.HandleFunc("GET /consent/{interaction}", page(signIn.ShowConsent))
	mux.Handle("POST /consent/{interaction}", ownForm(signIn.Consent))
	mux.Handle("POST "+signout.ConfirmPath, ownForm(signOut.Confirm))
	mux.HandleFunc("GET /signed-out/{interaction}", page(view.SignedOut))
	mux.HandleFunc("GET /signed-out/{interaction}/status.json", view.Status)
	mux.HandleFunc("GET "+logoutview.EvictPath, view.Evict)
	mux.HandleFunc("GET "+logoutview.MeaningPath, view.Meaning)
	mux.HandleFunc("GET "+web.LanguagePath+"{tag}", page(p.site.ChooseLanguage))
	mux.HandleFunc("GET /account", page(accountPages.Sessions))
	mux.Handle("POST /account/sessions", ownForm(accountPages.SignOut))
	mux.HandleFunc("GET /account/applications", page(accountPages.Apps))
	mux.Handle("POST /account/applications", ownForm(accountPages.WithdrawConsent))
	mux.HandleFunc("GET /account/security", page(accountPages.Security))
	mux.Handle("POST /account/security", ownForm(accountPages.RemoveBackground))
	mux.Handle("POST /account/password", ownForm(accountPages.ChangePassword))
	mux.Handle("POST /account/email", ownForm(accountPages.RequestEmail))
	mux.HandleFunc("GET /account/factors", page(accountPages.Factors))
	mux.Handle("POST /account/factors", ownForm(accountPages.RemoveFactor))
	mux.HandleFunc("GET /account/factors/totp", page(accountPages.ShowEnrolTOTP))
	mux.Handle("POST /account/factors/totp", ownForm(accountPages.EnrolTOTP))
	if p.passkeys != nil {
		mux.HandleFunc("GET /account/factors/passkey", page(accountPages.ShowEnrolPasskey))
		mux.Handle("POST /account/factors/passkey", ownForm(accountPages.EnrolPasskey))
		mux.Handle("POST /account/factors/name", ownForm(accountPages.RenamePasskey))
	}
	mux.Handle("POST /account/factors/link", ownForm(accountPages.Link))
	mux.Handle("POST /account/factors/unlink", ownForm(accountPages.Unlink))
	mux.Handle("POST /account/factors/recovery", ownForm(accountPages.NewRecoveryCodes))
	mux.HandleFunc("GET /account/activity", page(accountPages.Activity))
	mux.HandleFunc("GET /account/reports/{report}", page(accountPages.Report))
	mux.HandleFunc("GET /account/reports/{report}/status.json", accountPages.ReportStatus)
	mux.HandleFunc("GET /account/reports/{report}/report.jwt", page(accountPages.DownloadReport))
	mux.HandleFunc("GET /account/probe", accountPages.Probe)
	if p.resetMails != nil {
		mux.HandleFunc("GET "+account.PathForgot, page(accountPages.ShowForgot))
		mux.Handle("POST "+account.PathForgot, ownForm(accountPages.Forgot))
	}
	if p.signUps != nil {
		mux.HandleFunc("GET "+account.PathSignUp, page(accountPages.ShowSignUp))
		mux.Handle("POST "+account.PathSignUp, ownForm(accountPages.SignUp))
	}
	if p.config.SignUp.Mode == policy.SignUpOpen || p.config.SignUp.Mode == policy.SignUpInvitation {
		mux.HandleFunc("GET "+account.PathSignUpLink, page(accountPages.ShowWelcome))
		mux.Handle("POST "+account.PathSignUpLink, ownForm(accountPages.Welcome))
	}
	mux.HandleFunc("GET "+account.PathInvitation, page(accountPages.ShowWelcome))
	mux.Handle("POST "+account.PathInvitation, ownForm(accountPages.Welcome))
	mux.HandleFunc("GET "+account.PathConfirmEmail, page(accountPages.ShowConfirmEmail))
	mux.Handle("POST "+account.PathConfirmEmail, ownForm(accountPages.ConfirmEmail))
	mux.HandleFunc("GET "+account.PathNotMe, page(accountPages.ShowNotMe))
	mux.Handle("POST "+account.PathNotMe, ownForm(accountPages.NotMe))
	mux.HandleFunc("GET /reset/{link}", page(accountPages.ShowReset))
	mux.Handle("POST /reset/{link}", ownForm(accountPages.Reset))
	mux.HandleFunc("GET "+account.PathEnrol+"{link}", page(accountPages.ShowEnrol))
	mux.Handle("POST "+account.PathEnrol+"{link}", ownForm(accountPages.Enrol))
	mux.HandleFunc("GET "+account.PathEnrol+"{link}/totp/{interaction}", page(accountPages.ShowLinkTOTP))
	mux.Handle("POST "+account.PathEnrol+"{link}/totp/{interaction}", ownForm(accountPages.LinkTOTP))
	if p.passkeys != nil {
		mux.HandleFunc("GET "+account.PathEnrol+"{link}/passkey/{interaction}", page(accountPages.ShowLinkPasskey))
		mux.Handle("POST "+account.PathEnrol+"{link}/passkey/{interaction}", ownForm(accountPages.LinkPasskey))
	}
	for _, asset := range templates.Assets() {
		mux.HandleFunc(
			"GET "+asset.Path,
			web.LogAtDebug(serveStatic(asset.ContentType, "public, max-age=31536000, immutable", asset.Body)),
		)
	}
	toAccount := func(w http.ResponseWriter, _ *http.Request) { web.Redirect(w, p.site.Path("/account")) }
	mux.HandleFunc("GET /{$}", toAccount)
	mux.HandleFunc("/", p.notFound(mux))

	basePath := p.site.Path("")
	if basePath == "" {
		return p.site.Wrap(mux), nil
	}
	rootMux := http.NewServeMux()
	rootMux.Handle(basePath+"/", http.StripPrefix(basePath, p.site.Wrap(mux)))
	// RFC 8414 §3.1: the issuer's path follows the well-known part.
	rootMux.Handle("/.well-known/oauth-authorization-server"+basePath, p.site.Wrap(metadataHandler))
	rootMux.Handle("/", p.site.Wrap(p.notFound(rootMux)))
	return rootMux, nil
}

// notFound handles a request that matches no route. It answers 405 if the address exists for another method, else 404.
func (p *Provider) notFound(mux *http.ServeMux) http.HandlerFunc {
	return p.site.Handle(func(w http.ResponseWriter, r *http.Request) error {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			_, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host})
			if method != r.Method && strings.HasPrefix(pattern, method+" ") {
				w.Header().Add("Allow", method)
			}
		}
		if w.Header().Get("Allow") != "" {
			return web.PageError{Status: http.StatusMethodNotAllowed, Reason: "the address takes another method"}
		}
		return web.PageError{Status: http.StatusNotFound, Reason: "no route has this address"}
	})
}

func (p *Provider) signin() *signin.Handler {
	c := p.config
	objects := &requestobject.Reader{
		Issuer:      c.Issuer,
		Fetcher:     c.Egress,
		SelfFetcher: c.SelfRegisteredEgress,
		Verifier: clientkeys.Verifier{
			Fetch:        c.Egress,
			SelfFetch:    c.SelfRegisteredEgress,
			UnwrapSecret: c.Ring.UnwrapSecret,
		},
		Algs: register.ClientSigningAlgs(),
		Now:  c.Now,
	}
	return &signin.Handler{
		Site:           p.site,
		Store:          c.Store,
		Terminator:     p.terminator,
		Minter:         p.minter,
		HintVerifier:   c.Ring,
		RequestObjects: objects,
		Authenticators: p.authenticators,
		SecondFactors:  p.secondFactors(),
		Enrolments:     p.enrolments(),
		Upstreams:      p.upstreams,
		Accounts:       upstream.Accounts{Store: c.Store, Now: c.Now, Notify: p.notifyOfLink},
		Policy:         c.Authn,
		Lifetimes:      c.Session,
		Notices:        p.notices,
		NoticeLimiter:  p.limiter,
	}
}

func (p *Provider) upstreamLogouts() *upstream.Handler {
	return &upstream.Handler{Site: p.site, Upstreams: p.upstreams, Store: p.config.Store, Terminator: p.terminator}
}

func (p *Provider) logoutView() *logoutview.Handler {
	return &logoutview.Handler{
		Site:       p.site,
		Store:      p.config.Store,
		Terminator: p.terminator,
		Policy:     p.config.Logout,
		Upstreams:  p.upstreams,
	}
}

func (p *Provider) signout(view *logoutview.Handler) *signout.Handler {
	c := p.config
	return &signout.Handler{
		Site:         p.site,
		Store:        c.Store,
		Terminator:   p.terminator,
		View:         view,
		HintVerifier: c.Ring,
		SubjectFor:   p.minter.SubjectFor,
		Lifetimes:    p.maxLifetimes(),
		Policy:       c.Logout,
	}
}

func (p *Provider) account(view *logoutview.Handler) *account.Handler {
	c := p.config
	return &account.Handler{
		Site:          p.site,
		Store:         c.Store,
		Terminator:    p.terminator,
		LogoutView:    view,
		Hasher:        p.hasher,
		Limiter:       p.limiter,
		Authenticator: p.authenticators[0],
		Rules:         p.passwordRules(),
		Lifetimes:     p.maxLifetimes(),
		Policy:        c.Logout,
		Authn:         c.Authn,
		ResetMails:    p.resetMails,
		Notices:       p.notices,
		SignUps:       p.signUps,

		SessionLifetimes: c.Session,
		TOTP:             p.totp,
		RecoveryCodes:    p.recovery,
		APIScopes:        c.APIScopes,
		Passkeys:         p.passkeys,
		Upstreams:        p.upstreams,
		SignReport:       p.signReport,
	}
}

func (p *Provider) oauth() *oauth.Server {
	c := p.config
	return &oauth.Server{
		Issuer:     c.Issuer,
		Store:      c.Store,
		Minter:     p.minter,
		Ring:       c.Ring,
		Terminator: p.terminator,
		Fetch:      c.Egress,
		SelfFetch:  c.SelfRegisteredEgress,
		Now:        c.Now,
		Log:        c.Log,
		Policy:     c.Logout,
		RequiredACR: func(g *storage.Grant, client *storage.Client, user storage.User) string {
			return authn.UnmetACR(g, append(c.Authn.RequirementsOf(user), client.RequireAuthn)...)
		},
	}
}

func (p *Provider) newRegistration() *register.Handler {
	c := p.config
	return &register.Handler{
		Issuer:        c.Issuer,
		Policy:        c.Registration,
		Registrar:     p.registrar,
		Store:         c.Store,
		Terminator:    p.terminator,
		RemoteAddress: p.site.ClientAddress,
		Log:           c.Log,
	}
}
