// Package storagetest is the contract of storage as tests. A backend passes all of it:
//
//	storagetest.Run(t, func(t *testing.T) (storage.Store, func() storage.Store) { … })
//
// The tests use only the methods of storage.Store. If the contract promises atomicity, they use parallel callers. If it
// promises that a state survives a restart, they open the store again.
package storagetest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// Run runs all tests. open creates an empty store, and a function that closes the store and opens it again with its
// records. A cleanup of t must close the store.
func Run(t *testing.T, open func(t *testing.T) (s storage.Store, reopen func() storage.Store)) {
	for _, group := range []map[string]func(*world){
		userTests,
		factorTests,
		groupTests,
		clientTests,
		clockTests,
		sessionTests,
		upstreamTests,
		redeemTests,
		refreshTests,
		tokenTests,
		terminationTests,
		changeTests,
		cutoffTests,
		bulkLogoutTests,
		raceTests,
		deliveryTests,
		reportTests,
		eventTests,
		otherRecordTests,
		mailTests,
		sweepTests,
		epochTests,
	} {
		for name, test := range group {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				test(newWorld(t, open))
			})
		}
	}
}

// newWorld returns a world with an empty store.
func newWorld(t *testing.T, open func(t *testing.T) (storage.Store, func() storage.Store)) *world {
	s, reopen := open(t)
	return &world{
		T:      t,
		Store:  s,
		ctx:    t.Context(),
		reopen: reopen,
		ids:    map[string]int{},
		fresh:  func() *world { return newWorld(t, open) },
	}
}

// t0 is the time at which every test begins.
var t0 = time.Date(2026, 11, 2, 10, 0, 0, 0, time.UTC)

// after returns the time d after t0.
func after(d time.Duration) time.Time { return t0.Add(d) }

// world is a test with its store. Its methods are steps that several tests use.
type world struct {
	*testing.T
	storage.Store
	ctx    context.Context
	reopen func() storage.Store // closes the store and opens it again
	fresh  func() *world        // returns a world with another empty store, for one case of a table
	ids    map[string]int       // the last number that id gave, by kind
}

// id returns a new id: the kind with a number.
func (w *world) id(kind string) string {
	w.ids[kind]++
	return fmt.Sprintf("%s-%d", kind, w.ids[kind])
}

// restart closes the store and opens it again.
func (w *world) restart() { w.Store = w.reopen() }

// must stops the test if err is not nil.
func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// mustBe stops the test unless err is want.
func (w *world) mustBe(err, want error) {
	w.Helper()
	if !errors.Is(err, want) {
		w.Fatalf("got error %v, want %v", err, want)
	}
}

// mustEqual stops the test unless got is want.
func mustEqual[T any](w *world, what string, got, want T) {
	w.Helper()
	if !reflect.DeepEqual(got, want) {
		w.Fatalf("%s: got %+v, want %+v", what, got, want)
	}
}

// mustUsers creates enabled users. Their subjects are their names.
func (w *world) mustUsers(names ...string) {
	w.Helper()
	for _, name := range names {
		w.must(
			w.PutUser(
				w.ctx,
				storage.User{Subject: name, Name: name, Email: name + "@example.org", EmailVerified: true, Created: t0},
			),
		)
	}
}

// mustClients creates enabled clients with a back-channel logout URI.
func (w *world) mustClients(ids ...string) {
	w.Helper()
	for _, id := range ids {
		w.must(
			w.PutClient(
				w.ctx,
				storage.Client{
					Metadata: storage.Metadata{ClientID: id, BackchannelLogoutURI: "https://" + id + ".example/logout"},
					Created:  t0,
				},
			),
		)
	}
}

// newSession returns a session that begins at that time, with an idle timeout of one hour and an absolute lifetime of
// eight hours.
func newSession(id, subject string, at time.Time) storage.Session {
	return storage.Session{
		ID:          storage.SessionID(id),
		SecretHash:  storage.HashOf("secret of " + id),
		Subject:     subject,
		AuthTime:    at,
		AMR:         []string{"pwd"},
		Created:     at,
		LastActive:  at,
		IdleTimeout: time.Hour,
		Expires:     at.Add(8 * time.Hour),
		UserAgent:   "browser",
		Address:     "192.0.2.1",
	}
}

