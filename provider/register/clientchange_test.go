package register_test

import (
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

func TestClientThatGivesUpOfflineAccessLosesIt(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"grant_types":["authorization_code","refresh_token"]}`,
	)
	ctx := t.Context()
	if err := o.store.PutUser(ctx, storage.User{Subject: "ada", Name: "ada", Created: o.clock.Now()}); err != nil {
		t.Fatal(err)
	}
	s := storage.Session{
		ID:          "s",
		SecretHash:  storage.HashOf("cookie"),
		Subject:     "ada",
		AuthTime:    o.clock.Now(),
		Created:     o.clock.Now(),
		LastActive:  o.clock.Now(),
		IdleTimeout: time.Hour,
		Expires:     o.clock.Now().Add(time.Hour),
	}
	if err := o.store.CreateSession(ctx, s, storage.Event{At: o.clock.Now(), Kind: "session.created"}); err != nil {
		t.Fatal(err)
	}
	code := storage.Code{
		ID:      "code",
		Client:  c.ClientID,
		Subject: "ada",
		Session: "s",
		SID:     "sid",
		Issued:  o.clock.Now(),
		Expires: o.clock.Now().Add(time.Minute),
	}
	if _, err := o.store.Redeem(ctx, code, o.clock.Now(), func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
		return storage.Issuance{Grant: storage.Grant{
			ID:          "offline",
			Created:     o.clock.Now(),
			LastUsed:    o.clock.Now(),
			RefreshHash: storage.HashOf("refresh"),
		}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	o.clock.Advance(time.Minute)
	body := `{"client_id":"` + c.ClientID + `","redirect_uris":["https://rp.example/cb"],"grant_types":["authorization_code"]}`
	o.must(200, "PUT", managementPath(c.URI), c.Token, body)
	if grants, err := o.store.ListGrants(ctx, "ada", "", true, o.clock.Now()); err != nil || len(grants) != 0 {
		t.Errorf("got grants %+v (%v), want none", grants, err)
	}
	if left, err := o.store.Session(ctx, "s", o.clock.Now()); err != nil || left.ClientSession(c.ClientID) == nil {
		t.Errorf("got session %+v (%v), want it with the client", left, err)
	}
	for _, kind := range []string{"grant.ended", "client.changed"} {
		lines, _, err := o.store.ListEvents(
			ctx,
			storage.EventFilter{Kind: kind, Reason: storage.ReasonClientChanged},
			storage.Page{},
		)
		if err != nil || len(lines) != 1 || lines[0].By != "client:"+c.ClientID {
			t.Errorf("got audit lines %+v (%v), want one %s by the client", lines, err, kind)
		}
	}
}
