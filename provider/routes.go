package provider

import (
	"net/http"
	"strings"

	"github.com/curfew-id/curfew/provider/account"
	"github.com/curfew-id/curfew/provider/machine"
	"github.com/curfew-id/curfew/provider/machine/clientkeys"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/provider/signin"
	"github.com/curfew-id/curfew/provider/signin/object"
	"github.com/curfew-id/curfew/provider/signout"
	"github.com/curfew-id/curfew/provider/web"
	"github.com/curfew-id/curfew/templates"
)

// routes is every URL of the main listener.
func (p *Provider) routes() (http.Handler, error) {
	in, out, self, api, reg := p.signin(), p.signout(), p.account(), p.machine().Endpoints(), p.registration()
	self.SignIn, self.Leave = in.ToSelf, out.Leave
	discovery, err := p.discovery()
	if err != nil {
		return nil, err
	}
	metadata := machine.CORS(ready("application/json", "public, max-age=300", discovery), http.MethodGet)
	form := func(h http.HandlerFunc) http.Handler { return p.site.SameOrigin(h) }

	mux := http.NewServeMux()
	// What programs call.
	mux.Handle("/.well-known/openid-configuration", metadata)       // Discovery 1.0 §4
	mux.Handle("/.well-known/oauth-authorization-server", metadata) // RFC 8414 §3
	mux.Handle("/jwks", api.JWKS)                                   // Discovery 1.0 §3
	mux.Handle("/token", api.Token)                                 // RFC 6749 §3.2
	mux.Handle("/userinfo", api.UserInfo)                           // Core §5.3
	mux.Handle("/introspect", api.Introspect)                       // RFC 7662 §2
	mux.Handle("/revoke", api.Revoke)                               // RFC 7009 §2
	mux.HandleFunc("GET /healthz", p.healthz)                       //
	mux.HandleFunc("GET /readyz", p.readyz)                         //
	if p.registers() {                                              //
		mux.HandleFunc("POST "+register.Path, reg.Register)       // RFC 7591 §3
		mux.HandleFunc("GET "+register.ClientPath, reg.Read)      // RFC 7592 §2.1
		mux.HandleFunc("PUT "+register.ClientPath, reg.Update)    // RFC 7592 §2.2
		mux.HandleFunc("DELETE "+register.ClientPath, reg.Remove) // RFC 7592 §2.3
	}
	// What browsers are sent to, from anywhere.
	mux.HandleFunc("GET /authorize", in.Authorize)      // Core §3.1.2
	mux.HandleFunc("POST /authorize", in.Authorize)     // Core §3.1.2.1
	mux.HandleFunc("GET /end_session", out.EndSession)  // RP-Initiated Logout 1.0 §2
	mux.HandleFunc("POST /end_session", out.EndSession) // RP-Initiated Logout 1.0 §2
	if p.config.CheckSession {                          //
		mux.HandleFunc("GET /check_session", p.checkSession) // Session Management 1.0 §3.2
		mux.HandleFunc("GET /check_session/origin", p.checkOrigin)
	}
	// What only our own pages lead to. Forms are taken from our own site alone.
	mux.HandleFunc("GET /login/{handle}", in.ShowLogin)
	mux.Handle("POST /login/{handle}", form(in.Login))
	mux.HandleFunc("GET /login/{handle}/cancel", in.Cancel)
	mux.HandleFunc("GET /consent/{handle}", in.ShowConsent)
	mux.Handle("POST /consent/{handle}", form(in.Consent))
	mux.Handle("POST "+signout.ConfirmPath, form(out.Confirm))
	mux.HandleFunc("GET /signed-out/{handle}", out.SignedOut)
	mux.HandleFunc("GET /signed-out/{handle}/status.json", out.Status)
	mux.HandleFunc("GET "+signout.EvictPath, out.Evict)
	mux.HandleFunc("GET "+signout.MeaningPath, out.Meaning)
	mux.HandleFunc("GET /account", self.Sessions)
	mux.Handle("POST /account/sessions", form(self.SignOut))
	mux.HandleFunc("GET /account/applications", self.Applications)
	mux.Handle("POST /account/applications", form(self.Withdraw))
	mux.HandleFunc("GET /account/security", self.Security)
	mux.Handle("POST /account/password", form(self.ChangePassword))
	mux.Handle("POST /account/email", form(self.ChangeEmail))
	mux.HandleFunc("GET /account/activity", self.Activity)
	mux.HandleFunc("GET /account/reports/{report}", self.Report)
	mux.HandleFunc("GET /account/reports/{report}/status.json", self.ReportStatus)
	mux.HandleFunc("GET /account/reports/{report}/report.jwt", self.DownloadReport)
	mux.HandleFunc("GET /account/probe", self.Probe)
	mux.HandleFunc("GET /reset/{link}", self.ShowReset)
	mux.Handle("POST /reset/{link}", form(self.Reset))
	for _, asset := range templates.Assets() {
		mux.HandleFunc("GET "+asset.Path, ready(asset.ContentType, "public, max-age=31536000, immutable", asset.Body))
	}
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, r *http.Request) { web.Redirect(w, p.site.Path("/account")) })
	mux.HandleFunc("/", p.nowhere(mux))

	base := p.site.Path("")
	if base == "" {
		return p.site.Wrap(mux), nil
	}
	outer := http.NewServeMux()
	outer.Handle(base+"/", http.StripPrefix(base, p.site.Wrap(mux)))
	outer.Handle("/.well-known/oauth-authorization-server"+base, p.site.Wrap(metadata)) // RFC 8414 §3.1: the issuer's path stands behind
	outer.Handle("/", p.site.Wrap(p.nowhere(outer)))
	return outer, nil
}

