package templates

import (
	"io"
	"reflect"
	"time"
)

// Sample is a page with made-up data, for looking at it without signing in.
type Sample struct {
	Name     string // the page and its state, such as "signin-wrong"
	renderIn func(w io.Writer, language string) error
}

// Render writes the page in English.
func (s Sample) Render(w io.Writer) error { return s.renderIn(w, "") }

// RenderIn writes the page in the language with a tag, with links to the other languages.
func (s Sample) RenderIn(w io.Writer, language string) error { return s.renderIn(w, language) }

// sampleNow is the time of all samples.
var sampleNow = time.Date(2026, time.November, 21, 10, 2, 14, 0, time.UTC)

// sample returns the Sample of a page and its function.
func sample[P any](name string, render func(io.Writer, P) error, page P) Sample {
	return Sample{name, func(w io.Writer, language string) error {
		translated := page
		if language != "" {
			fields := reflect.ValueOf(&translated).Elem()
			fields.FieldByName("Lang").SetString(language)
			fields.FieldByName("Languages").Set(reflect.ValueOf(sampleLanguages(language)))
		}
		return render(w, translated)
	}}
}

func sampleLanguages(current string) []LanguageLink {
	var links []LanguageLink
	for _, l := range Languages() {
		links = append(links, LanguageLink{Language: l, URL: "/?lang=" + l.Tag, Current: l.Tag == current})
	}
	return links
}

// Samples returns all pages, each in several states.
func Samples() []Sample {
	var all []Sample
	all = append(all, signInSamples()...)
	all = append(all, signOutSamples()...)
	all = append(all, accountSamples()...)
	all = append(all, factorSamples()...)
	all = append(all, otherSamples()...)
	return all
}

func signInSamples() []Sample {
	atlas := App{
		Name:      "Atlas",
		Host:      "atlas.example",
		LogoURI:   assetPath("icon.svg"),
		PolicyURI: "https://atlas.example/privacy",
		TosURI:    "https://atlas.example/terms",
	}
	plain := App{Name: "Atlas", Host: "atlas.example"}
	first := SignInPage{Page: Page{Now: sampleNow}, Action: "/login", Interaction: "h4nd1e", OfferRememberMe: true}

	forAtlas := first
	forAtlas.Application = &plain
	forAtlas.Login = "ada@example.org"
	forAtlas.RememberMe = true
	forAtlas.ForgotURL = "/login/forgot"
	forAtlas.SignUpURL = "/signup"

	withLogo := forAtlas
	withLogo.Application = &atlas
	withLogo.CancelURL = "/login/cancel"

	wrong := forAtlas
	wrong.Problem = Problem{Fault: WrongCredentials}

	tooMany := forAtlas
	tooMany.Problem = Problem{Fault: TooManyAttempts, RetryAfter: 40 * time.Second}

	withUpstreams := forAtlas
	withUpstreams.Upstreams = []UpstreamLink{
		{ID: "acme", Name: "Acme", URL: "/login/h4nd1e/upstream/acme"},
		{ID: "school", Name: "University of Somewhere", URL: "/login/h4nd1e/upstream/school"},
	}
	unlinked := withUpstreams
	unlinked.Problem = Problem{Fault: UpstreamNotLinked, Provider: "Acme"}
	unreachable := withUpstreams
	unreachable.Problem = Problem{Fault: UpstreamUnavailable, Provider: "Acme"}

	over := first
	over.Problem = Problem{Fault: SessionOver}

	again := forAtlas
	again.AccountFixed = true
	again.OfferRememberMe = false
	again.OtherAccountURL = "/login?other=1"

	ask := ConsentPage{
		Page: Page{
			Account: "ada@example.org",
			Now:     sampleNow,
		},
		Action:      "/consent",
		Interaction: "h4nd1e",
		Application: atlas,
		Scopes: []string{
			"openid",
			"profile",
			"email",
		},
		SessionEnds:     sampleNow.Add(22 * time.Hour),
		OtherAccountURL: "/login?other=1",
	}
	offline := ask
	offline.Scopes = []string{
		"openid",
		"offline_access",
		"calendar.write",
	}
	offline.Claims = []string{
		"birthdate",
		"badge_number",
	}
	offline.Allowed = []string{"openid"}
	bare := ask
	bare.Scopes = []string{"openid"}
	bare.Application = plain
	eachTime := ask
	eachTime.Application = App{Name: "Atlas for desktops", SelfRegistered: true}
	eachTime.EachTime = true

	api := ask
	api.Scopes = []string{"openid", "orders.read", "bills"}
	api.APIScopes = Descriptions{"orders.read": {"en": "See your orders", "de": "Ihre Bestellungen sehen"}}
	return []Sample{
		sample("signin", SignIn, first),
		sample("signin-application", SignIn, forAtlas),
		sample("signin-logo", SignIn, withLogo),
		sample("signin-wrong", SignIn, wrong),
		sample("signin-attempts", SignIn, tooMany),
		sample("signin-over", SignIn, over),
		sample("signin-upstreams", SignIn, withUpstreams),
		sample("signin-upstream-unlinked", SignIn, unlinked),
		sample("signin-upstream-unreachable", SignIn, unreachable),
		sample("signin-again", SignIn, again),
		sample(
			"signinagain",
			SignInAgain,
			SignInAgainPage{
				Page:        Page{Now: sampleNow},
				Action:      "/login/again",
				Interaction: "h4nd1e",
				Application: plain,
				StayURL:     "/signed-out",
			},
		),
		sample(
			"chooseaccount",
			ChooseAccount,
			ChooseAccountPage{
				Page:            Page{Account: "ada@example.org", Now: sampleNow},
				Action:          "/login/choose",
				Interaction:     "h4nd1e",
				Application:     &plain,
				Name:            "Ada Lovelace",
				OtherAccountURL: "/login?other=1",
			},
		),
		sample("consent", Consent, ask),
		sample("consent-offline", Consent, offline),
		sample("consent-bare", Consent, bare),
		sample("consent-unproven", Consent, eachTime),
		sample("consent-api", Consent, api),
	}
}

