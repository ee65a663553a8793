package register_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

func TestOnlyTheBearerOfTheTokenManagesAClient(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	mine := o.must(201, "POST", "/register", "", minimalMetadata)
	other := o.must(201, "POST", "/register", "", minimalMetadata)
	o.mustInitialToken("suite", "initial", "", -1)
	static := storage.Client{
		Metadata: storage.Metadata{ClientID: "static", RedirectURIs: []string{"https://a.example/cb"}},
		Created:  o.clock.Now(),
	}
	if err := o.store.PutClient(t.Context(), static); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		body := ""
		if method == "PUT" {
			body = `{"client_id":"` + mine.ClientID + `","redirect_uris":["https://evil.example/cb"]}`
		}
		o.mustRefuse(401, "", method, managementPath(mine.URI), "", body)
		for _, token := range []string{"wrong", other.Token, mine.Secret, "initial", mine.Token[:42]} {
			o.mustRefuse(401, "invalid_token", method, managementPath(mine.URI), token, body)
		}
		o.mustRefuse(401, "invalid_token", method, "/register/nobody", mine.Token, body)
		o.mustRefuse(401, "invalid_token", method, "/register/static", mine.Token, body)
	}
	c := o.must(200, "GET", managementPath(mine.URI), mine.Token, "")
	if c.ClientID != mine.ClientID || c.Token != mine.Token || c.URI != mine.URI || c.Secret != "" {
		t.Errorf("got %+v, want the client without its secret", c)
	}
}

