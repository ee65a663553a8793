package register_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

func (o *fixture) mustInitialToken(name, secret, defaults string, uses int) {
	o.t.Helper()
	token := storage.InitialAccessToken{
		Hash:     storage.HashOf(secret),
		Name:     name,
		Defaults: []byte(defaults),
		Created:  o.clock.Now(),
		Expires:  o.clock.Now().Add(time.Hour),
		UsesLeft: uses,
	}
	if err := o.store.PutInitialAccessToken(o.t.Context(), token); err != nil {
		o.t.Fatal(err)
	}
}

func TestInitialAccessTokenLetsInAsOftenAsItSays(t *testing.T) {
	o := mustStart(t, policy.RegistrationToken, `{"consent":"skip"}`)
	o.mustInitialToken("suite", "initial", `{"require_pkce":false}`, 2)
	o.mustRefuse(401, "", "POST", "/register", "", minimalMetadata)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "wrong", minimalMetadata)
	o.mustRefuse(400, register.InvalidRedirectURI, "POST", "/register", "initial", `{}`) // costs no use
	c := o.must(201, "POST", "/register", "initial", minimalMetadata)
	if c.RequirePKCE == nil || *c.RequirePKCE || c.Consent != "" {
		t.Errorf("got %+v, want the defaults of the token and not those of the open setting", c.Metadata)
	}
	o.must(201, "POST", "/register", "initial", minimalMetadata)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "initial", minimalMetadata)
	o.mustInitialToken("late", "late", "", -1)
	o.clock.Advance(2 * time.Hour)
	o.mustRefuse(401, "invalid_token", "POST", "/register", "late", minimalMetadata)
}

func TestLastUseOfAnInitialTokenIsTakenOnce(t *testing.T) {
	o := mustStart(t, policy.RegistrationToken, "")
	o.mustInitialToken("one", "initial", "", 1)
	var work sync.WaitGroup
	codes := make([]int, 20)
	for i := range codes {
		work.Go(func() { codes[i] = o.do("POST", "/register", "initial", minimalMetadata).Code })
	}
	work.Wait()
	created := 0
	for _, code := range codes {
		if code == http.StatusCreated {
			created++
		} else if code != http.StatusUnauthorized {
			t.Errorf("got %d, want 201 or 401", code)
		}
	}
	if created != 1 {
		t.Errorf("got %d registrations, want 1", created)
	}
}