// sampleEntries returns an entry in each state that a signed-out page can show.
func sampleEntries() []Entry {
	at := func(d time.Duration) time.Time { return sampleNow.Add(d) }
	back := []string{ChannelBack}
	return []Entry{
		{
			ID:          "1",
			Application: "Atlas",
			Channels:    back,
			Trust:       TrustConfirmed,
			Delivery:    DeliveryDone,
			NotifiedAt:  at(100 * time.Millisecond),
			Attempts:    1,
			Status:      200,
		},
		{
			ID:          "2",
			Application: "Ledger",
			Channels:    back,
			Trust:       TrustConfirmed,
			Delivery:    DeliveryDone,
			NotifiedAt:  at(1200 * time.Millisecond),
			Attempts:    2,
			Status:      204,
		},
		{
			ID:          "3",
			Application: "Wiki",
			Channels:    back,
			Trust:       TrustExpiring,
			Delivery:    DeliveryPending,
			ExpiresAt:   at(15*time.Minute + 46*time.Second),
			Attempts:    3,
			Class:       "timeout",
			NextAttempt: at(30 * time.Second),
		},
		{
			ID:          "4",
			Application: "Old portal",
			OpenURL:     "https://portal.example/",
			Trust:       TrustUnknown,
			Delivery:    DeliveryNone,
		},
		{
			ID:          "5",
			Application: "Photos",
			OpenURL:     "https://photos.example/",
			Channels:    []string{ChannelFront},
			Trust:       TrustNotified,
			Delivery:    DeliveryDone,
		},
		{
			ID:          "6",
			Application: "Build server",
			Channels:    back,
			Trust:       TrustUnknown,
			Delivery:    DeliveryPending,
			Attempts:    2,
			Class:       "refused",
			NextAttempt: at(5 * time.Second),
		},
		{
			ID:          "7",
			Application: "Tickets",
			OpenURL:     "https://tickets.example/",
			Channels:    back,
			Trust:       TrustUnknown,
			Delivery:    DeliveryFailed,
			Attempts:    3,
			Status:      501,
		},
	}
}

