package provider_test

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// terminationCause is one way in which something ends.
type terminationCause struct {
	name      string
	reason    storage.Reason
	outcomes  string   // a letter of outcomeNames for each of artifacts; blanks do not count
	notified  []string // clients that get a logout token at once
	trigger   func(*scenario)
	configure func(*provider.Config)
}

// outcomeNames are the letters of terminationCause.outcomes in words.
var outcomeNames = map[rune]string{
	'x': "revoked",
	'~': "until it expires",
	'+': "active",
	'p': "asks for the password", // it proved nothing before either
	'f': "asks for the new factor",
	'.': "", // does not apply
}

// The outcomes of a session, a client session and single grants. The columns:
//
//	cookies  pages left open  code  access tokens  refresh token  offline access  others  sign-out page
//	enrolment link, reset link and linked account
const (
	sessionEnded               = "xxx xp x xx~ x ++ x+ x +++"
	allSessionsEnded           = "xxx xp x xx~ x ++ xx x +++"
	allSessionsAndOfflineEnded = "xxx xp x xx~ x xx xx x +++"
	userDisabled               = "xxx xx x xx~ x xx xx x xxx"
	upstreamSessionEnded       = "x.x xp x xx~ x ++ x+ x +++"
	clientSessionEnded         = "+++ +p x xx~ x ++ ++ + +++"
	clientGrantsEnded          = "+++ +p + xx~ x xx ++ + +++"
	offlineAccessEnded         = "+++ +p + +++ + xx ++ + +++"
)

var (
	sessionClients = []string{"atlas", "ledger"}
	allClients     = []string{"atlas", "ledger", "wiki"}
	oneClient      = []string{"atlas"}
)

