package signin_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// mustCode returns the code of an authenticator app at that time.
func mustCode(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// mustEnrol sets up an authenticator app for alice, who is signed in in b, and returns its secret and her recovery
// codes. Afterwards the time is in a step of which no code was used.
func mustEnrol(t *testing.T, b *providertest.Browser) (secret string, recoveryCodes []string) {
	t.Helper()
	page := b.Get("/account/factors/totp")
	secret = mustReadSecret(t, page)
	codes := b.Submit(page, "code", mustCode(t, secret, time.Now()))
	time.Sleep(time.Minute)
	return secret, mustReadCodes(t, codes)
}

// mustReadSecret returns the key that the page shows to be typed.
func mustReadSecret(t *testing.T, page providertest.Page) string {
	t.Helper()
	key := mustMatch(t, page, `(?s)<p class="key" id="secret">(.*?)</p>`)
	return strings.Join(strings.Fields(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(key, "")), "")
}

// mustReadCodes returns the recovery codes that the page shows.
func mustReadCodes(t *testing.T, page providertest.Page) []string {
	t.Helper()
	var codes []string
	for _, match := range regexp.MustCompile(`<li><code>([^<]*)</code>`).FindAllStringSubmatch(page.Body, -1) {
		codes = append(codes, match[1])
	}
	if len(codes) != 10 {
		t.Fatalf("got %d with %d recovery codes, want 10:\n%s", page.Status, len(codes), page.Body)
	}
	return codes
}

// mustSendPassword opens a sign-in at atlas and sends the password.
func mustSendPassword(b *providertest.Browser, more ...string) providertest.Page {
	login := b.Get(providertest.AuthorizeURL("atlas", more...))
	return b.Submit(login, "username", "alice", "password", providertest.Password)
}

func inBubble(t *testing.T, configure func(*provider.Config), test func(*testing.T, *providertest.Fixture)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := providertest.MustStart(t, configure)
		f.MustAddClient("atlas", nil)
		test(t, f)
		f.StopWork()
	})
}

// TestPasswordAloneGivesNothingBesideAnAuthenticatorApp: no session, and no code for the client, before the second
// factor; then amr and acr say so.
func TestPasswordAloneGivesNothingBesideAnAuthenticatorApp(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)

		b := f.Browser()
		page := mustSendPassword(b)
		if !strings.Contains(page.Body, `autocomplete="one-time-code"`) || b.Cookies["__Host-curfew-session"] != "" {
			t.Fatalf("got %d and cookies %v, want the page that asks for a code:\n%s", page.Status, b.Cookies, page.Body)
		}
		if b.SignedIn("atlas") {
			t.Fatal("the password alone signed in")
		}
		wrong := b.Submit(page, "code", "000000")
		if wrong.Status != http.StatusOK || !strings.Contains(wrong.Body, `aria-invalid`) {
			t.Errorf("got %d for a wrong code", wrong.Status)
		}
		response := b.Submit(wrong, "code", mustCode(t, secret, time.Now()))
		if response.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d for a correct code:\n%s", response.Status, response.Body)
		}
		session, err := f.Store.Session(t.Context(), f.MustFindSession("alice", b), time.Now())
		if err != nil || session.ACR != "mfa" || !slices.Equal(session.AMR, []string{"pwd", "otp", "mfa"}) {
			t.Errorf("got %+v, %v, want acr mfa and amr pwd otp mfa", session, err)
		}
	})
}

// TestCodeIsTakenOneStepEarlyOrLateAndOnce (RFC 6238 §5.2, §6).
func TestCodeIsTakenOneStepEarlyOrLateAndOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)
		for _, c := range []struct {
			offset time.Duration
			want   bool
		}{{-2, false}, {2, false}, {-1, true}, {-1, false}, {0, true}, {0, false}, {1, true}, {0, false}, {1, false}} {
			b := f.Browser()
			page := mustSendPassword(b)
			answer := b.Submit(page, "code", mustCode(t, secret, time.Now().Add(c.offset*30*time.Second)))
			if got := answer.Status == http.StatusSeeOther; got != c.want {
				t.Errorf("code of step %d: got %v, want %v", c.offset, got, c.want)
			}
		}
	})
}

