package storagetest

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// upstream.go tests linked accounts of upstream providers, and the end of sessions that came from there.

const testIssuer = "https://upstream.example"

// annsIdentity links an account to ann.
func annsIdentity() storage.Identity {
	return storage.Identity{
		Issuer:   testIssuer,
		Subject:  "ann there",
		User:     "ann",
		Provider: "acme",
		Name:     "ann@upstream.example",
		Created:  t0,
	}
}

// fromUpstream returns a session of a user that came from an upstream session.
func (w *world) fromUpstream(id, user, account, sid string) storage.Session {
	w.Helper()
	session := newSession(id, user, t0)
	session.Sequence = w.sequence()
	session.Upstream = storage.UpstreamSession{
		Provider: "acme",
		Issuer:   testIssuer,
		Subject:  account,
		SID:      sid,
		Expires:  after(5 * time.Hour),
		IDToken:  []byte("wrapped"),
	}
	session.Expires = session.Upstream.Limit(session.Expires)
	return session
}

// mustCreate stores sessions.
func (w *world) mustCreate(sessions ...storage.Session) {
	w.Helper()
	for _, session := range sessions {
		w.must(w.CreateSession(w.ctx, session, storage.Event{At: t0, Kind: "session.created"}))
	}
}

// byAccount and bySID select the sessions of an account and of a session at the upstream.
func byAccount(account string) storage.Selector {
	return storage.Selector{Upstream: storage.UpstreamSelector{Issuer: testIssuer, Subject: account}}
}

func bySID(sid string) storage.Selector {
	return storage.Selector{Upstream: storage.UpstreamSelector{Issuer: testIssuer, SID: sid}}
}

