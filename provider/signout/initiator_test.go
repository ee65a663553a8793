package signout_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider"
	"github.com/curfew-id/curfew/provider/egress"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

// mustStartWaiting starts a provider whose signed-out page waits up to five seconds.
func mustStartWaiting(t *testing.T) *providertest.Fixture {
	t.Helper()
	return providertest.MustStart(t, func(c *provider.Config) { c.Logout.RedirectDelay = 5 * time.Second })
}

// signOutBack starts a logout at a client that wants the browser back.
func signOutBack(b *providertest.Browser, client string, tokens providertest.TokenResponse) providertest.Page {
	return b.Get(providertest.EndSessionURL(
		"id_token_hint", tokens.IDToken,
		"post_logout_redirect_uri", "https://"+client+".example/bye",
	))
}

// notifiedAfter returns when a client was notified, counted from start.
func notifiedAfter(o *providertest.Fixture, client string, start time.Time) []time.Duration {
	var times []time.Duration
	for _, post := range o.Clients.Sent() {
		if strings.Contains(post.URI, client+".example") {
			times = append(times, post.At.Sub(start))
		}
	}
	return times
}

// TestClientThatStartedTheLogoutIsNotifiedAfterTheRedirect: Keycloak as a broker reports an error if its session is
// gone when the browser comes back. So the browser goes first, and the logout token follows once, a second later.
func TestClientThatStartedTheLogoutIsNotifiedAfterTheRedirect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		start := time.Now()
		p := signOutBack(b, "atlas", tokens)
		if location := p.Header.Get("Location"); p.Status != http.StatusSeeOther ||
			location != "https://atlas.example/bye" {
			t.Fatalf("got %d to %q, want the redirect at once", p.Status, location)
		}
		if b.SignedIn("atlas") || o.Active("atlas", tokens.AccessToken) {
			t.Error("got something still active when the browser was sent back")
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		times := notifiedAfter(o, "atlas", start)
		if len(times) != 1 || times[0] < time.Second || times[0] > 1100*time.Millisecond {
			t.Fatalf("got logout tokens after %v, want one after 1 s", times)
		}
		claims := providertest.MustReadClaims(t, o.Clients.Sent()[0].Form.Get("logout_token"))
		if claims["sid"] == nil || claims["sub"] == nil {
			t.Errorf("got claims %v, want sid and sub", claims)
		}
	})
}

// TestSignedOutPageDoesNotWaitForTheClientThatStartedTheLogout: the page shows the others and goes on when they have
// confirmed. The client that started the logout is notified at the latest 2 s after the longest wait.
func TestSignedOutPageDoesNotWaitForTheClientThatStartedTheLogout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		withFrame := func(m *storage.Metadata) {
			m.FrontchannelLogoutURI = "https://" + m.ClientID + ".example/front"
		}
		o.MustAddClient("atlas", withFrame)
		o.MustAddClient("ledger", withFrame)
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		b.MustJoin("alice", "ledger")
		time.Sleep(time.Minute) // no re-notification
		start := time.Now()
		p := signOutBack(b, "atlas", tokens)
		if !strings.Contains(p.Body, "https://ledger.example/front") ||
			strings.Contains(p.Body, "https://atlas.example/front") {
			t.Errorf("got the wrong frames, want that of ledger only:\n%s", p.Body)
		}
		synctest.Wait()
		if got := b.Get(p.Attribute("data-status-url")).Body; !strings.Contains(got, `"settled":true`) {
			t.Errorf("got status %s, want nothing to wait for", got)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		if times := notifiedAfter(o, "ledger", start); len(times) != 1 || times[0] > 100*time.Millisecond {
			t.Errorf("got logout tokens to ledger after %v, want one at once", times)
		}
		if times := notifiedAfter(o, "atlas", start); len(times) != 1 || times[0] > 7100*time.Millisecond {
			t.Errorf("got logout tokens to atlas after %v, want one after at most 7 s", times)
		}
	})
}

// TestNotificationThatWasPutOffSurvivesACrash: the due time is written in the transaction of the termination, so the
// notification needs neither the answer to the browser nor the process that ended the session.
func TestNotificationThatWasPutOffSurvivesACrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		o.StopWork()
		signOutBack(b, "atlas", tokens)
		deliveries, _, err := o.Store.ListDeliveries(t.Context(), storage.DeliveryFilter{}, storage.Page{})
		if err != nil || len(deliveries) != 1 || !deliveries[0].Initiator ||
			deliveries[0].NextAttempt.Sub(deliveries[0].Created) > 7*time.Second {
			t.Fatalf("got deliveries %+v, %v, want one within 7 s", deliveries, err)
		}
	})
}

