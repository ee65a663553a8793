package storagetest

import (
	"time"

	"github.com/curfew-id/curfew/storage"
)

var sessionTests = map[string]func(*world){
	"SessionIsFoundByCookieIDAndSID": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		w.restart()
		byCookie, err := w.SessionBySecret(w.ctx, storage.HashOf("secret of s"), t0)
		w.must(err)
		byID, err := w.Session(w.ctx, id, t0)
		w.must(err)
		bySID, m, err := w.SessionBySID(w.ctx, code.SID, t0)
		w.must(err)
		mustEqual(w, "by id", byID, byCookie)
		mustEqual(w, "by sid", bySID, byCookie)
		mustEqual(w, "client session", m, bySID.ClientSessions[0])
		want := newSession("s", "ann", t0)
		want.ClientSessions = []storage.ClientSession{{
			Client:   "app",
			SID:      code.SID,
			Joined:   t0,
			LastUsed: t0,
			TokenExpiry: storage.TokenExpiry{
				Opaque:      after(time.Hour),
				IDToken:     after(10 * time.Minute),
				LastIDToken: t0,
			},
		}}
		mustEqual(w, "session", byID, want)
		for _, sid := range []string{"", "other"} {
			_, _, err = w.SessionBySID(w.ctx, sid, t0)
			w.mustBe(err, storage.ErrNotFound)
		}
		_, err = w.SessionBySecret(w.ctx, storage.Hash{}, t0)
		w.mustBe(err, storage.ErrNotFound)
	},
	"ExpiredSessionIsNotFoundBeforeTheSweep": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		last, expired := after(time.Hour-time.Millisecond), after(time.Hour)
		if !w.sessionActive(id, last) {
			w.Fatal("expired before its deadline")
		}
		if w.sessionActive(id, expired) {
			w.Fatal("active at its deadline")
		}
		_, err := w.SessionBySecret(w.ctx, storage.HashOf("secret of s"), expired)
		w.mustBe(err, storage.ErrNotFound)
		_, _, err = w.SessionBySID(w.ctx, code.SID, expired)
		w.mustBe(err, storage.ErrNotFound)
		list, _, err := w.ListSessions(w.ctx, storage.Selector{Subject: "ann"}, expired, storage.Page{})
		w.must(err)
		mustEqual(w, "listed", len(list), 0)
		_, err = w.Reauthenticate(w.ctx, id, storage.Authentication{
			SecretHash:  storage.HashOf("new"),
			IdleTimeout: time.Hour,
			Expires:     after(9 * time.Hour),
		}, expired, storage.Event{})
		w.mustBe(err, storage.ErrRevoked)
		lateCode := w.code(id, "ann", "app", last)
		_, err = w.Redeem(w.ctx, lateCode, expired, issue(lateCode, expired))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.refresh("refresh of "+code.ID, "next", "app", expired)
		w.mustBe(err, storage.ErrRevoked)
		if w.grantActive(code, expired) {
			w.Fatal("a grant bound to it is active")
		}
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "stored", n, 1)
	},
	"ActivityDoesNotExtendTheAbsoluteLifetime": func(w *world) {
		w.mustUsers("ann")
		id := w.mustSession("s", "ann", t0)
		for d := 30 * time.Minute; d < 8*time.Hour; d += 30 * time.Minute {
			w.must(w.Touch(w.ctx, id, after(d)))
		}
		if !w.sessionActive(id, after(8*time.Hour-1)) || w.sessionActive(id, after(8*time.Hour)) {
			w.Fatal("the session does not end at its absolute deadline")
		}
	},
	"TouchIsWrittenAtMostOnceInAStep": func(w *world) {
		w.mustUsers("ann")
		id := w.mustSession("s", "ann", t0)
		for _, step := range []struct{ at, want time.Duration }{
			{storage.ActivityStep - time.Millisecond, 0},
			{storage.ActivityStep, storage.ActivityStep},
			{storage.ActivityStep + time.Second, storage.ActivityStep},
			{0, 0}, // the clock was set back
		} {
			w.must(w.Touch(w.ctx, id, after(step.at)))
			session, err := w.Session(w.ctx, id, after(0))
			w.must(err)
			mustEqual(w, "last active", session.LastActive, after(step.want))
		}
		w.must(w.Touch(w.ctx, "nothing", t0))
	},
	"ShortSessionInUseDoesNotExpire": func(w *world) {
		w.mustUsers("ann")
		session := newSession("s", "ann", t0)
		session.IdleTimeout, session.Sequence = 30*time.Second, w.sequence()
		w.must(w.CreateSession(w.ctx, session, storage.Event{At: t0, Kind: "session.created", Subject: "ann"}))
		for at := 10 * time.Second; at <= 2*time.Minute; at += 10 * time.Second {
			w.must(w.Touch(w.ctx, session.ID, after(at)))
		}
		if !w.sessionActive(session.ID, after(2*time.Minute+20*time.Second)) {
			w.Fatal("a session that was used every 10 s expired after 30 s")
		}
	},
	"ReauthenticationKeepsTheSessionAndChangesItsCookie": func(w *world) {
		w.mustUsers("ann")
		w.mustClients("app")
		id := w.mustSession("s", "ann", t0)
		code := w.mustRedeem(id, "ann", "app", t0)
		at := after(10 * time.Minute)
		a := storage.Authentication{
			SecretHash:  storage.HashOf("new"),
			AuthTime:    at,
			AMR:         []string{"pwd", "otp"},
			ACR:         "2",
			RememberMe:  true,
			IdleTimeout: 2 * time.Hour,
			Expires:     after(20 * time.Hour),
			UserAgent:   "b2",
			Address:     "192.0.2.2",
		}
		session, err := w.Reauthenticate(w.ctx, id, a, at, storage.Event{At: at, Kind: "session.reauthenticated"})
		w.must(err)
		got, err := w.SessionBySecret(w.ctx, storage.HashOf("new"), after(2*time.Hour))
		w.must(err)
		mustEqual(w, "stored", got, session)
		mustEqual(w, "created", got.Created, t0)
		mustEqual(w, "auth_time", got.AuthTime, at)
		mustEqual(w, "sid", got.ClientSession("app").SID, code.SID)
		_, err = w.SessionBySecret(w.ctx, storage.HashOf("secret of s"), at)
		w.mustBe(err, storage.ErrNotFound)
		w.mustSession("other", "ann", at)
		a.SecretHash = storage.HashOf("secret of other")
		_, err = w.Reauthenticate(w.ctx, id, a, at, storage.Event{})
		w.mustBe(err, storage.ErrExists)
		mustEqual(w, "lines", len(w.events(storage.EventFilter{Kind: "session.reauthenticated"})), 1)
	},
	"SessionIsCreatedForAnEnabledUserOnly": func(w *world) {
		w.must(w.PutUser(w.ctx, storage.User{Subject: "off", Name: "off", Disabled: true}))
		for _, subject := range []string{"off", "nobody"} {
			w.mustBe(w.CreateSession(w.ctx, newSession("s", subject, t0), storage.Event{}), storage.ErrRevoked)
		}
		w.mustUsers("ann")
		w.mustSession("s", "ann", t0)
		w.mustBe(w.CreateSession(w.ctx, newSession("s", "ann", t0), storage.Event{}), storage.ErrExists)
		same := newSession("t", "ann", t0)
		same.SecretHash = storage.HashOf("secret of s")
		w.mustBe(w.CreateSession(w.ctx, same, storage.Event{}), storage.ErrExists)
	},
	"SessionsAreListedByUserClientAndAll": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app", "other")
		for _, n := range []struct{ id, sub string }{{"a1", "ann"}, {"a2", "ann"}, {"a3", "ann"}, {"b1", "bob"}} {
			w.mustSession(n.id, n.sub, t0)
		}
		w.mustRedeem("a1", "ann", "app", t0)
		w.mustRedeem("a2", "ann", "other", t0)
		w.mustRedeem("b1", "bob", "app", t0)
		for _, c := range []struct {
			sel  storage.Selector
			want []string
		}{
			{storage.Selector{AllUsers: true}, []string{"a1", "a2", "a3", "b1"}},
			{storage.Selector{Subject: "ann"}, []string{"a1", "a2", "a3"}},
			{storage.Selector{Subject: "ann", Except: "a2"}, []string{"a1", "a3"}},
			{storage.Selector{Subject: "ann", Client: "app"}, []string{"a1"}},
			{storage.Selector{Client: "app"}, []string{"a1", "b1"}},
			{storage.Selector{AllUsers: true, Client: "other"}, []string{"a2"}},
			{storage.Selector{Sessions: sessionsNamed("b1", "gone", "a1", "b1")}, []string{"a1", "b1"}},
			{storage.Selector{Subject: "nobody"}, nil},
		} {
			var ids []string
			list := func(p storage.Page) ([]storage.Session, string, error) {
				return w.ListSessions(w.ctx, c.sel, t0, p)
			}
			for _, session := range pages(w, list) {
				ids = append(ids, string(session.ID))
			}
			mustEqual(w, "sessions", sorted(ids), c.want)
		}
		n, err := w.CountSessions(w.ctx)
		w.must(err)
		mustEqual(w, "count", n, 4)
	},
	"TimesAreKeptInWholeMillisecondsUTC": func(w *world) {
		w.mustUsers("ann")
		east := time.FixedZone("east", 3600)
		at := t0.Add(1234567 * time.Nanosecond).In(east)
		id := w.mustSession("s", "ann", at)
		session, err := w.Session(w.ctx, id, after(time.Second))
		w.must(err)
		mustEqual(w, "created", session.Created, t0.Add(time.Millisecond))
	},
}
