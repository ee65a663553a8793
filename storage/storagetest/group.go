package storagetest

import (
	"slices"

	"github.com/curfew-id/curfew/storage"
)

var groupTests = map[string]func(*world){
	"GroupsAreKept": func(w *world) {
		w.mustMembers([]string{"staff", "wiki editors"}, "ann")
		w.restart()
		u, err := w.User(w.ctx, "ann")
		w.must(err)
		mustEqual(w, "groups", u.Groups, []string{"staff", "wiki editors"})
	},
	"LeavingAGroupEndsWhatDependedOnIt": func(w *world) {
		w.mustMembers([]string{"staff"}, "ann", "bob")
		w.mustClients("app")
		w.mustAdmitting("wiki", "staff")
		ann, bob := w.mustSession("a", "ann", t0), w.mustSession("b", "bob", t0)
		wiki, app := w.mustRedeem(ann, "ann", "wiki", t0), w.mustRedeem(ann, "ann", "app", t0)
		offline := w.mustRedeemOffline(ann, "ann", "wiki", t0)
		ofBob := w.mustRedeem(bob, "bob", "wiki", t0)
		inFlight := w.code(ann, "ann", "wiki", t0)

		u := w.mustUser("ann")
		u.Groups = nil
		ended := w.mustEnd(leaving("ann"), t0, storage.Change{User: &u})
		mustEqual(w, "ended", sessionIDs(ended), []string{"a"})
		mustEqual(w, "clients", clientsOf(ended), []string{"wiki"})
		if w.grantActive(wiki, t0) || w.tokenActive(wiki, t0) || w.grantActive(offline, t0) || w.tokenActive(offline, t0) {
			w.Fatal("a grant or token of the client that does not admit the user is active")
		}
		if !w.tokenActive(app, t0) || !w.tokenActive(ofBob, t0) || !w.sessionActive(ann, t0) {
			w.Fatal("more ended than the client session of the user")
		}
		_, err := w.Redeem(w.ctx, inFlight, t0, issue(inFlight, t0))
		w.mustBe(err, storage.ErrRevoked)

		// Joining again brings nothing back.
		u = w.mustUser("ann")
		u.Groups = []string{"staff"}
		w.must(w.PutUser(w.ctx, u))
		_, err = w.Redeem(w.ctx, inFlight, t0, issue(inFlight, t0))
		w.mustBe(err, storage.ErrRevoked)
		if w.tokenActive(wiki, t0) || w.grantActive(offline, t0) {
			w.Fatal("joining the group again made an old token active")
		}
		w.mustRedeem(ann, "ann", "wiki", t0)
	},
	"LeavingOneOfTwoAdmittedGroupsEndsNothing": func(w *world) {
		w.mustMembers([]string{"admins", "staff"}, "ann")
		w.mustAdmitting("wiki", "admins", "staff")
		ann := w.mustSession("a", "ann", t0)
		code := w.mustRedeem(ann, "ann", "wiki", t0)
		u := w.mustUser("ann")
		u.Groups = []string{"admins"}
		mustEqual(w, "ended", len(w.mustEnd(leaving("ann"), t0, storage.Change{User: &u})), 0)
		if !w.tokenActive(code, t0) {
			w.Fatal("the token ended")
		}
	},
	"ClientThatAdmitsFewerEndsTheRest": func(w *world) {
		w.mustMembers([]string{"staff"}, "ann")
		w.mustMembers(nil, "bob", "cid")
		w.mustAdmitting("wiki")
		w.mustClients("app")
		tokens := map[string]storage.Code{}
		for _, name := range []string{"ann", "bob", "cid"} {
			id := w.mustSession(name, name, t0)
			tokens[name] = w.mustRedeem(id, name, "wiki", t0)
			tokens[name+" at app"] = w.mustRedeem(id, name, "app", t0)
		}
		offline := w.mustRedeemOffline("bob", "bob", "wiki", t0)

		c := w.mustClient("wiki")
		c.AdmitGroups = []string{"staff"}
		request := storage.EndRequest{
			Selector: storage.Selector{Client: "wiki", Unadmitted: true, IncludeOffline: true},
			Cause:    cause("fewer"),
		}
		first := request
		first.Change.Client = &c
		ended, more, err := w.EndSessions(w.ctx, first, t0, 1, noPlan)
		w.must(err)
		if !more || len(ended) != 1 {
			w.Fatalf("got %d terminations, more %v, want 1 and more", len(ended), more)
		}
		for name, want := range map[string]bool{
			"ann": true, "bob": false, "cid": false, "ann at app": true, "bob at app": true, "cid at app": true,
		} {
			mustEqual(w, "token of "+name, w.tokenActive(tokens[name], t0), want)
		}

		// A user who joins while the records are removed gets nothing back.
		for _, name := range []string{"bob", "cid"} {
			u := w.mustUser(name)
			u.Groups = []string{"staff"}
			w.must(w.PutUser(w.ctx, u))
		}
		w.restart()
		for round := 0; more; round++ {
			for _, name := range []string{"bob", "cid"} {
				if w.tokenActive(tokens[name], t0) {
					w.Fatalf("round %d: the token of %s is active again", round, name)
				}
			}
			var page []storage.Termination
			page, more, err = w.EndSessions(w.ctx, request, t0, 1, noPlan)
			w.must(err)
			ended = append(ended, page...)
		}
		mustEqual(w, "ended", sessionIDs(ended), []string{"bob", "cid"})
		if w.tokenActive(offline, t0) || w.tokenActive(tokens["bob"], t0) || !w.tokenActive(tokens["ann"], t0) {
			w.Fatal("not exactly the tokens of users outside the group ended")
		}
	},
	"ClientIssuesNothingToUserItDoesNotAdmit": func(w *world) {
		// Here only the record of the user changes: every use checks the groups by itself.
		w.mustMembers([]string{"staff"}, "ann")
		w.mustAdmitting("wiki", "staff")
		ann := w.mustSession("a", "ann", t0)
		code := w.mustRedeem(ann, "ann", "wiki", t0)
		inFlight := w.code(ann, "ann", "wiki", t0)
		u := w.mustUser("ann")
		u.Groups = []string{"guests"}
		w.must(w.PutUser(w.ctx, u))
		_, err := w.Redeem(w.ctx, inFlight, t0, issue(inFlight, t0))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.Join(w.ctx, inFlight, t0, issue(inFlight, t0))
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.refresh("refresh of "+code.ID, "next", "wiki", t0)
		w.mustBe(err, storage.ErrRevoked)
		_, err = w.ActiveGrant(w.ctx, "grant of "+code.ID, "", t0)
		w.mustBe(err, storage.ErrNotFound)
		if w.tokenActive(code, t0) || w.grantActive(code, t0) {
			w.Fatal("the token or the grant is active")
		}
	},
}

