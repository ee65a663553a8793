package templates

import "time"

func factorSamples() []Sample {
	plain := App{Name: "Atlas", Host: "atlas.example"}
	code := CodePage{
		Page:            Page{Now: sampleNow},
		Action:          "/login/x",
		Interaction:     "h4nd1e",
		Application:     &plain,
		RememberDays:    30,
		OtherAccountURL: "/login/other",
		CancelURL:       "/login/x/cancel",
		OtherMethods:    []SignInMethod{{Label: "code.use_recovery", URL: "/login/recovery"}},
	}
	wrong := code
	wrong.Problem = Problem{Fault: WrongCode}
	recovery := code
	recovery.Recovery, recovery.RememberDays = true, 0
	recovery.OtherMethods = []SignInMethod{{Label: "code.use_app", URL: "/login/totp"}}
	enrol := EnrolTOTPPage{
		Page:        Page{Now: sampleNow},
		Action:      "/account/factors/totp",
		Interaction: "h4nd1e",
		URL:         "otpauth://totp/id.example:ada?issuer=id.example&secret=JBSWY3DPEHPK3PXP",
		Secret:      "JBSWY3DPEHPK3PXP",
		EndsOthers:  true,
		CancelURL:   "/account/factors",
	}
	required := enrol
	required.Required, required.EndsOthers, required.Application = true, false, &plain
	required.CancelURL = "/login/x/cancel"
	account := AccountPage{
		Page:            Page{Account: "ada@example.org", Now: sampleNow},
		Interaction:     "h4nd1e",
		SessionsURL:     "/account",
		ApplicationsURL: "/account/applications",
		SecurityURL:     "/account/security",
		ActivityURL:     "/account/activity",
		SignOutURL:      "/end_session",
	}
	none := FactorsPage{
		AccountPage:    account,
		OfferPasskeys:  true,
		AddPasskeyURL:  "/account/factors/passkey",
		AddTOTPURL:     "/account/factors/totp",
		RemoveAction:   "/account/factors",
		RecoveryAction: "/account/factors/recovery",
		RenameAction:   "/account/factors/name",
	}
	all := none
	all.Passkeys = []Passkey{
		{ID: "passkey-a", Name: "Laptop", Created: sampleNow.AddDate(0, -2, 0), LastUsed: sampleNow.Add(-time.Hour)},
		{ID: "passkey-b", Name: "Phone", Created: sampleNow.AddDate(0, -1, 0), Synced: true},
	}
	all.TOTP = &TOTPFactor{Created: sampleNow.AddDate(0, -1, 0), LastUsed: sampleNow.AddDate(0, 0, -3)}
	all.RecoveryCodes, all.MayHaveRecovery, all.Browsers = 9, true, 2
	all.LinkAction, all.UnlinkAction = "/account/factors/link", "/account/factors/unlink"
	all.Linkable = []UpstreamLink{{ID: "school", Name: "School"}}
	all.Linked = []LinkedAccount{
		{Key: "k3y", Provider: "Acme", Name: "ada@acme.example", Created: sampleNow.AddDate(0, -1, 0)},
	}
	needed := all
	needed.RecoveryCodes, needed.Browsers = 0, 0
	needed.Problem = Problem{Fault: FactorNeeded}
	request := PasskeyRequest{Action: "/login/y", Interaction: "h4nd1e", Options: `{"challenge":"AAAA"}`}
	signIn := SignInPage{
		Page:            Page{Now: sampleNow},
		Action:          "/login",
		Interaction:     "h4nd1e",
		OfferRememberMe: true,
		Passkey:         request,
	}
	passkey := PasskeyPage{
		Page:            Page{Now: sampleNow},
		Request:         request,
		Application:     &plain,
		RememberDays:    30,
		OtherAccountURL: "/login/other",
		CancelURL:       "/login/x/cancel",
		OtherMethods:    code.OtherMethods,
	}
	refused := passkey
	refused.Problem = Problem{Fault: PasskeyRefused}
	enrolPasskey := EnrolPasskeyPage{
		Page:       Page{Now: sampleNow},
		Request:    request,
		Name:       "Firefox, Linux",
		EndsOthers: true,
		CancelURL:  "/account/factors",
	}
	neededPasskey := enrolPasskey
	neededPasskey.Required, neededPasskey.EndsOthers, neededPasskey.Application = true, false, &plain
	byLink := enrol
	byLink.Page.Account = "ada@example.org"
	byLink.EndsOthers, byLink.EndsAll = false, true
	byLink.CancelURL = ""
	passkeyByLink := enrolPasskey
	passkeyByLink.Page.Account = "ada@example.org"
	passkeyByLink.EndsOthers, passkeyByLink.EndsAll = false, true
	passkeyByLink.CancelURL = ""
	return []Sample{
		sample("signin-passkey", SignIn, signIn),
		sample("passkey", PasskeySignIn, passkey),
		sample("passkey-refused", PasskeySignIn, refused),
		sample("enrolpasskey", EnrolPasskey, enrolPasskey),
		sample("enrolpasskey-required", EnrolPasskey, neededPasskey),
		sample("code", Code, code),
		sample("code-wrong", Code, wrong),
		sample("code-recovery", Code, recovery),
		sample("enroltotp", EnrolTOTP, enrol),
		sample("enroltotp-required", EnrolTOTP, required),
		sample("enroltotp-link", EnrolTOTP, byLink),
		sample("enrolpasskey-link", EnrolPasskey, passkeyByLink),
		sample("recoverycodes", RecoveryCodes, RecoveryCodesPage{
			Page:        Page{Now: sampleNow},
			Codes:       []string{"aaaa-bbbb-cccc-dddd", "eeee-ffff-gggg-hhhh"},
			ContinueURL: "/account/factors",
		}),
		sample("factors", Factors, all),
		sample("factors-none", Factors, none),
		sample("factors-needed", Factors, needed),
	}
}