func signOutSamples() []Sample {
	atlas := App{Name: "Atlas", Host: "atlas.example"}
	account := Page{Account: "ada@example.org", Now: sampleNow}
	here := Horizon{Tokens: 11 * time.Minute, Expiring: 2, Clients: 2 * time.Minute, Unknown: []string{"Old portal"}}
	everywhere := Horizon{
		Tokens:   11 * time.Minute,
		Expiring: 4,
		Clients:  2 * time.Minute,
		Unknown:  []string{"Old portal"},
	}
	ask := SignOutPage{
		Page:        account,
		Action:      "/end_session",
		Interaction: "h4nd1e",
		Application: &atlas,
		Choices: []SignOutChoice{
			{
				Scope:      ScopeSession,
				Preview:    &here,
				Notified:   []string{"Atlas", "Wiki"},
				Unnotified: []string{"Old portal"},
			},
			{
				Scope:      ScopeAll,
				Preview:    &everywhere,
				Notified:   []string{"Atlas", "Wiki", "Ledger", "Mail"},
				Unnotified: []string{"Old portal"},
			},
		},
	}

	all := ask
	all.Choices = []SignOutChoice{
		{Scope: ScopeClient, Preview: &Horizon{Expiring: 1, Clients: 2 * time.Second}},
		{Scope: ScopeSession, Preview: &here},
		{Scope: ScopeAll, Preview: &everywhere},
	}
	all.Offline = []string{"Mail"}

	plain := ask
	plain.Application = nil
	plain.Choices = []SignOutChoice{{Scope: ScopeSession}}

	bad := plain
	bad.Problem = ErrorHintInvalid

	soon := Page{Now: sampleNow.Add(2 * time.Second)}
	done := SignedOutPage{
		RedirectDelay: 6 * time.Second,
		Page:          soon,
		Ended:         sampleNow,
		Scope:         ScopeSession,
		Application:   &atlas,
		Entries:       sampleEntries()[:4],
		Offline:       []string{"Mail"},
		OfflineURL:    "/account/applications",
		StatusURL:     "/signed-out/x",
		ContinueURL:   "https://atlas.example/?state=1&x=%20",
		SignInURL:     "/account",
		MeaningURL:    "/signed-out/meaning",
	}
	first := done
	first.Frames = []Frame{{"Photos", "https://photos.example/logout?iss=https%3A%2F%2Fcurfew.example&sid=abc"}}
	first.StatusJSONURL = "/signed-out/x.json"
	first.EvictURL = "/signed-out/evict.css"
	first.Entries = sampleEntries()
	confirmed := done
	confirmed.Entries = sampleEntries()[:2]
	confirmed.Offline = nil
	withUpstream := done
	withUpstream.Upstream, withUpstream.UpstreamURL, withUpstream.Manual = "Acme", "/signed-out/h4nd1e/upstream", true

	clientSignOut := SignedOutPage{
		RedirectDelay: 6 * time.Second,
		Page:          soon,
		Ended:         sampleNow,
		Scope:         ScopeClient,
		Application:   &atlas,
		Entries:       sampleEntries()[:1],
		SignInURL:     "/account",
	}
	signedOutEverywhere := done
	signedOutEverywhere.Scope = ScopeAll
	signedOutEverywhere.Entries = sampleEntries()
	signedOutEverywhere.ContinueURL = ""

	return []Sample{
		sample("signout", SignOut, ask),
		sample("signout-all", SignOut, all),
		sample("signout-plain", SignOut, plain),
		sample("signout-problem", SignOut, bad),
		sample("signedout", SignedOut, done),
		sample("signedout-first", SignedOut, first),
		sample("signedout-confirmed", SignedOut, confirmed),
		sample("signedout-application", SignedOut, clientSignOut),
		sample("signedout-everywhere", SignedOut, signedOutEverywhere),
		sample("signedout-upstream", SignedOut, withUpstream),
		sample("signedout-none", SignedOut, SignedOutPage{Page: soon, SignInURL: "/account"}),
	}
}