func TestUpdateReplacesMetadataButNotTheOperatorsChoices(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, `{"require_pkce":false,"consent":"skip"}`)
	c := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"client_name":"Old","contacts":["a@rp.example"]}`,
	)
	put := func(more string) string {
		return `{"client_id":"` + c.ClientID + `","redirect_uris":["https://rp.example/new"]` + more + `}`
	}
	after := o.must(
		200,
		"PUT",
		managementPath(c.URI),
		c.Token,
		put(`,"client_secret":"`+c.Secret+`","consent":"ask","audience":["https://bank.example"]`),
	)
	if after.ClientName != "" || after.Contacts != nil || after.RedirectURIs[0] != "https://rp.example/new" {
		t.Errorf("got %+v, want what was left out gone (RFC 7592 §2.2)", after.Metadata)
	}
	if after.RequirePKCE == nil || *after.RequirePKCE || after.Consent != "ask" || after.Audience != nil ||
		after.Secret != "" {
		t.Errorf("got %+v, want the operator's choices, or stricter ones", after.Metadata)
	}
	stored, _ := o.store.Client(t.Context(), c.ClientID)
	if stored.SecretHash != storage.HashOf(c.Secret) || !stored.Dynamic ||
		stored.RegistrationToken != storage.HashOf(c.Token) ||
		!stored.Created.Equal(o.clock.Now()) {
		t.Errorf("got %+v, want secret, token and origin as they were", stored)
	}
	o.mustRefuse(
		400,
		register.InvalidMetadata,
		"PUT",
		managementPath(c.URI),
		c.Token,
		`{"redirect_uris":["https://rp.example/cb"]}`,
	)
	o.mustRefuse(
		400,
		register.InvalidMetadata,
		"PUT",
		managementPath(c.URI),
		c.Token,
		`{"client_id":"other","redirect_uris":["https://rp.example/cb"]}`,
	)
	o.mustRefuse(
		400,
		register.InvalidMetadata,
		"PUT",
		managementPath(c.URI),
		c.Token,
		put(`,"client_secret":"a secret that the client would rather have"`),
	)
	o.mustRefuse(
		400,
		register.InvalidRedirectURI,
		"PUT",
		managementPath(c.URI),
		c.Token,
		`{"client_id":"`+c.ClientID+`","redirect_uris":["http://rp.example/cb"]}`,
	)
	if again := o.must(200, "GET", managementPath(c.URI), c.Token, ""); again.RedirectURIs[0] != "https://rp.example/new" {
		t.Errorf("got %v, want nothing changed by refused updates", again.RedirectURIs)
	}
	jwt := o.must(200, "PUT", managementPath(c.URI), c.Token, put(`,"token_endpoint_auth_method":"client_secret_jwt"`))
	if jwt.Secret == "" || jwt.Secret == c.Secret || jwt.SecretExpires == nil {
		t.Errorf("got %+v, want a new secret: the old one is known by its hash only", jwt)
	}
}

func TestDeletedClientIsNotifiedAndRemoved(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(
		201,
		"POST",
		"/register",
		"",
		`{"redirect_uris":["https://rp.example/cb"],"backchannel_logout_uri":"https://rp.example/bcl"}`,
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
	for id, session := range map[string]storage.SessionID{"bound": "s", "offline": ""} {
		code := storage.Code{
			ID:      id,
			Client:  c.ClientID,
			Subject: "ada",
			Session: "s",
			SID:     "sid",
			Issued:  o.clock.Now(),
			Expires: o.clock.Now().Add(time.Minute),
		}
		if _, err := o.store.Redeem(ctx, code, o.clock.Now(), func(storage.Session, storage.ClientSession) (storage.Issuance, error) {
			return storage.Issuance{Grant: storage.Grant{
				ID:          id,
				Client:      c.ClientID,
				Subject:     "ada",
				Session:     session,
				Created:     o.clock.Now(),
				LastUsed:    o.clock.Now(),
				Expires:     o.clock.Now().Add(time.Hour),
				RefreshHash: storage.HashOf("refresh " + id),
			}}, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	o.clock.Advance(time.Minute) // joined long enough ago to get no re-notification
	if w := o.do("DELETE", managementPath(c.URI), c.Token, ""); w.Code != http.StatusNoContent || w.Body.Len() != 0 {
		t.Fatalf("got %d %s, want 204 (RFC 7592 §2.3)", w.Code, w.Body)
	}
	deliveries, _, err := o.store.ListDeliveries(ctx, storage.DeliveryFilter{}, storage.Page{})
	if err != nil || len(deliveries) != 1 || deliveries[0].URI != "https://rp.example/bcl" ||
		deliveries[0].SID != "sid" {
		t.Errorf("got deliveries %+v (%v), want one", deliveries, err)
	}
	if grants, err := o.store.ListGrants(ctx, "ada", "", false, o.clock.Now()); err != nil || len(grants) != 0 {
		t.Errorf("got grants %+v (%v), want none", grants, err)
	}
	if grant, _, err := o.store.GrantByRefresh(ctx, storage.HashOf("refresh offline"), o.clock.Now()); err == nil {
		t.Errorf("got grant %+v, want offline access ended too", grant)
	}
	if left, err := o.store.Session(ctx, "s", o.clock.Now()); err != nil || len(left.ClientSessions) != 0 {
		t.Errorf("got session %+v (%v), want it alive without the client", left, err)
	}
	ended, _, err := o.store.ListEvents(
		ctx,
		storage.EventFilter{Kind: "grant.ended", Client: c.ClientID},
		storage.Page{},
	)
	if err != nil || len(ended) != 1 {
		t.Errorf("got audit lines %+v (%v), want the end of the offline grant", ended, err)
	}
	reports, _, err := o.store.ListReports(ctx, storage.ReportFilter{Subject: "ada"}, storage.Page{})
	if err != nil || len(reports) == 0 || reports[0].Cause.Reason != storage.ReasonClientRemoved ||
		reports[0].Cause.By != "client:"+c.ClientID {
		t.Errorf("got reports %+v (%v), want client_removed by the client", reports, err)
	}
	o.mustRefuse(401, "invalid_token", "GET", managementPath(c.URI), c.Token, "")
	o.mustRefuse(401, "invalid_token", "DELETE", managementPath(c.URI), c.Token, "")
}

func TestDisabledClientCannotManageItself(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(201, "POST", "/register", "", minimalMetadata)
	stored, err := o.store.Client(t.Context(), c.ClientID)
	if err != nil {
		t.Fatal(err)
	}
	off := *stored
	off.Disabled = true
	if err := o.store.PutClient(t.Context(), off); err != nil {
		t.Fatal(err)
	}
	for _, method := range []string{"GET", "PUT", "DELETE"} {
		o.mustRefuse(403, "access_denied", method, managementPath(c.URI), c.Token, "")
	}
}

func TestEveryChangeLeavesAnAuditLine(t *testing.T) {
	o := mustStart(t, policy.RegistrationToken, "")
	o.handler.RemoteAddress = func(*http.Request) string { return "192.0.2.7" }
	o.mustInitialToken("suite", "initial", "", -1)
	before := o.store.Commits()
	c := o.must(201, "POST", "/register", "initial", minimalMetadata)
	o.must(
		200,
		"PUT",
		managementPath(c.URI),
		c.Token,
		`{"client_id":"`+c.ClientID+`","redirect_uris":["https://rp.example/cb"]}`,
	)
	o.do("DELETE", managementPath(c.URI), c.Token, "")
	if n := o.store.Commits() - before; n != 3 {
		t.Errorf("got %d commits for three changes: a line that is written apart can get lost", n)
	}
	events, _, err := o.store.ListEvents(
		t.Context(),
		storage.EventFilter{Kind: "client.", Client: c.ClientID},
		storage.Page{},
	)
	if err != nil {
		t.Fatal(err)
	}
	var kinds []string
	for _, e := range events {
		kinds = append(kinds, e.Kind)
		if e.By != "client:"+c.ClientID || e.Address != "192.0.2.7" {
			t.Errorf("got %+v, want by the client from its address", e)
		}
		if line, err := json.Marshal(e); err != nil || strings.Contains(string(line), c.Token) {
			t.Errorf("got %s, which holds a token", line)
		}
	}
	if got := strings.Join(kinds, " "); got != "client.registered client.changed client.removed" {
		t.Errorf("got %q", got)
	}
}