// nowhere answers what no route takes: with 405 where another method would have been right.
func (p *Provider) nowhere(mux *http.ServeMux) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		fault := web.Fault{Status: http.StatusNotFound}
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			if _, pattern := mux.Handler(&http.Request{Method: method, URL: r.URL, Host: r.Host}); method != r.Method && strings.HasPrefix(pattern, method+" ") {
				fault.Status = http.StatusMethodNotAllowed
				w.Header().Add("Allow", method)
			}
		}
		p.site.Error(w, r, fault)
	}
}

func (p *Provider) signin() *signin.Handler {
	c := p.config
	objects := &object.Reader{Issuer: c.Issuer, Fetch: c.Egress, Verify: clientkeys.Verifier{Fetch: c.Egress, Secret: c.Ring.UnwrapSecret}, Algs: register.ClientSigningAlgs(), Now: c.Now}
	return &signin.Handler{Site: p.site, Store: c.Store, Ender: p.ender, Minter: p.minter, Hints: c.Ring, Objects: objects, Hasher: p.hasher, Limiter: p.limiter,
		Lifetimes: c.Sessions}
}

func (p *Provider) signout() *signout.Handler {
	c := p.config
	return &signout.Handler{Site: p.site, Store: c.Store, Ender: p.ender, Hints: c.Ring, SubjectFor: p.minter.SubjectFor, Lifetimes: p.lifetimes(),
		Extent: c.LogoutExtent, Ask: c.LogoutAsk, Wait: c.LogoutWait}
}

func (p *Provider) account() *account.Handler {
	c := p.config
	return &account.Handler{Site: p.site, Store: c.Store, Ender: p.ender, Hasher: p.hasher, Limiter: p.limiter, Rules: p.rules(), Lifetimes: p.lifetimes(),
		EndsAll: c.ChangeEndsAll, SignReport: p.signReport}
}

func (p *Provider) machine() *machine.Server {
	c := p.config
	return &machine.Server{Issuer: c.Issuer, Store: c.Store, Minter: p.minter, Ring: c.Ring, Ender: p.ender, Fetch: c.Egress, Now: c.Now, Log: c.Log,
		ReuseEndsSession: c.ReuseEndsSession}
}

func (p *Provider) registration() *register.Handler {
	c := p.config
	return &register.Handler{Issuer: c.Issuer, Mode: c.RegistrationMode, Defaults: c.RegistrationDefaults, Logos: c.Logos, Registrar: p.registrar,
		Store: c.Store, Ender: p.ender, Address: p.site.Address, Log: c.Log}
}

func (p *Provider) registers() bool {
	return p.config.RegistrationMode == register.Token || p.config.RegistrationMode == register.Open
}