// TestOneCodeSignsInOneOfManyBrowsers: parallel sign-ins with one code give one session.
func TestOneCodeSignsInOneOfManyBrowsers(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)
		code := mustCode(t, secret, time.Now())
		var mu sync.Mutex
		var wg sync.WaitGroup
		signedIn := 0
		for range 4 {
			b := f.Browser()
			page := mustSendPassword(b)
			wg.Go(func() {
				answer := b.Submit(page, "code", code)
				mu.Lock()
				defer mu.Unlock()
				if answer.Status == http.StatusSeeOther {
					signedIn++
				}
			})
		}
		wg.Wait()
		if signedIn != 1 {
			t.Errorf("got %d sign-ins with one code, want 1", signedIn)
		}
	})
}

// TestDoubleClickOnACodeSignsInOnce: both answers of a form that is sent twice give the same session, although the code
// counts once.
func TestDoubleClickOnACodeSignsInOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)
		b := f.Browser()
		page := mustSendPassword(b)
		again := b.Copy()
		code := mustCode(t, secret, time.Now())
		one, two := b.Submit(page, "code", code), again.Submit(page, "code", code)
		if one.Status != http.StatusSeeOther || two.Status != http.StatusSeeOther ||
			b.Cookies["__Host-curfew-session"] != again.Cookies["__Host-curfew-session"] {
			t.Errorf("got %d and %d, want the same session twice", one.Status, two.Status)
		}
	})
}

// TestRecoveryCodeCountsOnce, and another user's counts nothing.
func TestRecoveryCodeCountsOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		_, codes := mustEnrol(t, first)
		for i, want := range []bool{true, false} {
			b := f.Browser()
			page := b.Get(mustMatch(t, mustSendPassword(b), `href="([^"]*)">Use a recovery code<`))
			answer := b.Submit(page, "code", " "+strings.ToUpper(strings.ReplaceAll(codes[0], "-", " ")))
			if got := answer.Status == http.StatusSeeOther; got != want {
				t.Errorf("use %d: got %v, want %v:\n%s", i+1, got, want, answer.Body)
			}
		}
		f.MustAddUser("bob")
		b := f.Browser()
		b.MustSignIn("bob", "atlas")
		mustEnrol(t, b)
		b = f.Browser()
		login := b.Get(providertest.AuthorizeURL("atlas"))
		page := b.Submit(login, "username", "bob", "password", providertest.Password)
		page = b.Get(mustMatch(t, page, `href="([^"]*)">Use a recovery code<`))
		if answer := b.Submit(page, "code", codes[1]); answer.Status == http.StatusSeeOther {
			t.Error("the recovery code of another user signed in")
		}
	})
}

// TestGuessesOfTheSecondFactorAreLimited although each follows a correct password.
func TestGuessesOfTheSecondFactorAreLimited(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		mustEnrol(t, first)
		refused := 0
		for range 12 {
			b := f.Browser()
			if b.Submit(mustSendPassword(b), "code", "000000").Status == http.StatusTooManyRequests {
				refused++
			}
		}
		if refused < 5 {
			t.Errorf("got %d refusals of 12 guesses, want at least 5", refused)
		}
	})
}

// TestNothingIsMintedFromAPasswordThatWaited: whatever ends the user's sessions ends a sign-in that waits for its
// second factor.
func TestNothingIsMintedFromAPasswordThatWaited(t *testing.T) {
	for name, end := range map[string]func(*testing.T, *providertest.Fixture, *providertest.Browser){
		"signed out everywhere by the operator": func(_ *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
			f.MustAdmin(http.MethodPost, "/logouts", `{"user":"alice"}`)
		},
		"new password": func(t *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
			user, err := f.Store.User(t.Context(), "sub-alice")
			if err != nil {
				t.Fatal(err)
			}
			user.Password += "x"
			if err := f.Store.PutUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		},
		"disabled user": func(t *testing.T, f *providertest.Fixture, _ *providertest.Browser) {
			user, err := f.Store.User(t.Context(), "sub-alice")
			if err != nil {
				t.Fatal(err)
			}
			user.Disabled = true
			if err := f.Store.PutUser(t.Context(), user); err != nil {
				t.Fatal(err)
			}
		},
		"too late": func(*testing.T, *providertest.Fixture, *providertest.Browser) { time.Sleep(10 * time.Minute) },
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
				first := f.Browser()
				first.MustSignIn("alice", "atlas")
				secret, _ := mustEnrol(t, first)
				b := f.Browser()
				page := mustSendPassword(b)
				end(t, f, first)
				answer := b.Submit(page, "code", mustCode(t, secret, time.Now()))
				if answer.Status == http.StatusSeeOther || b.Cookies["__Host-curfew-session"] != "" {
					t.Errorf("got %d and a session", answer.Status)
				}
			})
		})
	}
}