// leaving returns the selector for a user who leaves groups.
func leaving(subject string) storage.Selector {
	return storage.Selector{Subject: subject, Unadmitted: true, IncludeOffline: true}
}

// clientsOf returns the clients of the client sessions that ended, sorted.
func clientsOf(terminations []storage.Termination) (clients []string) {
	for _, end := range terminations {
		for _, cs := range end.Session.ClientSessions {
			clients = append(clients, cs.Client)
		}
	}
	slices.Sort(clients)
	return clients
}

// mustMembers creates users in groups.
func (w *world) mustMembers(groups []string, names ...string) {
	w.Helper()
	w.mustUsers(names...)
	for _, name := range names {
		u := w.mustUser(name)
		u.Groups = groups
		w.must(w.PutUser(w.ctx, u))
	}
}

// mustUser returns a user.
func (w *world) mustUser(name string) storage.User {
	w.Helper()
	u, err := w.User(w.ctx, name)
	w.must(err)
	return u
}

// mustAdmitting creates a client that admits these groups.
func (w *world) mustAdmitting(id string, groups ...string) {
	w.Helper()
	w.mustClients(id)
	c := w.mustClient(id)
	c.AdmitGroups = groups
	w.must(w.PutClient(w.ctx, c))
}

// mustClient returns a copy of a client.
func (w *world) mustClient(id string) storage.Client {
	w.Helper()
	c, err := w.Client(w.ctx, id)
	w.must(err)
	return *c
}
