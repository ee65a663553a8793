package provider_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// fillStore writes lines to the audit trail until not even a short one finds room.
func fillStore(o *providertest.Fixture) {
	o.T.Helper()
	for size := 16 << 10; size > 0; {
		if o.Store.AppendEvents(o.T.Context(), storage.Event{Kind: strings.Repeat("x", size)}) != nil {
			size /= 2
		}
	}
}

// TestFullDiskIsSaidAndLosesNothing: whatever has to be written gets 503 or its like, in the form that its caller
// reads; nothing is half done, no one is informed that they are signed out, and what only reads goes on.
func TestFullDiskIsSaidAndLosesNothing(t *testing.T) {
	const fresh = "a new long password"
	refused := 0
	emailLink := "" // the path of a link that was mailed before the store was full
	for name, try := range map[string]func(*providertest.Fixture, *providertest.Browser, providertest.TokenResponse) providertest.Page{
		"signing out": func(_ *providertest.Fixture, b *providertest.Browser, a providertest.TokenResponse) providertest.Page {
			return b.Get(providertest.EndSessionURL("id_token_hint", a.IDToken))
		},
		"signing out there": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			p := b.Get("/account")
			return b.Submit(p, "sign-out", p.Buttons("sign-out")[0])
		},
		"signing out at one application": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			p := b.Get("/account")
			return b.Submit(p, "leave", p.Buttons("leave")[0])
		},
		"withdrawing": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			return b.Submit(b.Get("/account/applications"), "withdraw", "atlas")
		},
		"a change of password that ends the others": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			return b.SubmitSecurity("/account/password", "current-password", providertest.Password, "new-password", fresh, "repeat-password", fresh, "scope", "others")
		},
		"a change of password": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			return b.SubmitSecurity("/account/password", "current-password", providertest.Password, "new-password", fresh, "repeat-password", fresh, "scope", "all")
		},
		"a change of e-mail address": func(_ *providertest.Fixture, b *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			return b.Submit(b.Get(emailLink), "scope", "all")
		},
		"signing in": func(o *providertest.Fixture, _ *providertest.Browser, _ providertest.TokenResponse) providertest.Page {
			b := o.Browser()
			return b.Submit(b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", providertest.Password)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := providertest.MustStartOn(
				t,
				bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db"), MaxSize: 512 << 10},
				nil,
			)
			o.MustAddClient("atlas", nil)
			b := o.Browser()
			a := b.MustJoin("alice", "atlas", "prompt", "consent")
			before, err := o.Store.User(t.Context(), "sub-alice")
			if err != nil {
				t.Fatal(err)
			}
			emailLink = o.MustMakeEmailLink("alice", "alice@new.example")
			fillStore(o)
			old := b.Copy()
			p := try(o, b, a)
			if p.Status < 400 { // it found room in pages that were free
				return
			}
			refused++
			if p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Body, `id="error-description"`) ||
				p.Header.Get("Retry-After") == "" {
				t.Errorf("%s: got %d, want 503 with Retry-After:\n%s", name, p.Status, p.Body)
			}
			// Nothing is half done, and no page says that the user is signed out.
			after, err := o.Store.User(t.Context(), "sub-alice")
			if err != nil || after.Password != before.Password || after.Email != before.Email {
				t.Errorf("%s: got the user changed, %v", name, err)
			}
			if !b.SignedIn("atlas") || !o.Active("atlas", a.AccessToken) ||
				old.Cookies["__Host-curfew-session"] == "" ||
				b.Cookies["__Host-curfew-left"] != "" {
				t.Errorf("%s: got the session or its token lost", name)
			}
			synctest.Wait()
			if posts := o.Clients.Sent(); len(posts) > 0 {
				t.Errorf("%s: got %d clients notified of a termination that did not happen", name, len(posts))
			}
			if p := o.Browser().Get("/healthz"); p.Status != http.StatusOK {
				t.Errorf("%s: got %d from /healthz, want what only reads to go on", name, p.Status)
			}
		})
	}
	if refused == 0 {
		t.Error("got nothing refused: the store was not full")
	}
}