// TestPasswordThatWaitedCountsOnce: after a sign-out, the kept page of the second factor does not count, with a fresh
// code neither.
func TestPasswordThatWaitedCountsOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)
		b := f.Browser()
		page := mustSendPassword(b)
		b.Submit(page, "code", mustCode(t, secret, time.Now()))
		id := f.MustFindSession("alice", b)
		f.MustAdmin(http.MethodPost, "/logouts", `{"sessions":["`+string(id)+`"]}`)
		time.Sleep(time.Minute)
		answer := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		if answer.Status == http.StatusSeeOther {
			t.Error("a password counted twice")
		}
	})
}

// TestRememberedBrowserIsAskedNoCode until its time is over.
func TestRememberedBrowserIsAskedNoCode(t *testing.T) {
	remember := func(c *provider.Config) { c.Authn.RememberBrowser = 2 * time.Hour }
	inBubble(t, remember, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, first)
		b := f.Browser()
		b.Submit(mustSendPassword(b), "code", mustCode(t, secret, time.Now()), "remember-browser", "on")
		delete(b.Cookies, "__Host-curfew-session")
		if answer := mustSendPassword(b); answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("a remembered browser was asked for a code: %d", answer.Status)
		}
		session, err := f.Store.Session(t.Context(), f.MustFindSession("alice", b), time.Now())
		if err != nil || session.ACR != "1" || !slices.Contains(session.AMR, "rba") {
			t.Errorf("got %+v, %v, want acr 1 and amr with rba", session, err)
		}
		delete(b.Cookies, "__Host-curfew-session")
		time.Sleep(2 * time.Hour)
		if answer := mustSendPassword(b); answer.Status == http.StatusSeeOther {
			t.Error("the browser is remembered for ever")
		}
	})
}

// TestRequiredSecondFactorIsSetUpWhileSigningIn: nothing is minted before, and recovery codes are shown once.
func TestRequiredSecondFactorIsSetUpWhileSigningIn(t *testing.T) {
	require := func(c *provider.Config) { c.Authn.Require = "mfa" }
	inBubble(t, require, func(t *testing.T, f *providertest.Fixture) {
		b := f.Browser()
		page := mustSendPassword(b)
		secret := mustReadSecret(t, page)
		wrong := b.Submit(page, "code", "000000")
		if mustReadSecret(t, wrong) != secret {
			t.Error("a wrong code changed the secret that the user has scanned")
		}
		if b.Cookies["__Host-curfew-session"] != "" {
			t.Fatal("got a session before the second factor")
		}
		codes := b.Submit(wrong, "code", mustCode(t, secret, time.Now()))
		mustReadCodes(t, codes)
		answer := b.Get(mustMatch(t, codes, `id="continue" class="button primary" href="([^"]*)"`))
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
		// Who knows only the password cannot set up another one.
		thief := f.Browser()
		if strings.Contains(mustSendPassword(thief).Body, `id="secret"`) {
			t.Error("a password alone sets up a second authenticator app")
		}
	})
}

// TestSessionIsAskedOnlyForWhatIsMissing: a client that requires two factors asks a session of one factor for the
// second one; the session stays.
func TestSessionIsAskedOnlyForWhatIsMissing(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		f.MustAddClient("bank", func(m *storage.Metadata) { m.RequireAuthn = "mfa" })
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, b)
		before := f.MustFindSession("alice", b)
		if got := b.MustPromptNone("bank").Get("error"); got != "login_required" {
			t.Errorf("got error %q with prompt=none, want login_required", got)
		}
		page := b.Get(providertest.AuthorizeURL("bank"))
		if strings.Contains(page.Body, `type="password"`) {
			t.Error("the password was asked again")
		}
		answer := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		if answer.ResponseParams(t).Get("code") == "" {
			t.Fatalf("got %d, want a code:\n%s", answer.Status, answer.Body)
		}
		if after := f.MustFindSession("alice", b); after != before {
			t.Error("the step-up began another session")
		}
	})
}