// causes are all causes, in the order of the table.
var causes = []terminationCause{
	{"signed out at an app", storage.ReasonLogout, sessionEnded, sessionClients, func(h *scenario) {
		h.laptop.Get(providertest.EndSessionURL("id_token_hint", h.opaqueTokens.IDToken))
	}, nil},
	{"signed out at an app, everywhere", storage.ReasonLogout, allSessionsEnded, allClients, func(h *scenario) {
		h.laptop.Submit(h.laptop.Get(providertest.EndSessionURL("client_id", "atlas")), "scope", "all")
	}, nil},
	{
		"signed out by the app's server, without the browser",
		storage.ReasonClientSignOut,
		clientSessionEnded,
		oneClient,
		func(h *scenario) {
			h.Browser().Get(providertest.EndSessionURL("id_token_hint", h.opaqueTokens.IDToken))
		},
		nil,
	},
	{"account page: this session", storage.ReasonAccount, sessionEnded, sessionClients, func(h *scenario) {
		h.laptop.Submit(h.laptop.Get("/account"), "sign-out", h.laptop.Get("/account").Buttons("sign-out")[0])
	}, nil},
	{"account page: another session", storage.ReasonAccount, sessionEnded, sessionClients, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account"), "sign-out", h.phone.Get("/account").Buttons("sign-out")[1])
	}, nil},
	{"account page: the other sessions", storage.ReasonAccount, sessionEnded, sessionClients, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account"), "scope", "others")
	}, nil},
	{"account page: everywhere", storage.ReasonAccount, allSessionsEnded, allClients, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account"), "scope", "all")
	}, nil},
	{
		"account page: everywhere, and background access",
		storage.ReasonAccount,
		allSessionsAndOfflineEnded,
		allClients,
		func(h *scenario) {
			h.phone.Submit(h.phone.Get("/account"), "scope", "all-offline")
		},
		nil,
	},
	{"idle timeout", storage.ReasonIdle, "xxx xp x xx~ x ++ x. x +++", allClients, func(h *scenario) {
		time.Sleep(36 * time.Second) // and one sweep
	}, func(c *provider.Config) {
		c.Session.Idle, c.Session.RememberIdle = 30*time.Second, 30*time.Second
	}},
	{"absolute lifetime", storage.ReasonAbsolute, "xxx xp x xxx x ++ x. x +++", allClients, func(h *scenario) {
		time.Sleep(36 * time.Second)
	}, func(c *provider.Config) {
		c.Session.Absolute, c.Session.RememberAbsolute = 30*time.Second, 30*time.Second
	}},
	{
		"another user signed in on that browser",
		storage.ReasonOtherUser,
		sessionEnded,
		sessionClients,
		func(h *scenario) {
			h.MustAddUser("bob")
			p := h.laptop.Get(providertest.AuthorizeURL("ledger", "prompt", "select_account"))
			h.laptop.Submit(h.laptop.Get(p.Link("other-account")), "username", "bob", "password", providertest.Password)
		},
		nil,
	},
	{
		"factor set up by an enrolment link",
		storage.ReasonFactorChange,
		"xxx xf x xx~ x xx xx x xxf",
		allClients,
		func(h *scenario) {
			page := h.mustOpenEnrolLink()
			h.enrolling.Submit(page, "code", h.mustReadCode(page))
		},
		nil,
	},
	{"password changed", storage.ReasonPasswordChange, "xxx xp x xx~ x xx x+ x xx+", sessionClients, func(h *scenario) {
		h.changePassword(h.phone, "others")
	}, nil},
	{
		"password changed, this session too",
		storage.ReasonPasswordChange,
		"xxx xp x xx~ x xx xx x xx+",
		allClients,
		func(h *scenario) {
			h.changePassword(h.phone, "")
		},
		func(c *provider.Config) { c.Logout.PasswordChange = "all" },
	},
	{
		"password set by the administrator",
		storage.ReasonPasswordChange,
		"xxx xp x xx~ x xx xx x xx+",
		allClients,
		func(h *scenario) {
			h.password = "a new long password"
			h.MustAdmin(http.MethodPost, "/users/alice/password", `{"password":"a new long password"}`)
		},
		nil,
	},
	{
		"password reset by a link",
		storage.ReasonPasswordReset,
		"xxx xp x xx~ x xx xx x xx+",
		allClients,
		func(h *scenario) {
			h.password = "a new long password"
			b := h.Browser()
			b.Submit(b.Get(h.reset), "new-password", h.password, "repeat-password", h.password)
		},
		nil,
	},
	{
		"password changed, background access kept",
		storage.ReasonPasswordChange,
		"xxx xp x xx~ x ++ x+ x xx+",
		sessionClients,
		func(h *scenario) {
			h.changePassword(h.phone, "others", "keep-background", "on")
		},
		nil,
	},
	{
		"password reset by a link, background access kept",
		storage.ReasonPasswordReset,
		"xxx xp x xx~ x ++ xx x xx+",
		allClients,
		func(h *scenario) {
			h.password = "a new long password"
			b := h.Browser()
			b.Submit(b.Get(h.reset), "new-password", h.password, "repeat-password", h.password, "keep-background", "on")
		},
		nil,
	},
	{
		"e-mail address changed",
		storage.ReasonEmailChange,
		"xxx xp x xx~ x xx x+ x xx+",
		sessionClients,
		func(h *scenario) {
			h.changeEmail(h.phone, "others")
		},
		nil,
	},
	{
		"e-mail address changed, this session too",
		storage.ReasonEmailChange,
		"xxx xp x xx~ x xx xx x xx+",
		allClients,
		func(h *scenario) {
			h.changeEmail(h.phone, "all")
		},
		nil,
	},
	{
		"e-mail address changed by the administrator",
		storage.ReasonEmailChange,
		"xxx xp x xx~ x xx xx x xx+",
		allClients,
		func(h *scenario) {
			h.MustAdmin(http.MethodPatch, "/users/alice", `{"email":"alice@new.example"}`)
		},
		nil,
	},
	{
		"e-mail address changed by the administrator, background access kept",
		storage.ReasonEmailChange,
		"xxx xp x xx~ x ++ xx x xx+",
		allClients,
		func(h *scenario) {
			h.MustAdmin(http.MethodPatch, "/users/alice", `{"email":"alice@new.example","keep_offline":true}`)
		},
		nil,
	},
	{"“this wasn’t me”", storage.ReasonNotMe, "xxx xp x xx~ x xx x+ x xx+", sessionClients, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account"), "not-me", h.phone.Get("/account").Buttons("not-me")[0])
	}, nil},
	{"administrator: one session", storage.ReasonAdmin, sessionEnded, sessionClients, func(h *scenario) {
		h.MustAdmin(
			http.MethodPost,
			"/logouts",
			fmt.Sprintf(`{"sessions":[%q]}`, h.MustFindSession("alice", h.oldLaptop)),
		)
	}, nil},
	{"administrator: a user", storage.ReasonAdmin, allSessionsEnded, allClients, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
	}, nil},
	{
		"administrator: a user, and background access",
		storage.ReasonAdmin,
		allSessionsAndOfflineEnded,
		allClients,
		func(h *scenario) {
			h.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice","include_offline":true}`)
		},
		nil,
	},
	{"administrator: all users", storage.ReasonAdmin, allSessionsEnded, allClients, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/logouts", `{"all_users":true}`)
	}, nil},
	{"store restored from a backup", storage.ReasonRestore, "xxx xx x xx~ x xx xx x xx+", allClients, func(h *scenario) {
		if _, err := h.Provider.BeginEpoch(h.t.Context(), "admin", nil); err != nil {
			h.t.Fatal(err)
		}
	}, nil},
	{"user disabled", storage.ReasonUserDisabled, userDisabled, allClients, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/users/alice/disable", "")
	}, nil},
	{"user removed", storage.ReasonUserRemoved, userDisabled, allClients, func(h *scenario) {
		h.MustAdmin(http.MethodDelete, "/users/alice", "")
	}, nil},
	{
		"refresh token used twice, where that ends the session",
		storage.ReasonRefreshReuse,
		sessionEnded,
		sessionClients,
		func(h *scenario) {
			h.reuseRefreshToken("atlas", &h.opaqueTokens)
		},
		func(c *provider.Config) { c.Logout.RefreshReuse = "session" },
	},

	{"logout at another provider: this session", storage.ReasonUpstreamLogout, upstreamSessionEnded, sessionClients,
		func(h *scenario) { h.mustPostLogoutToken(map[string]any{"sid": upstreamLaptop}) }, nil},
	{"logout at another provider: this account", storage.ReasonUpstreamLogout, upstreamSessionEnded, sessionClients,
		func(h *scenario) { h.mustPostLogoutToken(map[string]any{"sub": upstreamSubject}) }, nil},
	{
		"re-check at another provider refused",
		storage.ReasonUpstreamRecheck,
		upstreamSessionEnded,
		sessionClients,
		func(h *scenario) { h.mustRefuseRecheck() },
		func(c *provider.Config) { c.Upstreams[0].Recheck = upstreamExpiry },
	},
	{
		"session at another provider expires",
		storage.ReasonUpstreamExpired,
		"x.x xp x xxx x ++ x+ x +++",
		sessionClients,
		func(*scenario) {
			time.Sleep(upstreamExpiry + 6*time.Second) // and one sweep
		},
		nil,
	},
	{
		"account of another provider unlinked",
		storage.ReasonUnlinked,
		"x.x xp x xx~ x ++ x+ x ++x",
		sessionClients,
		func(h *scenario) {
			p := h.phone.Get("/account/factors")
			_, fields := p.Form(h.t)
			fields.Set("unlink", p.Buttons("unlink")[0])
			h.phone.Post("/account/factors/unlink", fields)
		},
		nil,
	},

	{"signed out at this app only", storage.ReasonClientSignOut, clientSessionEnded, oneClient, func(h *scenario) {
		h.laptop.Submit(h.laptop.Get(providertest.EndSessionURL("client_id", "atlas")), "scope", "client")
	}, nil},
	{"account page: one app", storage.ReasonClientSignOut, clientSessionEnded, oneClient, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account"), "leave", h.mustFindClientSession(h.phone, "atlas"))
	}, nil},
	{"consent withdrawn", storage.ReasonConsentWithdrawn, "+++ +p x xx~ x xx ++ + +++", oneClient, func(h *scenario) {
		h.phone.Submit(h.phone.Get("/account/applications"), "withdraw", "atlas")
	}, nil},
	{"administrator: a user at one app", storage.ReasonAdmin, clientSessionEnded, oneClient, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice","client":"atlas"}`)
	}, nil},
	{"administrator: one app everywhere", storage.ReasonAdmin, clientSessionEnded, oneClient, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/logouts", `{"client":"atlas"}`)
	}, nil},
	{"app disabled", storage.ReasonClientDisabled, "+++ xx x xx~ x xx ++ + +++", oneClient, func(h *scenario) {
		h.MustAdmin(http.MethodPost, "/clients/atlas/disable", "")
	}, nil},
	{"app removed", storage.ReasonClientRemoved, "+++ xx x xx~ x xx ++ + +++", oneClient, func(h *scenario) {
		h.MustAdmin(http.MethodDelete, "/clients/atlas", "")
	}, nil},
	{
		"app may no longer sign users in",
		storage.ReasonClientChanged,
		"+++ xx x xx~ x xx ++ + +++",
		oneClient,
		func(h *scenario) {
			h.MustAdmin(
				http.MethodPatch,
				"/clients/atlas",
				`{"grant_types":["client_credentials"],"response_types":null}`,
			)
		},
		nil,
	},
	{
		"user left a group that the app admits",
		storage.ReasonGroupLeft,
		"+++ xx x xx~ x xx ++ + +++",
		oneClient,
		func(h *scenario) {
			h.MustAdmin(http.MethodPut, "/groups/staff/members/alice", "")
			h.MustAdmin(
				http.MethodPatch,
				"/clients/atlas",
				`{"admit_groups":["staff"]}`,
			) // ends nothing: alice is a member
			h.MustAdmin(http.MethodDelete, "/groups/staff/members/alice", "")
		},
		nil,
	},
	{"app admits fewer groups", storage.ReasonClientChanged, "+++ xx x xx~ x xx ++ + +++", oneClient, func(h *scenario) {
		h.MustAdmin(http.MethodPatch, "/clients/atlas", `{"admit_groups":["staff"]}`)
	}, nil},
	{"refresh token used twice", storage.ReasonRefreshReuse, clientSessionEnded, oneClient, func(h *scenario) {
		h.reuseRefreshToken("atlas", &h.opaqueTokens)
	}, nil},

	{"background access removed", storage.ReasonOfflineAccessEnded, offlineAccessEnded, nil, func(h *scenario) {
		p := h.phone.Get("/account/applications")
		h.phone.Submit(p, "end-offline", p.Buttons("end-offline")[0])
	}, nil},
	{
		"app may no longer have background access",
		storage.ReasonClientChanged,
		offlineAccessEnded,
		nil,
		func(h *scenario) {
			h.MustAdmin(http.MethodPatch, "/clients/atlas", `{"refresh_tokens":"session"}`)
		},
		nil,
	},
	{
		"refresh token of background access used twice",
		storage.ReasonRefreshReuse,
		offlineAccessEnded,
		nil,
		func(h *scenario) {
			h.reuseRefreshToken("atlas", &h.offlineTokens)
		},
		nil,
	},
	{"code used twice", storage.ReasonCodeReuse, clientGrantsEnded, nil, func(h *scenario) {
		for _, j := range []grantedTokens{h.opaqueTokens, h.jwtTokens, h.offlineTokens} {
			h.Redeem("atlas", j.code)
		}
	}, nil},
	{"refresh token revoked by the app", storage.ReasonTokenRevoked, clientGrantsEnded, nil, func(h *scenario) {
		for _, j := range []grantedTokens{h.opaqueTokens, h.jwtTokens, h.offlineTokens} {
			h.Call("atlas", "/revoke", url.Values{"token": {j.RefreshToken}})
		}
	}, nil},
	{"access token revoked by the app", "", "+++ +p + xx~ + ++ ++ + +++", nil, func(h *scenario) {
		for _, j := range []grantedTokens{h.opaqueTokens, h.jwtTokens} {
			h.Call("atlas", "/revoke", url.Values{"token": {j.AccessToken}})
		}
	}, nil},
}

