package account_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage"
)

func TestActivityNamesTheBrowserOfEachSignIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		phone, laptop := o.Browser(), o.Browser()
		phone.UserAgent, laptop.UserAgent = "Mozilla/5.0 (iPhone) FxiOS/150.0", "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
		phone.MustJoin("alice", "atlas")
		laptop.MustJoin("alice", "atlas")
		phone.Submit(phone.Get("/end_session"), "scope", "session")
		body := laptop.Get("/account/activity").Body
		// The phone's sign-in and its end, and the laptop's sign-in.
		if phones, laptops := strings.Count(
			body,
			"· Firefox on iPhone ·",
		), strings.Count(body, "· Firefox on Linux ·"); phones != 2 ||
			laptops != 1 {
			t.Errorf("got %d lines of the phone and %d of the laptop, want 2 and 1:\n%s", phones, laptops, body)
		}
	})
}

// TestActivityShowsWhereTheSessionWas: the page shows a browser with its own address, not with that of the browser
// that ended its session.
func TestActivityShowsWhereTheSessionWas(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		b.MustJoin("alice", "atlas")
		mustAddSession(o, 0) // from 192.0.2.9
		b.Submit(b.Get("/account"), "scope", "others")
		if p := b.Get("/account/activity"); strings.Count(p.Body, "Firefox on Linux · 192.0.2.9<") != 2 {
			t.Errorf("got a session's browser beside another address:\n%s", p.Body)
		}
	})
}

// TestReportsNameRemovedClients: the report keeps the name that the user knew.
func TestReportsNameRemovedClients(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("c0ffee", func(m *storage.Metadata) { m.ClientName = "Coffee Club" })
		b := o.Browser()
		b.MustJoin("alice", "c0ffee")
		o.MustAdmin(http.MethodDelete, "/clients/c0ffee", "")
		activity := b.Get("/account/activity")
		report, _, _ := strings.Cut(activity.Body[strings.Index(activity.Body, "/account/reports/"):], `"`)
		for path, p := range map[string]providertest.Page{"activity": activity, "report": b.Get(report)} {
			if !strings.Contains(p.Body, "igned out of Coffee Club") ||
				strings.Contains(p.Body, "igned out of c0ffee") {
				t.Errorf("%s: got the application by its id, want its name:\n%s", path, p.Body)
			}
		}
	})
}

// TestEndOfOfflineAccessIsNoSignOut: the user is signed in at the client as before, and the pages say no other thing;
// what happened to no session happened in no browser.
func TestEndOfOfflineAccessIsNoSignOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		b := o.Browser()
		b.UserAgent = "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0"
		b.MustJoin("alice", "atlas", "scope", "openid offline_access", "prompt", "consent")
		b.Submit(b.Get("/account/applications"), "end-offline", b.Get("/account").Buttons("end-offline")[0])
		b.Submit(b.Get(o.MustMakeEmailLink("alice", "alice@new.example")), "scope", "others")
		activity := b.Get("/account/activity")
		report, _, _ := strings.Cut(activity.Body[strings.Index(activity.Body, "/account/reports/"):], `"`)
		p := b.Get(report)
		if !strings.Contains(p.Body, ">Access of Atlas ended<") || strings.Contains(p.Body, "Signed out of Atlas") {
			t.Errorf("got the end of an offline access shown as a sign-out:\n%s", p.Body)
		}
		if strings.Contains(activity.Body, "Unknown browser") || strings.Contains(p.Body, "Unknown browser") {
			t.Errorf("got a browser named where there was none:\n%s", activity.Body)
		}
		// The client gives back what it had from a session that goes on.
		time.Sleep(time.Second)
		a := b.MustJoin("alice", "atlas")
		o.Call("atlas", "/revoke", url.Values{"token": {a.RefreshToken}})
		if activity := b.Get("/account/activity"); strings.Contains(activity.Body, "Unknown browser") ||
			!strings.Contains(activity.Body, "the app gave its access back") {
			t.Errorf("got the browser of a session forgotten:\n%s", activity.Body)
		}
	})
}

// TestAccountOfManySessions: more of them than end in one transaction, or than a page of reports holds.
func TestAccountOfManySessions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := providertest.MustStart(t, nil)
		o.MustAddClient("atlas", nil)
		for i := range 250 {
			time.Sleep(time.Second)
			mustAddSession(o, i)
		}
		time.Sleep(time.Second)
		b := o.Browser()
		reset := b.Submit(
			b.Get(o.MustMakeResetLink("alice")),
			"new-password",
			"a new long password",
			"repeat-password",
			"a new long password",
		)
		if !strings.Contains(reset.Body, "More than 200 devices were signed out.") {
			t.Errorf("got %d and another number of sessions than ended:\n%s", reset.Status, reset.Body)
		}
		time.Sleep(time.Minute)
		b.Submit(b.Get("/account"), "username", "alice", "password", "a new long password")
		ended, begun := 0, 0
		for next := "/account/activity"; next != ""; {
			p := b.Get(next)
			lines, reports, devices := strings.Count(
				p.Body,
				`class="what">Signed out`,
			), strings.Count(
				p.Body,
				">Details<",
			), strings.Count(
				p.Body,
				"· Firefox on Linux ·",
			)
			signedIn := strings.Count(p.Body, `class="what">Signed in`)
			if ended, begun = ended+lines, begun+signedIn; lines != reports || devices < lines+signedIn-1 {
				t.Errorf(
					"got %d reports and %d browsers at %s, want one for each of %d endings and %d sign-ins",
					reports,
					devices,
					next,
					lines,
					signedIn,
				)
			}
			_, rest, _ := strings.Cut(p.Body, `<a class="button" href="`)
			next, _, _ = strings.Cut(rest, `"`)
		}
		if ended != 250 || begun != 251 {
			t.Errorf("got %d endings and %d sign-ins, want 250 and 251", ended, begun)
		}
	})
}

// mustAddSession adds a session of alice's in which no client took part.
func mustAddSession(o *providertest.Fixture, i int) {
	o.T.Helper()
	now := time.Now()
	id := storage.SessionID(fmt.Sprintf("session-%04d", i))
	s := storage.Session{
		ID:          id,
		Subject:     "sub-alice",
		AuthTime:    now,
		Created:     now,
		LastActive:  now,
		IdleTimeout: time.Hour,
		Expires:     now.Add(time.Hour),
		UserAgent:   "Mozilla/5.0 (X11; Linux x86_64) Firefox/150.0",
		Address:     "192.0.2.9",
	}
	s.SecretHash = storage.HashOf(string(id))
	e := storage.Event{
		At:      now,
		Kind:    "session.created",
		Subject: s.Subject,
		Session: storage.SessionHash(id),
		Address: s.Address,
	}
	if err := o.Store.CreateSession(o.T.Context(), s, e); err != nil {
		o.T.Fatal(err)
	}
}
