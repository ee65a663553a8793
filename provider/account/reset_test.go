package account_test

import (
	"net/http"
	"testing"

	"github.com/curfew-id/curfew/provider/providertest"
)

// TestNewPasswordLiftsTheLock: after a reset or a new password by an administrator the user gets in at once, even if wrong guesses have
// locked the account.
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