// TestUserInfoChallengesATokenWhoseSignInIsNoLongerEnough (RFC 9470 §3): the client learns which sign-in is needed, and
// a token of that sign-in is good.
func TestUserInfoChallengesATokenWhoseSignInIsNoLongerEnough(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		userInfo := func(token string) providertest.Page {
			return f.Browser().Do(http.MethodGet, "/userinfo", nil, http.Header{"Authorization": {"Bearer " + token}})
		}
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, b)
		f.MustAddClient("bank", nil)
		weak := b.MustJoin("alice", "bank").AccessToken
		if got := userInfo(weak); got.Status != http.StatusOK {
			t.Fatalf("got %d before the client required more", got.Status)
		}
		f.MustChangeClient("bank", func(c *storage.Client) { c.RequireAuthn = "mfa" })
		refused := userInfo(weak)
		challenge := refused.Header.Get("WWW-Authenticate")
		if refused.Status != http.StatusUnauthorized ||
			!strings.Contains(challenge, `error="insufficient_user_authentication"`) ||
			!strings.Contains(challenge, `acr_values="mfa"`) {
			t.Errorf("got %d and %q, want 401 and a challenge for mfa", refused.Status, challenge)
		}
		page := b.Get(providertest.AuthorizeURL("bank", "acr_values", "mfa"))
		answer := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		strong := f.Redeem("bank", answer.ResponseParams(t).Get("code")).AccessToken
		if got := userInfo(strong); got.Status != http.StatusOK {
			t.Errorf("got %d after the stronger sign-in, want 200", got.Status)
		}
	})
}

// TestSecondFactorAloneStartsNoSession: the session that a step-up belongs to has ended while the user typed the code.
func TestSecondFactorAloneStartsNoSession(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		f.MustAddClient("bank", func(m *storage.Metadata) { m.RequireAuthn = "mfa" })
		b := f.Browser()
		b.MustSignIn("alice", "atlas")
		secret, _ := mustEnrol(t, b)
		page := b.Get(providertest.AuthorizeURL("bank"))
		id := f.MustFindSession("alice", b)
		f.MustAdmin(http.MethodPost, "/logouts", `{"sessions":["`+string(id)+`"]}`)
		answer := b.Submit(page, "code", mustCode(t, secret, time.Now()))
		if answer.Status == http.StatusSeeOther {
			t.Errorf("got %d: a code alone signed in", answer.Status)
		}
	})
}

// TestEssentialACRIsMetOrRefused (Core §5.5.1.1, Unmet Authentication Requirements 1.0 §2).
func TestEssentialACRIsMetOrRefused(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		essential := `{"id_token":{"acr":{"essential":true,"values":["mfa"]}}}`
		b := f.Browser()
		answer := mustSendPassword(b, "claims", essential)
		if got := answer.ResponseParams(t).Get("error"); got != "unmet_authentication_requirements" {
			t.Fatalf("got error %q for a user without a second factor", got)
		}
		if answer := b.Get(providertest.AuthorizeURL("atlas", "acr_values", "mfa")); answer.Status != http.StatusSeeOther {
			t.Errorf("got %d: a voluntary acr stopped the sign-in", answer.Status)
		}
		secret, _ := mustEnrol(t, b)
		page := b.Get(providertest.AuthorizeURL("atlas", "claims", essential))
		tokens := f.Redeem("atlas", b.Submit(page, "code", mustCode(t, secret, time.Now())).ResponseParams(t).Get("code"))
		if tokens.IDToken == "" {
			t.Fatalf("got %+v, want tokens", tokens)
		}
	})
}

// TestRemovedFactorIsNotSetUpAnew: a password that waited for an authenticator app which is gone begins anew, and sets up
// no other app.
func TestRemovedFactorIsNotSetUpAnew(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, f *providertest.Fixture) {
		first := f.Browser()
		first.MustSignIn("alice", "atlas")
		mustEnrol(t, first)
		b := f.Browser()
		page := mustSendPassword(b)
		f.MustAdmin(http.MethodDelete, "/users/alice/factors/totp", "")
		page = b.Get(page.Path)
		if strings.Contains(page.Body, `id="secret"`) || !strings.Contains(page.Body, `type="password"`) {
			t.Fatalf("got %d, want the sign-in page:\n%s", page.Status, page.Body)
		}
		if answer := b.Submit(page, "username", "alice", "password", providertest.Password); !signedIn(answer) {
			t.Errorf("got %d, want a sign-in by password alone", answer.Status)
		}
	})
}