// sessionsNamed returns the ids of sessions that mustSession created.
func sessionsNamed(ids ...storage.SessionID) []storage.SessionID { return ids }

// sequence returns the store's current sequence.
func (w *world) sequence() storage.Sequence {
	w.Helper()
	n, err := w.Sequence(w.ctx)
	w.must(err)
	return n
}

// mustSession creates a session.
func (w *world) mustSession(id, subject string, at time.Time) storage.SessionID {
	w.Helper()
	session := newSession(id, subject, at)
	session.Sequence = w.sequence()
	w.must(w.CreateSession(w.ctx, session, storage.Event{At: at, Kind: "session.created", Subject: subject}))
	return storage.SessionID(id)
}

// code returns an authorization code. Its sequence is the store's current one; its time of issue is at.
func (w *world) code(session storage.SessionID, subject, client string, at time.Time) storage.Code {
	w.Helper()
	id := w.id("code")
	return storage.Code{
		ID:       id,
		Client:   client,
		Subject:  subject,
		Session:  session,
		SID:      "sid of " + id,
		Sequence: w.sequence(),
		Issued:   at,
		Expires:  at.Add(time.Minute),
	}
}

// mustClientToken stores a client_credentials token with the store's current sequence.
func (w *world) mustClientToken(name, client string, issued, expires time.Time) storage.Hash {
	w.Helper()
	hash := storage.HashOf(name)
	w.must(
		w.PutToken(
			w.ctx,
			storage.Token{Hash: hash, Sequence: w.sequence(), Client: client, Issued: issued, Expires: expires},
		),
	)
	return hash
}

// issue returns a callback that issues a session-bound grant, its refresh token and one access token. Their ids contain
// the id of the code.
func issue(code storage.Code, at time.Time) func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
	return func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
		return storage.Issuance{
			Grant: storage.Grant{
				ID:          "grant of " + code.ID,
				Session:     session.ID,
				Scope:       []string{"openid"},
				AuthTime:    session.AuthTime,
				Created:     at,
				LastUsed:    at,
				Expires:     session.Expires,
				RefreshHash: storage.HashOf("refresh of " + code.ID),
			},
			Tokens: []storage.Token{
				{
					Hash:    storage.HashOf("token of " + code.ID),
					SID:     cs.SID,
					Scope:   []string{"openid"},
					Issued:  at,
					Expires: at.Add(time.Hour),
				},
			},
			Trust: storage.TokenExpiry{Opaque: at.Add(time.Hour), IDToken: at.Add(10 * time.Minute), LastIDToken: at},
		}, nil
	}
}

// issueOffline does what issue does, but the grant is offline.
func issueOffline(
	code storage.Code,
	at time.Time,
) func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
	bound := issue(code, at)
	return func(session storage.Session, cs storage.ClientSession) (storage.Issuance, error) {
		out, err := bound(session, cs)
		out.Grant.Session = ""
		out.Grant.IdleTimeout = 90 * 24 * time.Hour
		out.Grant.Expires = time.Time{}
		return out, err
	}
}

// mustRedeem issues a code, redeems it, and returns it.
func (w *world) mustRedeem(session storage.SessionID, subject, client string, at time.Time) storage.Code {
	w.Helper()
	code := w.code(session, subject, client, at)
	r, err := w.Redeem(w.ctx, code, at, issue(code, at))
	w.must(err)
	if r.Reused {
		w.Fatal("a fresh code counts as used")
	}
	return code
}

// mustRedeemOffline does what mustRedeem does, for an offline grant.
func (w *world) mustRedeemOffline(session storage.SessionID, subject, client string, at time.Time) storage.Code {
	w.Helper()
	code := w.code(session, subject, client, at)
	_, err := w.Redeem(w.ctx, code, at, issueOffline(code, at))
	w.must(err)
	return code
}

// refresh exchanges a refresh token for its successor. Both are given by the texts that are hashed.
func (w *world) refresh(token, successor, client string, at time.Time) (storage.RefreshResult, error) {
	return w.Refresh(w.ctx, storage.RefreshRequest{
		Token:    storage.HashOf(token),
		NewToken: storage.HashOf(successor),
		Client:   client,
		Grace:    10 * time.Second,
	}, at, func(g storage.Grant, _ *storage.Session) (storage.Issuance, error) {
		return storage.Issuance{
			Grant: g,
			Tokens: []storage.Token{
				{Hash: storage.HashOf("token with " + successor), SID: g.SID, Issued: at, Expires: at.Add(time.Hour)},
			},
		}, nil
	})
}