func accountSamples() []Sample {
	ago := func(d time.Duration) time.Time { return sampleNow.Add(-d) }
	const hour, day = time.Hour, 24 * time.Hour
	account := AccountPage{
		Page: Page{
			Account:  "ada@example.org",
			Now:      sampleNow,
			ProbeURL: "/account/alive",
			EndedURL: "/account",
		},
		Interaction:     "h4nd1e",
		SessionsURL:     "/account",
		ApplicationsURL: "/account/applications",
		SecurityURL:     "/account/security",
		ActivityURL:     "/account/activity",
		SignOutURL:      "/end_session",
	}
	linux := Session{
		ID:         "s1",
		Device:     Device{"Firefox", "Linux"},
		Address:    "192.0.2.17",
		SignedIn:   ago(108 * time.Minute),
		LastActive: sampleNow,
		Ends:       sampleNow.Add(7 * day),
		Current:    true,
		RememberMe: true,
		Applications: []AppUse{
			{"s1.atlas", "Atlas", sampleNow},
			{"s1.ledger", "Ledger", ago(40 * time.Minute)},
			{"s1.wiki", "Wiki", ago(hour)},
		},
	}
	phone := Session{
		ID:           "s2",
		Device:       Device{"Safari", "iPhone"},
		Address:      "198.51.100.4",
		SignedIn:     ago(2 * day),
		LastActive:   ago(2 * hour),
		Ends:         sampleNow.Add(12 * day),
		Applications: []AppUse{{"s2.atlas", "Atlas", ago(2 * hour)}, {"s2.mail", "Mail", ago(3 * hour)}},
	}
	windows := Session{
		ID:           "s3",
		Device:       Device{"Chrome", "Windows"},
		Address:      "2001:db8:85a3::8a2e:370:7334",
		SignedIn:     ago(19 * day),
		LastActive:   ago(9 * day),
		Ends:         sampleNow.Add(day),
		Applications: []AppUse{{"s3.portal", "Old portal", ago(9 * day)}},
	}
	mail := OfflineAccess{
		ID:          "o1",
		Application: "Mail",
		Device:      Device{System: "iPhone"},
		Since:       ago(2 * day),
		LastUse:     ago(hour),
		Ends:        sampleNow.Add(90 * day),
	}
	everywhere := Horizon{
		Tokens:   16 * time.Second,
		Expiring: 4,
		Clients:  2 * time.Minute,
		Unknown:  []string{"Old portal"},
	}

	list := SessionsPage{
		AccountPage: account,
		Action:      "/account/sessions",
		Sessions:    []Session{linux, phone, windows},
		AllHorizon:  &everywhere,
		Offline:     []OfflineAccess{mail},
	}
	one := list
	one.Sessions = list.Sessions[:1]
	one.Offline = nil
	one.AllHorizon = &Horizon{
		Unknown:   []string{"Atlas", "Ledger"},
		Notifying: 2,
		Tokens:    10 * time.Minute,

		Upstreams:     []string{"Acme"},
		UpstreamTrust: TrustUnknown,
		Chain:         8*time.Hour + 11*time.Minute,
		ChainUnknown:  true,
	}
	afterSignOut := list
	afterSignOut.Notice = NoticeSignedOut
	afterSignOut.NoticeURL = "/account/activity/r1"
	afterSignOut.Sessions = list.Sessions[:2]

	atlas := App{
		Name:      "Atlas",
		Host:      "atlas.example",
		LogoURI:   assetPath("icon.svg"),
		PolicyURI: "https://atlas.example/privacy",
	}
	allowed := ApplicationsPage{
		AccountPage: account,
		Action:      "/account/applications",
		Applications: []AppGrant{
			{
				ID:          "atlas",
				Application: atlas,
				Scopes:      []string{"openid", "profile", "email"},
				Since:       ago(40 * day),
				LastUse:     sampleNow,
				Devices:     []Device{{"Firefox", "Linux"}, {"Safari", "iPhone"}},
			},
			{
				ID:          "mail",
				Application: App{Name: "Mail", Host: "mail.example"},
				Scopes:      []string{"openid", "offline_access", "mailbox"},
				Since:       ago(2 * day),
				LastUse:     ago(hour),
				Devices:     []Device{{"Safari", "iPhone"}},
				Offline:     []OfflineAccess{mail},
			},
			{Application: App{Name: "Wiki", Host: "wiki.example"}, Scopes: []string{"openid"}, LastUse: ago(hour)},
		},
	}
	security := SecurityPage{
		AccountPage:    account,
		FactorsURL:     "/account/factors",
		PasswordAction: "/account/password",
		EmailAction:    "/account/email",
		Login:          "ada",
		Email:          "ada@example.org",
		MinPassword:    12,
		SessionScopes:  []LogoutScope{ScopeOthers, ScopeAll},
	}
	security.BackgroundAction = "/account/security"
	security.Offline = []OfflineAccess{mail}
	security.HasFactors = true
	confirmEmail := ConfirmEmailPage{
		AccountPage:   account,
		Action:        "/email/x",
		Login:         "ada",
		Email:         "ada@new.example",
		Offline:       security.Offline,
		HasFactors:    true,
		SessionScopes: security.SessionScopes,
	}
	byOperator := security
	byOperator.EmailAction = ""
	wrong := security
	wrong.PasswordProblem = Problem{
		Fault: PasswordsDiffer,
	}
	wrong.EmailProblem = Problem{
		Fault: EmailInvalid,
	}
	wrong.Email = "ada@"

	activity := ActivityPage{
		AccountPage: account,
		OlderURL:    "/account/activity?after=9",
		Events: []Event{
			{
				At:      ago(108 * time.Minute),
				Kind:    "session.created",
				Device:  Device{"Firefox", "Linux"},
				Address: "192.0.2.17",
			},
			{
				At:        ago(20 * hour),
				Kind:      "session.ended",
				Reason:    "idle_timeout",
				Device:    Device{"Edge", "Windows"},
				Address:   "203.0.113.80",
				ReportURL: "/account/activity/r1",
			},
			{
				At:          ago(26 * hour),
				Kind:        "client_session.ended",
				Reason:      "refresh_reuse",
				Application: "Mail",
				Device:      Device{"Safari", "iPhone"},
				Address:     "198.51.100.4",
				ReportURL:   "/account/activity/r2",
			},
			{At: ago(3 * day), Kind: "user.password", Device: Device{"Firefox", "Linux"}, Address: "192.0.2.17"},
		},
	}
	report := ReportPage{
		AccountPage: account,
		Device:      Device{"Firefox", "Linux"},
		Address:     "192.0.2.17",
		SignedIn:    ago(2 * hour),
		Ended:       sampleNow,
		Reason:      "account",
		Entries:     sampleEntries(),
		Horizon: Horizon{
			Tokens:    11 * time.Minute,
			Confirmed: 2,
			Expiring:  1,
			Clients:   15*time.Minute + 46*time.Second,
			Unknown:   []string{"Old portal", "Photos", "Build server", "Tickets"},
			Notifying: 1,
		},
		StatusJSONURL: "/account/activity/r1.json",
		DownloadURL:   "/account/activity/r1.jwt",
		MeaningURL:    "/signed-out/meaning",
	}
	report.Now = sampleNow.Add(20 * time.Second)
	later := report
	later.Now = sampleNow.Add(day)
	later.Entries = append(
		[]Entry{
			{
				ID:          "t",
				Kind:        KindAccessTokens,
				Application: "Atlas",
				Trust:       TrustExpiring,
				ExpiresAt:   sampleNow.Add(11 * time.Minute),
			},
			{ID: "o", Kind: KindOfflineAccess, Application: "Mail", Trust: TrustUnknown, Delivery: DeliveryNone},
		},
		report.Entries[:3]...)
	later.Horizon.Unknown = nil
	later.Horizon.Upstreams = []string{"Acme"}
	later.Horizon.UpstreamTrust = TrustConfirmed
	later.Horizon.Chain = 15*time.Minute + 46*time.Second
	access := ReportPage{
		AccountPage: account,
		AccessOnly:  true,
		Ended:       sampleNow,
		Reason:      "offline_access_ended",
		Application: "Mail",
		Entries:     []Entry{{ID: "o", Kind: KindOfflineAccess, Application: "Mail", Trust: TrustRevoked}},
		DownloadURL: "/account/activity/r3.jwt",
		MeaningURL:  "/signed-out/meaning",
	}

	return []Sample{
		sample("sessions", Sessions, list),
		sample("sessions-one", Sessions, one),
		sample("sessions-notice", Sessions, afterSignOut),
		sample("applications", Applications, allowed),
		sample("applications-none", Applications, ApplicationsPage{AccountPage: account}),
		sample("security", Security, security),
		sample("security-by-operator", Security, byOperator),
		sample("confirmemail", ConfirmEmail, confirmEmail),
		sample("security-wrong", Security, wrong),
		sample("activity", Activity, activity),
		sample("report", Report, report),
		sample("report-later", Report, later),
		sample("report-access", Report, access),
	}
}

