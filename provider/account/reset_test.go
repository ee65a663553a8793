package account_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// TestNewPasswordLiftsTheLock: after a reset or a new password by an administrator the user gets in at once, even if
// wrong guesses have locked the account.
func TestNewPasswordLiftsTheLock(t *testing.T) {
	const newPassword = "a new long password"
	for name, setPassword := range map[string]func(*providertest.Fixture){
		"reset link": func(f *providertest.Fixture) {
			b := f.Browser()
			b.Submit(b.Get(f.MustMakeResetLink("alice")), "new-password", newPassword, "repeat-password", newPassword)
		},
		"administrator": func(f *providertest.Fixture) {
			f.MustAdmin(http.MethodPost, "/users/alice/password", `{"password":"`+newPassword+`"}`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := providertest.MustStart(t, nil)
			f.MustAddClient("atlas", nil)
			signIn := func(password string) providertest.Page {
				b := f.Browser()
				return b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", password)
			}
			for range 10 {
				signIn("a wrong guess")
			}
			if p := signIn(providertest.Password); p.Status != http.StatusTooManyRequests {
				t.Fatalf("got %d, want the account locked", p.Status)
			}
			setPassword(f)
			if p := signIn(newPassword); p.ResponseParams(t).Get("code") == "" {
				t.Errorf("got %d after the new password", p.Status)
			}
		})
	}
}

// TestBackgroundAccessIsSeenAndEndedOnTheSecurityPage, with the date on which it ends by itself.
func TestBackgroundAccessIsSeenAndEndedOnTheSecurityPage(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	b := f.Browser()
	tokens := b.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
	ids := b.Get("/account/security").Buttons("end-offline")
	if len(ids) != 1 {
		t.Fatalf("got %d entries of background access, want 1", len(ids))
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}}
	stranger := f.Browser()
	f.MustAddUser("bob")
	stranger.MustSignIn("bob", "atlas")
	stranger.SubmitSecurity("/account/security", "end-offline", ids[0])
	renewed := f.Token("atlas", refresh)
	if renewed.Error != "" {
		t.Fatalf("got %s after another user's attempt", renewed.Error)
	}
	if p := b.SubmitSecurity("/account/security", "end-offline", ids[0]); p.Status != http.StatusOK ||
		len(p.Buttons("end-offline")) != 0 {
		t.Errorf("got %d and %d entries, want none", p.Status, len(p.Buttons("end-offline")))
	}
	refresh.Set("refresh_token", renewed.RefreshToken)
	if got := f.Token("atlas", refresh); got.Error != "invalid_grant" {
		t.Errorf("got %q for the refresh token, want invalid_grant", got.Error)
	}
}

// TestPagesThatDecideNameWhatStays: who sets a password or an e-mail address reads which apps have background access,
// and that passkeys and second factors stay.
func TestPagesThatDecideNameWhatStays(t *testing.T) {
	const factorsStay = "other sign-in methods stay"
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	b := f.Browser()
	mustShow := func(when, path string, keepBackground int, hasFactors bool) {
		t.Helper()
		p := b.Get(path)
		if got := strings.Count(p.Body, "et Atlas keep background access"); got != keepBackground {
			t.Errorf("%s %s: got %d offers to keep background access, want %d", when, path, got, keepBackground)
		}
		if got := strings.Contains(p.Body, factorsStay); got != hasFactors {
			t.Errorf("%s %s: got the text about factors %v, want %v", when, path, got, hasFactors)
		}
	}
	b.MustSignIn("alice", "atlas")
	link := f.MustMakeResetLink("alice")
	mustShow("at first", "/account/security", 0, false)
	mustShow("at first", link, 0, false)
	b.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
	err := f.Store.ChangeFactors(t.Context(), "sub-alice", func(factors *storage.Factors) error {
		factors.Passkeys = []storage.Passkey{{ID: []byte("1"), Name: "key", Created: time.Now()}}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	mustShow("with a passkey and background access", "/account/security", 1, true)
	mustShow("with a passkey and background access", f.MustMakeEmailLink("alice", "new@example.org"), 1, true)
	mustShow("with a passkey and background access", link, 1, true)
}
