package register_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/storage"
)

// delayedBody is a body that is at hand only after something else has happened.
type delayedBody struct {
	before func()
	body   io.Reader
}

func (l *delayedBody) Read(p []byte) (int, error) {
	if l.before != nil {
		l.before()
		l.before = nil
	}
	return l.body.Read(p)
}

// A request that began with the token of a client that was then removed must not change a new client with the same ID.
func TestSlowUpdateDoesNotReachAClientThatCameLater(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	c := o.must(201, "POST", "/register", "", minimalMetadata)
	fresh := storage.Client{
		Metadata:   storage.Metadata{ClientID: c.ClientID, RedirectURIs: []string{"https://new.example/cb"}},
		SecretHash: storage.HashOf("new"),
		Created:    o.clock.Now(),
	}
	body := &delayedBody{
		body: strings.NewReader(`{"client_id":"` + c.ClientID + `","redirect_uris":["https://old.example/cb"]}`),
		before: func() {
			if w := o.do("DELETE", managementPath(c.URI), c.Token, ""); w.Code != http.StatusNoContent {
				t.Fatal(w.Code, w.Body)
			}
			if err := o.store.PutClient(t.Context(), fresh); err != nil {
				t.Fatal(err)
			}
		},
	}
	r := httptest.NewRequest("PUT", managementPath(c.URI), body)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+c.Token)
	w := httptest.NewRecorder()
	o.mux.ServeHTTP(w, r)
	if w.Code != http.StatusConflict {
		t.Errorf("got %d %s, want 409", w.Code, w.Body)
	}
	got, err := o.store.Client(t.Context(), c.ClientID)
	if err != nil || got.RedirectURIs[0] != "https://new.example/cb" || got.SecretHash != storage.HashOf("new") ||
		!got.RegistrationToken.IsZero() {
		t.Errorf("got %+v, %v, want the client that came later as it was", got, err)
	}
}