func otherSamples() []Sample {
	page := Page{Now: sampleNow, RequestID: "7f3a9c2e41d0"}
	failure := func(name string, p ErrorPage) Sample {
		p.Page = page
		return sample("error-"+name, Error, p)
	}
	forgot := ForgotPage{Page: Page{Now: sampleNow}, Action: "/forgot", SignInURL: "/account"}
	missing := forgot
	missing.Problem = Problem{Fault: LoginMissing}
	sent := forgot
	sent.Sent = true
	signUp := SignUpPage{Page: Page{Now: sampleNow}, Action: "/signup", SignInURL: "/account"}
	otherDomain := signUp
	otherDomain.Problem = Problem{Fault: EmailDomain}
	signUpSent := signUp
	signUpSent.Sent = true
	notMe := NotMePage{
		Page:        Page{Now: sampleNow},
		Action:      "/not-me/x",
		Interaction: "h4nd1e",
		Login:       "ada",
		HasPassword: true,
		MayReset:    true,
	}
	restores := notMe
	restores.RemovesFactors = true
	restores.RestoredEmail = "ada@curfew.example"
	restores.MayReset = false
	reset := ResetPasswordPage{
		Page:        Page{Now: sampleNow},
		Action:      "/login/reset",
		Interaction: "h4nd1e",
		Login:       "ada",
		MinPassword: 12,
		Background:  []string{"Mail"},
		HasFactors:  true,
	}
	invitation := reset
	invitation.Background, invitation.HasFactors = nil, false
	invitation.Invitation = true
	short := reset
	short.Problem = Problem{Fault: PasswordTooShort, MinPassword: 12}
	return []Sample{
		failure("redirect-uri", ErrorPage{Status: 400, Text: ErrorRedirectURIUnregistered, Value: "evil.example"}),
		failure(
			"app-request",
			ErrorPage{
				Status:  400,
				Text:    ErrorAppRequest,
				Value:   "app.example",
				LinkURL: "https://app.example/callback?error=invalid_scope",
				Link:    LinkApp,
			},
		),
		failure("not-admitted", ErrorPage{
			Status:  403,
			Text:    ErrorNotAdmitted,
			Value:   "Wiki",
			Contact: "wiki@example.org",
			LinkURL: "https://wiki.example/cb?error=access_denied",
			Link:    LinkApp,

			OtherAccountURL: "/login/other",
		}),
		failure("forbidden", ErrorPage{Status: 403}),
		failure("notfound", ErrorPage{Status: 404, LinkURL: "/account", Link: LinkAccount}),
		failure("attempts", ErrorPage{Status: 429, RetryAfter: 30 * time.Second}),
		failure("internal", ErrorPage{}),
		failure("unavailable", ErrorPage{Status: 503, RetryAfter: 5 * time.Second}),
		failure("outcome-open", ErrorPage{Status: 503, Text: ErrorOutcomeOpen, RetryAfter: 5 * time.Second}),
		sample(
			"formpost",
			FormPost,
			FormPostPage{
				Page:        Page{Now: sampleNow},
				Action:      "https://atlas.example/callback",
				Application: App{Name: "Atlas", Host: "atlas.example"},
				Fields:      []Field{{"code", "c0de"}, {"state", "st4te"}, {"iss", "https://curfew.example"}},
			},
		),
		sample(
			"repost",
			Repost,
			RepostPage{
				Page:   Page{Now: sampleNow},
				Action: "/authorize",
				Fields: []Field{{"client_id", "atlas"}, {"scope", "openid"}},
			},
		),
		sample("forgot", Forgot, forgot),
		sample("forgot-missing", Forgot, missing),
		sample("forgot-sent", Forgot, sent),
		sample("signup", SignUp, signUp),
		sample("signup-domain", SignUp, otherDomain),
		sample("signup-sent", SignUp, signUpSent),
		sample("notme", NotMe, notMe),
		sample("notme-restores", NotMe, restores),
		sample("resetpassword", ResetPassword, reset),
		sample("resetpassword-invitation", ResetPassword, invitation),
		sample("resetpassword-short", ResetPassword, short),
		sample(
			"passwordchanged",
			PasswordChanged,
			PasswordChangedPage{Page: Page{Now: sampleNow}, Ended: 3, SignInURL: "/account"},
		),
		sample("meaning", Meaning, MeaningPage{Page: Page{Now: sampleNow}, BackURL: "/signed-out/x"}),
		sample(
			"message",
			Message,
			MessagePage{Page: Page{Now: sampleNow}, Message: MessageStillSignedIn, LinkURL: "/account"},
		),
		sample(
			"message-secured",
			Message,
			MessagePage{Page: Page{Now: sampleNow}, Message: MessageSecuredAsk, LinkURL: "/account"},
		),
	}
}
