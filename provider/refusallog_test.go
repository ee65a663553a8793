package provider_test

import (
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/providertest"
	"github.com/curfew-id/curfew/storage/bolt"
)

// mustDiagnose returns the diagnosis of one client.
func mustDiagnose(t *testing.T, f *providertest.Fixture, client string) admin.ClientDiagnosis {
	t.Helper()
	var d admin.Diagnosis
	p := f.MustAdmin("GET", "/doctor?probe=false&client="+client, "")
	if err := json.Unmarshal([]byte(p.Body), &d); err != nil || len(d.Clients) != 1 || d.Clients[0].Client != client {
		t.Fatalf("got %s, %v, want the diagnosis of %s only", p.Body, err, client)
	}
	return d.Clients[0]
}

// mustListRefusals returns the refusals of a client as the admin API lists them.
func mustListRefusals(t *testing.T, f *providertest.Fixture, client string) admin.RefusalList {
	t.Helper()
	var list admin.RefusalList
	p := f.MustAdmin("GET", "/clients/"+client+"/refusals", "")
	if err := json.Unmarshal([]byte(p.Body), &list); err != nil {
		t.Fatal(err)
	}
	return list
}

// TestClientThatCannotSignInShowsWhy: an app that is being connected sends a wrong redirect URI. The operator sees the
// reason without searching the log, until a user has signed in.
func TestClientThatCannotSignInShowsWhy(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	f.MustAddClient("ledger", nil)
	b := f.Browser()
	b.MustJoin("alice", "ledger")
	if d := mustDiagnose(t, f, "atlas"); !d.NeverSignedIn || d.LastRefusal != nil {
		t.Errorf("got %+v, want a client without sign-ins and refusals", d)
	}
	b.Get(providertest.AuthorizeURL("atlas", "redirect_uri", "https://atlas.example/wrong?secret=x"))
	list := mustListRefusals(t, f, "atlas").Refusals
	if len(list) != 1 || list[0].Param != "redirect_uri" || list[0].Reason == "" || list[0].RequestID == "" ||
		strings.Contains(list[0].Value, "secret") {
		t.Fatalf("got refusals %+v, want the wrong redirect URI without its query", list)
	}
	d := mustDiagnose(t, f, "atlas")
	if !d.NeverSignedIn || d.LastRefusal == nil || !strings.Contains(strings.Join(d.Problems, "\n"), list[0].Reason) {
		t.Errorf("got %+v, want the last refusal as a problem", d)
	}
	b.MustJoin("alice", "atlas")
	if d := mustDiagnose(t, f, "atlas"); d.NeverSignedIn || len(d.Problems) != 0 {
		t.Errorf("got %+v, want no problem about sign-ins after one", d)
	}
	if list := mustListRefusals(t, f, "ledger").Refusals; len(list) != 0 {
		t.Errorf("got refusals of another client: %+v", list)
	}
}

// TestRefusalsOfAClientAreBounded: requests that anyone can send do not fill the memory.
func TestRefusalsOfAClientAreBounded(t *testing.T) {
	f := providertest.MustStart(t, nil)
	f.MustAddClient("atlas", nil)
	b := f.Browser()
	for range 30 {
		b.Get(providertest.AuthorizeURL("atlas", "redirect_uri", "https://atlas.example/wrong"))
		b.Get(providertest.AuthorizeURL("unknown"))
	}
	if list := mustListRefusals(t, f, "atlas").Refusals; len(list) != 20 {
		t.Errorf("got %d refusals, want the last 20", len(list))
	}
	if p := f.Admin("GET", "/clients/unknown/refusals", ""); p.Status != 404 {
		t.Errorf("got %d for a client that is not registered, want 404", p.Status)
	}
}

// TestLastRefusalAndFirstSignInAreStored: a restart hides neither why an app cannot sign its users in, nor that it
// could.
func TestLastRefusalAndFirstSignInAreStored(t *testing.T) {
	file := bolt.Options{Path: filepath.Join(t.TempDir(), "curfew.db")}
	start := func(t *testing.T, run func(f *providertest.Fixture)) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			run(providertest.MustStartAgain(t, file, nil))
		})
	}
	start(t, func(f *providertest.Fixture) {
		f.MustAddUser("alice")
		f.MustAddClient("atlas", nil)
		f.MustAddClient("ledger", nil)
		f.MustAddStranger("stranger", nil)
		b := f.Browser()
		b.MustJoin("alice", "ledger")
		b.Get("/end_session")
		for _, client := range []string{"atlas", "stranger"} {
			b.Get(providertest.AuthorizeURL(client, "redirect_uri", "https://atlas.example/wrong"))
		}
		time.Sleep(time.Minute)
		b.Get(providertest.AuthorizeURL("atlas", "scope", "profile")) // stored when the server stops
	})
	start(t, func(f *providertest.Fixture) {
		time.Sleep(time.Hour) // each bubble begins at the same time
		list := mustListRefusals(t, f, "atlas").Refusals
		if len(list) != 1 || list[0].Param != "scope" || list[0].RequestID == "" {
			t.Errorf("got %+v after a restart, want the last refusal", list)
		}
		if d := mustDiagnose(t, f, "atlas"); !d.NeverSignedIn || d.LastRefusal == nil || len(d.Problems) == 0 {
			t.Errorf("got %+v, want a client without sign-ins and its last refusal", d)
		}
		if list := mustListRefusals(t, f, "stranger").Refusals; len(list) != 0 {
			t.Errorf("got %+v stored for a client that registered itself, want none", list)
		}
		f.Browser().Get(providertest.AuthorizeURL("atlas", "response_type", "code code"))
		list = mustListRefusals(t, f, "atlas").Refusals
		if len(list) != 2 || list[0].Param != "response_type" || list[1].Param != "scope" {
			t.Errorf("got %+v, want the new refusal and then the stored one", list)
		}
		if d := mustDiagnose(t, f, "ledger"); d.NeverSignedIn {
			t.Error("got the client that signed a user in as one that never did")
		}
	})
}

// TestRefusalsCauseOneCommitInHalfAMinute: anyone can cause them.
func TestRefusalsCauseOneCommitInHalfAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := providertest.MustStart(t, nil)
		f.MustAddClient("atlas", nil)
		f.MustAddClient("ledger", nil)
		time.Sleep(45 * time.Second) // between two saves
		before := f.Store.Commits()
		b := f.Browser()
		for range 100 {
			b.Get(providertest.AuthorizeURL("atlas", "redirect_uri", "https://atlas.example/wrong"))
			b.Get(providertest.AuthorizeURL("ledger", "redirect_uri", "https://atlas.example/wrong"))
		}
		if n := f.Store.Commits() - before; n != 0 {
			t.Errorf("got %d commits for refused requests, want none at once", n)
		}
		time.Sleep(30 * time.Second)
		synctest.Wait()
		if n := f.Store.Commits() - before; n != 1 {
			t.Errorf("got %d commits after half a minute, want 1", n)
		}
	})
}
