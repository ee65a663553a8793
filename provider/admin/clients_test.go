package admin_test

import (
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/admin"
	"github.com/curfew-id/curfew/storage"
)

const givenSecret = "a-secret-of-more-than-32-characters"

func TestGivenIDAndSecretAreKeptAndShownOnce(t *testing.T) {
	d := mustStart(t)
	c := must[admin.ClientRecord](
		d,
		201,
		"POST",
		"/clients",
		`{"client_id":"mail","client_secret":"`+givenSecret+`","redirect_uris":["https://mail.example/cb"]}`,
	)
	if c.ClientID != "mail" || c.Secret != givenSecret {
		t.Errorf("got %q with secret %q, want what was given", c.ClientID, c.Secret)
	}
	if again := must[admin.ClientRecord](d, 200, "GET", "/clients/mail", ""); again.Secret != "" {
		t.Error("the secret was shown a second time")
	}
	stored, err := d.store.Client(t.Context(), "mail")
	if err != nil || stored.SecretHash != storage.HashOf(givenSecret) || stored.SecretWrapped != nil {
		t.Errorf("got %+v (%v), want the hash of the secret and nothing else of it", stored, err)
	}
	made := must[admin.ClientRecord](d, 201, "POST", "/clients", `{"redirect_uris":["https://mail.example/cb"]}`)
	if len(made.ClientID) < 20 || len(made.Secret) < 43 {
		t.Errorf("got %q with secret %q, want both made", made.ClientID, made.Secret)
	}
	if e := d.lastEvent("client.created"); e.By != "admin" || e.Client != made.ClientID {
		t.Errorf("got audit line %+v", e)
	}
	d.mustFail(
		409,
		"exists",
		"",
		"POST",
		"/clients",
		`{"client_id":"mail","redirect_uris":["https://mail.example/cb"]}`,
	)
}

func TestBadClientIsRefusedWithEveryProblem(t *testing.T) {
	d := mustStart(t)
	answer := d.mustFail(
		400,
		"invalid",
		"redirect_uris[0]",
		"POST",
		"/clients",
		`{"redirect_uris":["http://mail.example/cb"],"consent":"never","client_secret":"short"}`,
	)
	if len(answer.Problems) != 3 || answer.Problems[0].Code != "invalid_redirect_uri" ||
		answer.Problems[2].Field != "client_secret" {
		t.Errorf("got problems %+v, want redirect_uris, consent and client_secret", answer.Problems)
	}
	answer = d.mustFail(
		400,
		"invalid",
		"redirect_uri",
		"POST",
		"/clients",
		`{"redirect_uri":["https://mail.example/cb"]}`,
	)
	if !strings.Contains(answer.Message, "did you mean redirect_uris?") {
		t.Errorf("got %q, want the nearest name", answer.Message)
	}
	d.mustFail(
		400,
		"invalid",
		"client_secret",
		"POST",
		"/clients",
		`{"redirect_uris":["https://mail.example/cb"],"token_endpoint_auth_method":"none","client_secret":"`+givenSecret+`"}`,
	)
	if list := must[admin.ClientList](d, 200, "GET", "/clients", ""); len(list.Clients) != 0 {
		t.Errorf("got %d clients, want none", len(list.Clients))
	}
}

func TestOperatorSeesWhyASectorCouldNotBeRead(t *testing.T) {
	d := mustStart(t)
	answer := d.mustFail(
		400,
		"invalid",
		"sector_identifier_uri",
		"POST",
		"/clients",
		`{"redirect_uris":["https://mail.example/cb"],"subject_type":"pairwise","sector_identifier_uri":"https://mail.example/sector"}`,
	)
	if !strings.Contains(answer.Message, "egress.allow") {
		t.Errorf("got %q, want the way out", answer.Message)
	}
}

func TestPatchMergesAndNullGoesBackToTheDefault(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("mail", `,"consent":"skip","client_secret":"`+givenSecret+`","session_expiry":600`)
	c := must[admin.ClientRecord](
		d,
		200,
		"PATCH",
		"/clients/mail",
		`{"consent":null,"client_name":"Mail","access_token_format":"jwt","audience":["https://api.example"]}`,
	)
	if c.Consent != "" || c.ClientName != "Mail" || c.AccessTokenFormat != "jwt" || c.SessionExpiry != 600 ||
		c.Secret != "" ||
		len(c.RedirectURIs) != 1 {
		t.Errorf("got %+v, want the patch over what there was", c)
	}
	stored, _ := d.store.Client(t.Context(), "mail")
	if stored.SecretHash != storage.HashOf(givenSecret) {
		t.Error("a patch changed the secret")
	}
	d.mustFail(400, "invalid", "consnt", "PATCH", "/clients/mail", `{"consnt":null}`)
	d.mustFail(400, "invalid", "client_id", "PATCH", "/clients/mail", `{"client_id":"other"}`)
	d.mustFail(400, "invalid", "redirect_uris", "PATCH", "/clients/mail", `{"redirect_uris":null}`)
	d.mustFail(404, "not_found", "client", "PATCH", "/clients/nobody", `{}`)
	d.lastEvent("client.changed")
}

