package provider_test

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// fillStore writes lines to the audit trail until not even a short one finds room.
func (o *op) fillStore() {
	o.t.Helper()
	for size := 16 << 10; size > 0; {
		if o.store.AppendEvents(o.t.Context(), storage.Event{Kind: strings.Repeat("x", size)}) != nil {
			size /= 2
		}
	}
}

// TestFullDiskIsSaidAndLosesNothing: whatever has to be written gets 503 or its like, in the form that its caller reads; nothing is half done, nobody is told that
// they are signed out, and what only reads goes on.
func TestFullDiskIsSaidAndLosesNothing(t *testing.T) {
	const fresh = "a new long password"
	refused := 0
	for name, try := range map[string]func(*op, *browser, tokenResponse) page{
		"signing out": func(_ *op, b *browser, a tokenResponse) page { return b.get(endSession("id_token_hint", a.IDToken)) },
		"signing out there": func(_ *op, b *browser, _ tokenResponse) page {
			p := b.get("/account")
			return b.submit(p, "sign-out", p.buttons("sign-out")[0])
		},
		"signing out at one application": func(_ *op, b *browser, _ tokenResponse) page {
			p := b.get("/account")
			return b.submit(p, "leave", p.buttons("leave")[0])
		},
		"withdrawing": func(_ *op, b *browser, _ tokenResponse) page {
			return b.submit(b.get("/account/applications"), "withdraw", "atlas")
		},
		"a change of password that ends the others": func(_ *op, b *browser, _ tokenResponse) page {
			return b.security("/account/password", "current-password", testPassword, "new-password", fresh, "repeat-password", fresh, "scope", "others")
		},
		"a change of password": func(_ *op, b *browser, _ tokenResponse) page {
			return b.security("/account/password", "current-password", testPassword, "new-password", fresh, "repeat-password", fresh, "scope", "all")
		},
		"a change of e-mail address": func(_ *op, b *browser, _ tokenResponse) page {
			return b.security("/account/email", "email", "alice@new.example", "current-password", testPassword, "scope", "all")
		},
		"signing in": func(o *op, _ *browser, _ tokenResponse) page {
			b := o.browser()
			return b.submit(b.get(authorizeURL("atlas")), "username", "alice", "password", testPassword)
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			o := mustStartOn(t, bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db"), MaxSize: 512 << 10}, nil)
			o.mustAddClient("atlas", nil)
			b := o.browser()
			a := b.mustJoin("alice", "atlas", "prompt", "consent")
			before, err := o.store.User(t.Context(), "sub-alice")
			if err != nil {
				t.Fatal(err)
			}
			o.fillStore()
			old := b.copy()
			p := try(o, b, a)
			if p.Status < 400 { // it found room in pages that were free
				return
			}
			refused++
			if p.Status != http.StatusServiceUnavailable || !strings.Contains(p.Body, `id="error-description"`) || p.Header.Get("Retry-After") == "" {
				t.Errorf("%s: got %d, want 503 with Retry-After:\n%s", name, p.Status, p.Body)
			}
			// Nothing is half done, and nobody is told that they are signed out.
			after, err := o.store.User(t.Context(), "sub-alice")
			if err != nil || after.Password != before.Password || after.Email != before.Email {
				t.Errorf("%s: got the person changed, %v", name, err)
			}
			if !b.signedIn("atlas") || !o.active("atlas", a.AccessToken) || old.cookies["__Host-curfew-session"] == "" || b.cookies["__Host-curfew-left"] != "" {
				t.Errorf("%s: got the session or its token lost", name)
			}
			synctest.Wait()
			if posts := o.clients.sent(); len(posts) > 0 {
				t.Errorf("%s: got %d applications told of an ending that was not", name, len(posts))
			}
			if p := o.browser().get("/healthz"); p.Status != http.StatusOK {
				t.Errorf("%s: got %d from /healthz, want what only reads to go on", name, p.Status)
			}
		})
	}
	if refused == 0 {
		t.Error("got nothing refused: the store was not full")
	}
}