var upstreamTests = map[string]func(*world){
	"LinkedAccountIsStoredWhole": func(w *world) {
		w.mustUsers("ann", "bob")
		w.must(w.Link(w.ctx, annsIdentity(), nil, storage.Event{At: t0, Kind: "user.linked", Subject: "ann"}))
		w.restart()
		got, err := w.Identity(w.ctx, testIssuer, "ann there")
		w.must(err)
		mustEqual(w, "identity", got, annsIdentity())
		list, err := w.ListIdentities(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "identities of ann", list, []storage.Identity{annsIdentity()})
		list, err = w.ListIdentities(w.ctx, "bob")
		w.must(err)
		mustEqual(w, "identities of bob", len(list), 0)
		for _, other := range [][2]string{{testIssuer, "bob there"}, {"https://other.example", "ann there"}} {
			_, err = w.Identity(w.ctx, other[0], other[1])
			w.mustBe(err, storage.ErrNotFound)
		}
		mustEqual(w, "audit lines", len(w.events(storage.EventFilter{Kind: "user.linked"})), 1)
	},
	"AccountIsLinkedToOneUser": func(w *world) {
		w.mustUsers("ann", "bob")
		var linked atomic.Int32
		var callers sync.WaitGroup
		for _, user := range []string{"ann", "bob", "ann", "bob"} {
			callers.Go(func() {
				i := annsIdentity()
				i.User = user
				if err := w.Link(w.ctx, i, nil); err == nil {
					linked.Add(1)
				}
			})
		}
		callers.Wait()
		mustEqual(w, "links that were stored", linked.Load(), 1)
		w.mustBe(w.Link(w.ctx, annsIdentity(), nil), storage.ErrExists)
	},
	"LinkCreatesItsUserOrStoresNothing": func(w *world) {
		w.mustUsers("ann")
		i := annsIdentity()
		i.User = "new"
		taken := storage.User{Subject: "new", Name: "Ann", Created: t0}
		w.mustBe(w.Link(w.ctx, i, &taken, storage.Event{At: t0, Kind: "user.linked"}), storage.ErrExists)
		_, err := w.Identity(w.ctx, i.Issuer, i.Subject)
		w.mustBe(err, storage.ErrNotFound)
		_, err = w.User(w.ctx, "new")
		w.mustBe(err, storage.ErrNotFound)
		mustEqual(w, "audit lines", len(w.events(storage.EventFilter{Kind: "user.linked"})), 0)
		w.must(w.Link(w.ctx, i, &storage.User{Subject: "new", Name: "newcomer", Created: t0}))
		u, err := w.UserByLogin(w.ctx, "newcomer")
		w.must(err)
		mustEqual(w, "user", u.Subject, "new")
		again := i
		again.User = "third"
		w.mustBe(w.Link(w.ctx, again, &storage.User{Subject: "third", Name: "third"}), storage.ErrExists)
		_, err = w.User(w.ctx, "third")
		w.mustBe(err, storage.ErrNotFound)
	},
	"AccountIsNotLinkedToADisabledOrRemovedUser": func(w *world) {
		w.mustUsers("ann")
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		u.Disabled = true
		w.must(w.PutUser(w.ctx, u))
		w.mustBe(w.Link(w.ctx, annsIdentity(), nil), storage.ErrRevoked)
		i := annsIdentity()
		i.User = "unknown"
		w.mustBe(w.Link(w.ctx, i, nil), storage.ErrRevoked)
	},
	"RemovedUserLosesLinkedAccounts": func(w *world) {
		w.mustUsers("ann")
		w.must(w.Link(w.ctx, annsIdentity(), nil))
		w.mustEnd(storage.Selector{Subject: "ann"}, t0, storage.Change{RemoveUser: "ann"})
		_, err := w.Identity(w.ctx, testIssuer, "ann there")
		w.mustBe(err, storage.ErrNotFound)
	},
	"UnlinkingEndsTheSessionsOfTheAccount": func(w *world) {
		w.mustUsers("ann", "bob")
		w.must(w.Link(w.ctx, annsIdentity(), nil))
		w.mustSession("password", "ann", t0)
		w.mustCreate(w.fromUpstream("one", "ann", "ann there", "sid-1"), w.fromUpstream("two", "ann", "ann there", ""))
		i := annsIdentity()
		sel := byAccount("ann there")
		sel.Except = "two"
		foreign := i
		foreign.User = "bob"
		_, _, err := w.EndSessions(w.ctx, storage.EndRequest{
			Selector: sel,
			Cause:    cause("foreign"),
			Change:   storage.Change{Unlink: []storage.Identity{foreign}},
		}, t0, 0, noPlan)
		w.mustBe(err, storage.ErrNotFound)
		ended := w.mustEnd(sel, t0, storage.Change{Unlink: []storage.Identity{i}, RequireSession: "two"})
		mustEqual(w, "ended", sessionIDs(ended), []string{"one"})
		_, err = w.Identity(w.ctx, testIssuer, "ann there")
		w.mustBe(err, storage.ErrNotFound)
		list, err := w.ListIdentities(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "identities", len(list), 0)
		w.must(w.Link(w.ctx, annsIdentity(), nil)) // it may be linked anew
	},
	"UpstreamSessionIsStoredWhole": func(w *world) {
		w.mustUsers("ann")
		session := w.fromUpstream("s", "ann", "ann there", "sid-1")
		w.mustCreate(session)
		w.restart()
		got, err := w.Session(w.ctx, "s", t0)
		w.must(err)
		mustEqual(w, "session", got.Upstream, session.Upstream)
	},
	"UpstreamLogoutEndsTheSessionsThatCameFromThere": func(w *world) {
		w.mustUsers("ann", "bob")
		w.mustClients("app")
		w.mustSession("password", "ann", t0)
		other := w.fromUpstream("other", "ann", "ann there", "sid-1")
		other.Upstream.Issuer = "https://other.example"
		w.mustCreate(
			w.fromUpstream("one", "ann", "ann there", "sid-1"),
			w.fromUpstream("two", "ann", "ann there", "sid-2"),
			w.fromUpstream("bob", "bob", "bob there", "sid-3"),
			other,
		)
		code := w.mustRedeem("one", "ann", "app", t0)
		w.restart()
		list, _, err := w.ListSessions(w.ctx, byAccount("ann there"), t0, storage.Page{})
		w.must(err)
		mustEqual(w, "listed", len(list), 2)
		mustEqual(w, "of an unknown sid", len(w.mustEnd(bySID("sid-9"), t0, storage.Change{})), 0)
		foreign := bySID("sid-1")
		foreign.Upstream.Subject = "bob there"
		mustEqual(w, "of another account", len(w.mustEnd(foreign, t0, storage.Change{})), 0)
		mustEqual(w, "by sid", sessionIDs(w.mustEnd(bySID("sid-1"), t0, storage.Change{})), []string{"one"})
		if w.tokenActive(code, t0) || w.grantActive(code, t0) {
			w.Fatal("a token of the ended session is active")
		}
		mustEqual(w, "by account", sessionIDs(w.mustEnd(byAccount("ann there"), t0, storage.Change{})), []string{"two"})
		for _, id := range []storage.SessionID{"password", "bob", "other"} {
			if !w.sessionActive(id, t0) {
				w.Fatalf("session %s ended too", id)
			}
		}
	},
	"SignInThatBeganBeforeAnUpstreamLogoutStartsNoSession": func(w *world) {
		for _, sel := range []storage.Selector{bySID("sid-1"), byAccount("ann there")} {
			w := w.fresh()
			w.mustUsers("ann", "bob")
			w.mustSession("old", "ann", t0)
			early := w.fromUpstream("early", "ann", "ann there", "sid-1")
			bob := w.fromUpstream("bob", "bob", "bob there", "sid-2")
			auth := storage.Authentication{
				SecretHash:  storage.HashOf("renewed"),
				AuthTime:    t0,
				IdleTimeout: time.Hour,
				Expires:     after(8 * time.Hour),
				Upstream:    early.Upstream,
				Sequence:    early.Sequence,
			}
			w.mustEnd(sel, t0, storage.Change{})
			w.restart()
			w.mustBe(w.CreateSession(w.ctx, early, storage.Event{}), storage.ErrRevoked)
			_, err := w.Reauthenticate(w.ctx, "old", auth, t0, storage.Event{})
			w.mustBe(err, storage.ErrRevoked)
			w.mustCreate(bob)
			auth.Sequence = w.sequence()
			_, err = w.Reauthenticate(w.ctx, "old", auth, t0, storage.Event{})
			w.must(err)
			w.mustCreate(w.fromUpstream("late", "ann", "ann there", "sid-1"))
		}
	},
	"ReauthenticationMovesASessionToAnotherUpstreamSession": func(w *world) {
		w.mustUsers("ann")
		session := w.fromUpstream("s", "ann", "ann there", "sid-1")
		w.mustCreate(session)
		auth := storage.Authentication{
			SecretHash:  storage.HashOf("second"),
			AuthTime:    t0,
			IdleTimeout: time.Hour,
			Expires:     after(8 * time.Hour),
		}
		byPassword, err := w.Reauthenticate(w.ctx, "s", auth, t0, storage.Event{})
		w.must(err)
		mustEqual(w, "upstream after a password", byPassword.Upstream, session.Upstream)
		mustEqual(w, "end after a password", byPassword.Expires, session.Upstream.Expires)
		auth.SecretHash, auth.Upstream, auth.Sequence = storage.HashOf("third"), session.Upstream, w.sequence()
		auth.Upstream.SID, auth.Upstream.Expires = "sid-2", time.Time{}
		moved, err := w.Reauthenticate(w.ctx, "s", auth, t0, storage.Event{})
		w.must(err)
		mustEqual(w, "end without one there", moved.Expires, after(8*time.Hour))
		mustEqual(w, "ended by the old sid", len(w.mustEnd(bySID("sid-1"), t0, storage.Change{})), 0)
		mustEqual(w, "ended by the new sid", len(w.mustEnd(bySID("sid-2"), t0, storage.Change{})), 1)
	},
	"SessionEndsWithTheSessionExpiryOfItsUpstream": func(w *world) {
		w.mustUsers("ann")
		session := w.fromUpstream("s", "ann", "ann there", "sid-1")
		session.Upstream.Expires = after(30 * time.Minute)
		session.Expires = session.Upstream.Limit(session.Expires)
		w.mustCreate(session)
		if w.sessionActive("s", after(30*time.Minute)) {
			w.Fatal("active after the upstream session expired")
		}
		ended := w.mustEnd(storage.Selector{Expired: true}, after(31*time.Minute), storage.Change{})
		mustEqual(w, "ended", len(ended), 1)
		mustEqual(w, "reason", ended[0].Cause.Reason, storage.ReasonUpstreamExpired)
	},
}