func TestSecretFollowsTheAuthenticationMethod(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("mail", `,"client_secret":"`+givenSecret+`"`)
	stored := func() *storage.Client {
		c, err := d.store.Client(t.Context(), "mail")
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := must[admin.ClientRecord](
		d,
		200,
		"PATCH",
		"/clients/mail",
		`{"token_endpoint_auth_method":"client_secret_jwt"}`,
	)
	if c.Secret == "" || c.Secret == givenSecret {
		t.Errorf("got secret %q, want a new one: only the hash of the old was kept", c.Secret)
	}
	if known, err := d.ring.UnwrapSecret("mail", stored().SecretWrapped); err != nil || string(known) != c.Secret {
		t.Errorf("got wrapped secret %q (%v), want the new one", known, err)
	}
	if back := must[admin.ClientRecord](d, 200, "PATCH", "/clients/mail", `{"token_endpoint_auth_method":"client_secret_post"}`); back.Secret != "" {
		t.Error("a secret that could stay was made anew")
	}
	if must[admin.ClientRecord](d, 200, "PATCH", "/clients/mail", `{"token_endpoint_auth_method":"none"}`); !stored().SecretHash.IsZero() ||
		stored().SecretWrapped != nil {
		t.Error("a public client keeps a secret")
	}
	d.mustFail(409, "invalid", "token_endpoint_auth_method", "POST", "/clients/mail/secret", "")
	must[admin.ClientRecord](
		d,
		200,
		"PATCH",
		"/clients/mail",
		`{"token_endpoint_auth_method":"client_secret_basic","client_secret":"`+givenSecret+`"}`,
	)
	renewed := must[admin.ClientRecord](d, 200, "POST", "/clients/mail/secret", "")
	if renewed.Secret == givenSecret || stored().SecretHash != storage.HashOf(renewed.Secret) {
		t.Errorf("got secret %q, want a new one in place of the old", renewed.Secret)
	}
}

func TestRemovedClientEndsItsSessionsAndIsNotified(t *testing.T) {
	for _, c := range []struct {
		method, path string
		reason       storage.Reason
		kind         string
	}{
		{"POST", "/clients/mail/disable", storage.ReasonClientDisabled, "client.disabled"},
		{"DELETE", "/clients/mail", storage.ReasonClientRemoved, "client.removed"},
	} {
		t.Run(c.kind, func(t *testing.T) {
			d := mustStart(t)
			d.mustAddClient("mail", "")
			d.mustAddClient("chat", "")
			u := d.mustAddUser("ada")
			id := d.mustSignIn(u, "s1", []string{"mail", "chat"}, "mail")
			result := must[admin.TerminationResult](d, 200, c.method, c.path, "")
			if !d.sessionActive(id) {
				t.Error("single sign-on ended with one application")
			}
			if got := d.grants(u); got != "s1 chat" {
				t.Errorf("got active grants %q, want only those of the other client", got)
			}
			if result.Count.ClientSessions != 1 || result.Count.Deliveries != 1 || result.Count.Grants != 2 {
				t.Errorf("got count %+v, want one client session, one delivery and two grants", result.Count)
			}
			answer := must[admin.DeliveryList](d, 200, "GET", "/deliveries?client=mail", "").Deliveries
			if len(answer) != 1 || answer[0].State != storage.DeliveryPending || answer[0].SID != "" {
				t.Errorf("got deliveries %+v, want one on its way and no sid shown", answer)
			}
			if e := d.lastEvent(c.kind); e.Reason != c.reason || e.Client != "mail" || e.By != "admin" ||
				e.Cause != result.CauseID {
				t.Errorf("got audit line %+v, want %s by admin", e, c.reason)
			}
		})
	}
}

func TestDisabledClientIsBackWhenEnabled(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("mail", `,"client_secret":"`+givenSecret+`"`)
	must[admin.TerminationResult](d, 200, "POST", "/clients/mail/disable", "")
	if c := must[admin.ClientRecord](d, 200, "GET", "/clients/mail", ""); !c.Disabled {
		t.Error("got an enabled client")
	}
	if c := must[admin.ClientRecord](d, 200, "POST", "/clients/mail/enable", ""); c.Disabled || c.Secret != "" {
		t.Errorf("got %+v, want it enabled, its secret left out", c)
	}
	if c, _ := d.store.Client(t.Context(), "mail"); c.SecretHash != storage.HashOf(givenSecret) {
		t.Error("the secret was lost")
	}
}

func TestLogoutIsTriedWithARealTokenForAnInventedSession(t *testing.T) {
	d := mustStart(t)
	d.mustAddClient("mail", "")
	u := d.mustAddUser("ada")
	id := d.mustSignIn(u, "s1", []string{"mail"})
	trial := must[admin.LogoutTestResult](d, 200, "POST", "/clients/mail/test-logout", "")
	if !trial.Confirmed || trial.Answer.Status != 200 || !strings.Contains(trial.Meaning, "confirmed") {
		t.Errorf("got %+v, want it explained as confirmed", trial)
	}
	if len(d.clients.Sent()) != 1 || strings.Count(d.clients.Sent()[0].Form.Get("logout_token"), ".") != 2 {
		t.Errorf("got posts %v, want one signed token", d.clients.Sent())
	}
	if !d.sessionActive(id) || len(must[admin.DeliveryList](d, 200, "GET", "/deliveries", "").Deliveries) != 0 {
		t.Error("a trial ended something or left a delivery")
	}
	must[admin.ClientRecord](d, 200, "PATCH", "/clients/mail", `{"backchannel_logout_uri":null}`)
	d.mustFail(409, "invalid", "backchannel_logout_uri", "POST", "/clients/mail/test-logout", "")
	d.mustFail(404, "not_found", "client", "POST", "/clients/nobody/test-logout", "")
}

func TestInitialAccessTokenIsShownOnceAndItsDefaultsAreChecked(t *testing.T) {
	d := mustStart(t)
	made := must[admin.InitialAccessToken](
		d,
		201,
		"POST",
		"/initial-access-tokens",
		`{"name":"suite","max_uses":-1,"defaults":{"require_pkce":false,"consent":"skip"}}`,
	)
	if made.Token == "" || made.UsesLeft != -1 {
		t.Fatalf("got %+v, want a token for any number of uses", made)
	}
	if _, err := d.store.InitialAccessToken(t.Context(), storage.HashOf(made.Token), d.clock.Now()); err != nil {
		t.Errorf("got %v, want the token stored by its hash", err)
	}
	list := must[admin.InitialAccessTokenList](d, 200, "GET", "/initial-access-tokens", "").Tokens
	if len(list) != 1 || list[0].Token != "" || list[0].Name != "suite" {
		t.Errorf("got %+v, want it listed without the token", list)
	}
	d.mustFail(409, "exists", "name", "POST", "/initial-access-tokens", `{"name":"suite"}`)
	d.mustFail(
		400,
		"invalid",
		"requirepkce",
		"POST",
		"/initial-access-tokens",
		`{"name":"b","defaults":{"requirepkce":false}}`,
	)
	d.mustFail(400, "invalid", "consent", "POST", "/initial-access-tokens", `{"name":"b","defaults":{"consent":"no"}}`)
	d.mustFail(
		400,
		"invalid",
		"redirect_uris",
		"POST",
		"/initial-access-tokens",
		`{"name":"b","defaults":{"redirect_uris":[]}}`,
	)
	d.mustFail(400, "invalid", "name", "POST", "/initial-access-tokens", `{}`)
	d.mustFail(400, "invalid", "uses", "POST", "/initial-access-tokens", `{"name":"b","max_uses":-2}`)
	d.mustFail(
		400,
		"invalid",
		"expires",
		"POST",
		"/initial-access-tokens",
		`{"name":"b","expires":"`+d.clock.Now().Add(-time.Second).Format(time.RFC3339)+`"}`,
	)
	d.mustFail(400, "invalid", "expires", "POST", "/initial-access-tokens", `{"name":"b","expires":"tomorrow"}`)
	if w := d.do("DELETE", "/initial-access-tokens/suite", ""); w.Code != 204 {
		t.Errorf("got %d %s, want 204", w.Code, w.Body)
	}
	d.mustFail(404, "not_found", "name", "DELETE", "/initial-access-tokens/suite", "")
	if e := d.lastEvent("initial_token.removed"); e.Detail["name"] != "suite" {
		t.Errorf("got audit line %+v", e)
	}
}

func TestChangeAndItsAuditLineAreOneCommit(t *testing.T) {
	d := mustStart(t)
	for _, act := range []struct{ kind, method, target, body string }{
		{"user.created", "POST", "/users", `{"sub":"u","preferred_username":"ada","email":"ada@example.org"}`},
		{"user.changed", "PATCH", "/users/u", `{"name":"Ada"}`},
		{"user.disabled", "POST", "/users/u/disable", ""},
		{"user.enabled", "POST", "/users/u/enable", ""},
		{"client.created", "POST", "/clients", `{"client_id":"rp","redirect_uris":["https://rp.example/cb"]}`},
		{"client.changed", "PATCH", "/clients/rp", `{"client_name":"RP"}`},
		{"client.secret", "POST", "/clients/rp/secret", ""},
		{"client.disabled", "POST", "/clients/rp/disable", ""},
		{"client.enabled", "POST", "/clients/rp/enable", ""},
		{"initial_token.created", "POST", "/initial-access-tokens", `{"name":"suite"}`},
		{"initial_token.removed", "DELETE", "/initial-access-tokens/suite", ""},
	} {
		before := d.store.Commits()
		if w := d.do(act.method, act.target, act.body); w.Code >= 300 {
			t.Fatalf("%s: %d %s", act.kind, w.Code, w.Body)
		}
		if n := d.store.Commits() - before; n != 1 {
			t.Errorf("%s: got %d commits, want 1: a line that is written apart can get lost", act.kind, n)
		}
		d.lastEvent(act.kind)
	}
}