// TestNewSignInSurvivesTheNotificationThatWasPutOff: a user who signs in again at once stays signed in, since the late
// logout token names the ended client session only.
func TestNewSignInSurvivesTheNotificationThatWasPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		signOutBack(b, "atlas", tokens)
		b.MustJoin("alice", "atlas", "prompt", "login")
		time.Sleep(10 * time.Second)
		synctest.Wait()
		posts := o.Clients.Sent()
		if len(posts) != 1 {
			t.Fatalf("got %d logout tokens, want 1", len(posts))
		}
		claims := providertest.MustReadClaims(t, posts[0].Form.Get("logout_token"))
		ended := providertest.MustReadClaims(t, tokens.IDToken)
		if claims["sub"] != nil || claims["sid"] != ended["sid"] {
			t.Errorf("got claims %v, want the sid of the ended client session and no sub", claims)
		}
	})
}

// TestLogoutTokenWithoutSIDIsNotPutOff: it ends all of the user's sessions at the client, also one that began
// meanwhile.
func TestLogoutTokenWithoutSIDIsNotPutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", func(m *storage.Metadata) { m.LogoutTokenClaims = "sub" })
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		start := time.Now()
		signOutBack(b, "atlas", tokens)
		synctest.Wait()
		if times := notifiedAfter(o, "atlas", start); len(times) != 1 || times[0] > 100*time.Millisecond {
			t.Errorf("got logout tokens after %v, want one at once", times)
		}
	})
}

// TestNotifyInitiatorFalseNeedsAVerifiedHint: the client says that it ends its session itself. A request that anyone
// can write, with its client_id and without a hint, does not keep the logout token from it.
func TestNotifyInitiatorFalseNeedsAVerifiedHint(t *testing.T) {
	for name, verified := range map[string]bool{"with a hint": true, "with client_id only": false} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := mustStartWaiting(t)
				off := false
				o.MustAddClient("atlas", func(m *storage.Metadata) { m.NotifyInitiator = &off })
				b := o.Browser()
				tokens := b.MustJoin("alice", "atlas")
				if verified {
					signOutBack(b, "atlas", tokens)
				} else {
					p := b.Get(providertest.EndSessionURL(
						"client_id", "atlas", "post_logout_redirect_uri", "https://atlas.example/bye"))
					b.Submit(p, "scope", "session")
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if got := len(o.Clients.Sent()) == 0; got != verified {
					t.Errorf("got %d logout tokens", len(o.Clients.Sent()))
				}
			})
		})
	}
}

// TestLogoutThatStaysAtTheProviderNotifiesAtOnce: without a return nothing is put off.
func TestLogoutThatStaysAtTheProviderNotifiesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		tokens := b.MustJoin("alice", "atlas")
		start := time.Now()
		b.Get(providertest.EndSessionURL("id_token_hint", tokens.IDToken))
		synctest.Wait()
		if times := notifiedAfter(o, "atlas", start); len(times) != 1 || times[0] > 100*time.Millisecond {
			t.Errorf("got logout tokens after %v, want one at once", times)
		}
	})
}

// TestNotificationThatWasPutOffIsTriedAgain: it is a delivery like any other once its time has come.
func TestNotificationThatWasPutOffIsTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := mustStartWaiting(t)
		o.MustAddClient("atlas", nil)
		attempts := 0
		o.Clients.Answer(func(string, url.Values) (egress.Response, error) {
			if attempts++; attempts < 3 {
				return egress.Response{Status: http.StatusServiceUnavailable}, nil
			}
			return egress.Response{Status: http.StatusOK}, nil
		})
		b := o.Browser()
		signOutBack(b, "atlas", b.MustJoin("alice", "atlas"))
		time.Sleep(time.Minute)
		synctest.Wait()
		reports, _, err := o.Store.ListReports(t.Context(), storage.ReportFilter{}, storage.Page{})
		if err != nil || len(reports) != 1 {
			t.Fatalf("got reports %v, %v", reports, err)
		}
		entry := reports[0].Entry("client_session", "atlas")
		if entry == nil || entry.Trust != storage.TrustConfirmed || entry.Attempts != 3 {
			t.Errorf("got entry %+v, want confirmed at the third attempt", entry)
		}
	})
}
