package provider_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/provider/providertest"
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
