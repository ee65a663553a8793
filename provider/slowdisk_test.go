package provider_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

// longestAnswer is how long a request may take, however many writes it makes and whatever the disk does.
const longestAnswer = 5 * time.Second

// slowDisk is the disk of a store. The sync of each commit takes delay; readers see the commit before.
type slowDisk struct{ delay atomic.Int64 }

func (d *slowDisk) commit(commit func() error) error {
	err := commit()
	time.Sleep(time.Duration(d.delay.Load()))
	return err
}

// slowRequest is a request that writes. It is prepared while the disk is quick; the function that prepare returns sends
// the request once, without following redirects, and may be called again to repeat it.
type slowRequest struct {
	writes  int // how many writes it makes one after the other, at least
	prepare func(*providertest.Fixture) func() providertest.Page
}

// submission returns a function that sends the form of a page.
func submission(b *providertest.Browser, p providertest.Page, more ...string) func() providertest.Page {
	action, fields := p.Form(b.Fixture.T)
	for i := 0; i < len(more); i += 2 {
		fields.Set(more[i], more[i+1])
	}
	return func() providertest.Page { return b.Copy().Do(http.MethodPost, action, fields, nil) }
}

// asserted returns a function that calls an endpoint as client bank, which authenticates with an assertion.
func asserted(o *providertest.Fixture, path string, form url.Values) func() providertest.Page {
	sent := 0
	return func() providertest.Page {
		sent++
		signer, err := jose.NewSigner(
			jose.SigningKey{Algorithm: jose.ES256, Key: bankKey},
			(&jose.SignerOptions{}).WithType("JWT"),
		)
		if err != nil {
			o.T.Fatal(err)
		}
		assertion, err := jwt.Signed(signer).Claims(map[string]any{
			"iss": "bank",
			"sub": "bank",
			"aud": providertest.Issuer + "/token",
			"jti": fmt.Sprint("assertion", sent),
			"exp": time.Now().Add(time.Minute).Unix(),
		}).Serialize()
		if err != nil {
			o.T.Fatal(err)
		}
		form.Set("client_assertion_type", assertionType)
		form.Set("client_assertion", assertion)
		return o.Browser().Do(http.MethodPost, path, form, http.Header{"Sec-Fetch-Site": {"cross-site"}})
	}
}

// security returns a function that sends a form of the security page.
func security(b *providertest.Browser, path string, fields ...string) func() providertest.Page {
	_, form := b.Get("/account/security").Form(b.Fixture.T)
	for i := 0; i < len(fields); i += 2 {
		form.Set(fields[i], fields[i+1])
	}
	return func() providertest.Page { return b.Copy().Do(http.MethodPost, path, form, nil) }
}

// administration returns a function that sends a request to the admin API.
func administration(o *providertest.Fixture, method, path, body string) func() providertest.Page {
	return func() providertest.Page { return o.Admin(method, path, body) }
}

// assertionType is the client_assertion_type of RFC 7523 §2.2.
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// bankKey is the key of client bank.
var bankKey = jose.JSONWebKey{
	Key:       must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader)),
	KeyID:     "bank",
	Algorithm: string(jose.ES256),
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

const newPassword = "a new long password"