// reuseRefreshToken presents a refresh token again after its successor was given, past the grace for answers that got
// lost.
func (h *scenario) reuseRefreshToken(client string, j *grantedTokens) {
	h.t.Helper()
	spent := j.RefreshToken
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {spent}}
	j.RefreshToken = h.Token(client, form).RefreshToken
	time.Sleep(11 * time.Second)
	if got := h.Token(client, form); got.Error != "invalid_grant" || j.RefreshToken == "" {
		h.t.Errorf("got %+v for a refresh token that was used before", got)
	}
}

func (h *scenario) changePassword(b *providertest.Browser, extent string, more ...string) {
	h.t.Helper()
	fields := []string{
		"current-password",
		h.password,
		"new-password",
		"a new long password",
		"repeat-password",
		"a new long password",
	}
	if extent != "" {
		fields = append(fields, "scope", extent)
	}
	fields = append(fields, more...)
	h.password = "a new long password"
	if p := b.Submit(b.Get("/account/security"), fields...); p.Status != http.StatusOK {
		h.t.Fatalf("got %d from a change of password:\n%s", p.Status, p.Body)
	}
}

func (h *scenario) changeEmail(b *providertest.Browser, extent string) {
	h.t.Helper()
	page := b.Get(h.MustMakeEmailLink("alice", "alice@new.example"))
	if p := b.Submit(page, "scope", extent); p.Status != http.StatusOK {
		h.t.Fatalf("got %d from a change of e-mail address:\n%s", p.Status, p.Body)
	}
}

// mustFindClientSession is the account page's name for a client's share, of whichever session holds it.
func (h *scenario) mustFindClientSession(b *providertest.Browser, client string) string {
	h.t.Helper()
	for _, use := range b.Get("/account").Buttons("leave") {
		if len(use) > len(client) && use[len(use)-len(client):] == client {
			return use
		}
	}
	h.t.Fatalf("got no share of %s on the account page", client)
	return ""
}