// noPlan returns a plan without a report and deliveries.
func noPlan(storage.Termination) storage.Plan { return storage.Plan{} }

// cause returns a cause with that id.
func cause(id string) storage.Cause {
	return storage.Cause{ID: id, Reason: storage.ReasonAdmin, By: "admin", Address: "192.0.2.9"}
}

// mustEnd ends everything that sel selects in one call.
func (w *world) mustEnd(sel storage.Selector, at time.Time, change storage.Change) []storage.Termination {
	w.Helper()
	terminations, more, err := w.EndSessions(
		w.ctx,
		storage.EndRequest{Selector: sel, Cause: cause(w.id("cause")), Change: change},
		at,
		0,
		noPlan,
	)
	w.must(err)
	if more {
		w.Fatal("a termination without a limit leaves more")
	}
	return terminations
}

// mustEndPage ends one page of a bulk logout.
func (w *world) mustEndPage(
	sel storage.Selector,
	name string,
	at time.Time,
	limit int,
) (terminations []storage.Termination, more bool) {
	w.Helper()
	terminations, more, err := w.EndSessions(
		w.ctx,
		storage.EndRequest{Selector: sel, Cause: cause(name)},
		at,
		limit,
		noPlan,
	)
	w.must(err)
	return terminations, more
}

// sessionIDs returns the ids of the sessions that ended, sorted.
func sessionIDs(terminations []storage.Termination) (ids []string) {
	for _, e := range terminations {
		if e.Session.ID != "" {
			ids = append(ids, string(e.Session.ID))
		}
	}
	slices.Sort(ids)
	return ids
}

// sessionActive reports whether a session is active.
func (w *world) sessionActive(id storage.SessionID, at time.Time) bool {
	w.Helper()
	return w.found(func() error { _, err := w.Session(w.ctx, id, at); return err })
}

// tokenActive reports whether the access token that a code gave is active.
func (w *world) tokenActive(code storage.Code, at time.Time) bool {
	w.Helper()
	return w.found(func() error { _, _, err := w.Token(w.ctx, storage.HashOf("token of "+code.ID), at); return err })
}

// grantActive reports whether the grant that a code gave is active.
func (w *world) grantActive(code storage.Code, at time.Time) bool {
	w.Helper()
	return w.found(func() error {
		_, _, err := w.GrantByRefresh(w.ctx, storage.HashOf("refresh of "+code.ID), at)
		return err
	})
}

// found reports whether find succeeds. It stops the test if find returns another error than ErrNotFound.
func (w *world) found(find func() error) bool {
	w.Helper()
	err := find()
	if err != nil && !errors.Is(err, storage.ErrNotFound) {
		w.Fatal(err)
	}
	return err == nil
}

// events returns the audit lines that the filter selects. Without a filter it also checks that each line follows the
// line before.
func (w *world) events(f storage.EventFilter) (all []storage.Event) {
	w.Helper()
	all = pages(w, func(p storage.Page) ([]storage.Event, string, error) { return w.ListEvents(w.ctx, f, p) })
	if f != (storage.EventFilter{}) {
		return all
	}
	var seq uint64
	var hash storage.Hash
	for _, e := range all {
		if !e.Follows(seq, hash) {
			w.Fatalf("line %d does not follow line %d", e.Seq, seq)
		}
		seq, hash = e.Seq, e.Hash
	}
	return all
}

// pages reads a whole listing, two at a time.
func pages[T any](w *world, list func(storage.Page) ([]T, string, error)) (all []T) {
	w.Helper()
	for p := (storage.Page{Limit: 2}); ; {
		part, next, err := list(p)
		w.must(err)
		if len(part) > p.Limit {
			w.Fatalf("a page of at most %d has %d", p.Limit, len(part))
		}
		all = append(all, part...)
		if next == "" {
			return all
		}
		p.After = next
	}
}

// sorted sorts list and returns it.
func sorted[T cmp.Ordered](list []T) []T {
	slices.Sort(list)
	return list
}