var slowRequests = map[string]slowRequest{
	"signing in": {3, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		page := b.Get(providertest.AuthorizeURL("atlas"))
		return submission(b, page, "username", "alice", "password", providertest.Password)
	}},
	"signing in with a wrong password": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		return submission(b, b.Get(providertest.AuthorizeURL("atlas")), "username", "alice", "password", "wrong")
	}},
	"signing in again in a session": {3, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		time.Sleep(time.Hour) // a sign-in of just now would do
		page := b.Get(providertest.AuthorizeURL("atlas", "prompt", "login"))
		return submission(b, page, "username", "alice", "password", providertest.Password)
	}},
	"consenting": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		return submission(b, b.Get(providertest.AuthorizeURL("atlas", "prompt", "consent")), "decision", "allow")
	}},
	"an authorization request": {0, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		time.Sleep(time.Hour) // the session's last use is written again
		return func() providertest.Page {
			return b.Copy().Do(http.MethodGet, providertest.AuthorizeURL("atlas"), nil, nil)
		}
	}},
	"redeeming a code with an assertion": {2, func(o *providertest.Fixture) func() providertest.Page {
		code := o.Browser().MustSignIn("alice", "bank").Get("code")
		return asserted(o, "/token", url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {code},
			"redirect_uri":  {"https://bank.example/cb"},
			"code_verifier": {providertest.Verifier},
		})
	}},
	"refreshing": {1, func(o *providertest.Fixture) func() providertest.Page {
		tokens := o.Browser().MustJoin("alice", "atlas")
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.RefreshToken}}
		return func() providertest.Page { return o.Call("atlas", "/token", form) }
	}},
	"client credentials with an assertion": {2, func(o *providertest.Fixture) func() providertest.Page {
		return asserted(o, "/token", url.Values{"grant_type": {"client_credentials"}})
	}},
	"revoking a refresh token": {1, func(o *providertest.Fixture) func() providertest.Page {
		tokens := o.Browser().MustJoin("alice", "atlas")
		form := url.Values{"token": {tokens.RefreshToken}}
		return func() providertest.Page { return o.Call("atlas", "/revoke", form) }
	}},
	"signing out": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		return func() providertest.Page {
			return b.Copy().Do(http.MethodGet, providertest.EndSessionURL("id_token_hint", tokens.IDToken), nil, nil)
		}
	}},
	"signing out on the account page": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		return submission(b, b.Get("/account"), "scope", "all")
	}},
	"withdrawing a consent": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas", "prompt", "consent")
		return submission(b, b.Get("/account/applications"), "withdraw", "atlas")
	}},
	"changing the password": {3, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		return security(b, "/account/password",
			"current-password", providertest.Password,
			"new-password", newPassword,
			"repeat-password", newPassword,
			"scope", "others")
	}},
	"changing the e-mail address": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		page := b.Get(o.MustMakeEmailLink("alice", "alice@new.example"))
		return func() providertest.Page { return b.Submit(page, "scope", "others") }
	}},
	"setting a password by a link": {1, func(o *providertest.Fixture) func() providertest.Page {
		b := o.Browser()
		page := b.Get(o.MustMakeResetLink("alice"))
		return submission(b, page, "new-password", newPassword, "repeat-password", newPassword)
	}},
	"an administrator's logout of all users": {1, func(o *providertest.Fixture) func() providertest.Page {
		o.Browser().MustJoin("alice", "atlas")
		return administration(o, http.MethodPost, "/logouts", `{"all_users":true}`)
	}},
	"an administrator's new password": {1, func(o *providertest.Fixture) func() providertest.Page {
		o.Browser().MustJoin("alice", "atlas")
		return administration(o, http.MethodPost, "/users/alice/password", `{"password":"`+newPassword+`"}`)
	}},
	"disabling a user": {1, func(o *providertest.Fixture) func() providertest.Page {
		o.Browser().MustJoin("alice", "atlas")
		return administration(o, http.MethodPost, "/users/alice/disable", "")
	}},
	"disabling a client": {1, func(o *providertest.Fixture) func() providertest.Page {
		o.Browser().MustJoin("alice", "atlas")
		return administration(o, http.MethodPost, "/clients/atlas/disable", "")
	}},
}

// TestRequestIsAnsweredWithinFiveSecondsWhateverTheDiskDoes: each commit takes long, and a request that writes once,
// twice or three times is answered in time: with success, or with 503 that says that the outcome is open. When the disk
// is quick again, repeating the request is safe.
func TestRequestIsAnsweredWithinFiveSecondsWhateverTheDiskDoes(t *testing.T) {
	for name, request := range slowRequests {
		for _, delay := range []time.Duration{1700 * time.Millisecond, 3 * time.Second, 20 * time.Second} {
			t.Run(fmt.Sprintf("%s, %v a commit", name, delay), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { sendWithSlowDisk(t, request, delay) })
			})
		}
	}
}

// saysOutcomeIsOpen reports whether an answer with 503 says that the request may have taken effect.
func saysOutcomeIsOpen(p providertest.Page) bool {
	for _, text := range []string{"repeating it is safe", "not sure that worked", "You may still be signed in"} {
		if strings.Contains(p.Body, text) {
			return true
		}
	}
	return false
}

func sendWithSlowDisk(t *testing.T, request slowRequest, delay time.Duration) {
	disk := &slowDisk{}
	o := providertest.MustStartOn(
		t,
		bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db"), Disk: disk.commit},
		nil,
	)
	o.MustAddClient("atlas", nil)
	o.MustAddClient("bank", func(m *storage.Metadata) {
		m.TokenEndpointAuthMethod = "private_key_jwt"
		m.JWKS = must(json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{bankKey.Public()}}))
		m.GrantTypes = append(m.GrantTypes, "client_credentials")
	})
	send := request.prepare(o)
	synctest.Wait() // the deliveries of the preparation are done
	disk.delay.Store(int64(delay))
	begin := time.Now()
	p := send()
	if took := time.Since(begin); took > longestAnswer {
		t.Errorf("got an answer after %v, want %v at most", took, longestAnswer)
	}
	unanswered := p.Status == http.StatusServiceUnavailable
	switch {
	case unanswered:
		if !saysOutcomeIsOpen(p) || p.Header.Get("Retry-After") == "" {
			t.Errorf("got 503 that does not say that the outcome is open, or without Retry-After:\n%s", p.Body)
		}
	case strings.Contains(p.Header.Get("Location"), "error=temporarily_unavailable"):
	case p.Status >= http.StatusBadRequest:
		t.Errorf("got %d, want success or 503:\n%s", p.Status, p.Body)
	case time.Duration(request.writes)*delay > longestAnswer:
		t.Errorf("got %d, want 503: %d writes take longer than a request may", p.Status, request.writes)
	}
	disk.delay.Store(0)
	time.Sleep(30 * time.Second) // the commits that hang are done
	repeated := send()
	usedLink := repeated.Status == http.StatusGone // the first request has set the password
	if unanswered && repeated.Status >= http.StatusBadRequest && !usedLink {
		t.Errorf("got %d from the same request on a quick disk, want success:\n%s", repeated.Status, repeated.Body)
	}
}

// TestBulkLogoutIsAnsweredWithoutWaitingForItsCount: on a slow disk the count of a bulk logout waits for its pages. The
// answer does not: it says that the count is incomplete.
func TestBulkLogoutIsAnsweredWithoutWaitingForItsCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		disk := &slowDisk{}
		o := providertest.MustStartOn(
			t,
			bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db"), Disk: disk.commit},
			nil,
		)
		const sessions = 2500 // counted in several pages
		for range sessions {
			providertest.MustCreateSession(t, o.Store, "sub-alice", time.Now(), nil)
		}
		disk.delay.Store(int64(2100 * time.Millisecond))
		var writer sync.WaitGroup
		var answered atomic.Bool
		writer.Go(func() {
			for !answered.Load() { // a commit is always under way
				_ = o.Store.AppendEvents(t.Context(), storage.Event{Kind: "line"}) // it may take too long
			}
		})
		synctest.Wait()
		begin := time.Now()
		p := o.Admin(http.MethodPost, "/logouts", `{"all_users":true}`)
		answered.Store(true)
		if took := time.Since(begin); took > longestAnswer {
			t.Errorf("got an answer after %v, want %v at most", took, longestAnswer)
		}
		var result admin.TerminationResult
		if err := json.Unmarshal([]byte(p.Body), &result); err != nil || p.Status != http.StatusOK {
			t.Fatalf("got %d %s, want success", p.Status, p.Body)
		}
		if !result.CountIncomplete || !result.InProgress || result.Count.Sessions >= sessions {
			t.Errorf("got %+v, want an incomplete count", result)
		}
		disk.delay.Store(0)
		writer.Wait()
		time.Sleep(time.Minute)
		var list admin.BulkLogoutList
		p = o.MustAdmin(http.MethodGet, "/logouts", "")
		if err := json.Unmarshal([]byte(p.Body), &list); err != nil || len(list.BulkLogouts) != 1 {
			t.Fatalf("got %s, want one bulk logout", p.Body)
		}
		if done := list.BulkLogouts[0].Done.Sessions; done != sessions {
			t.Errorf("got %d sessions ended, want %d", done, sessions)
		}
	})
}
