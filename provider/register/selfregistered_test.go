package register_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/curfew-id/curfew/provider/policy"
	"github.com/curfew-id/curfew/provider/register"
	"github.com/curfew-id/curfew/storage"
)

// TestStrangersRegisterNoLargeMetadata: 1,500 registrations of 128 kB once took 800 MB of memory for good.
func TestStrangersRegisterNoLargeMetadata(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Registrar.Policy.MaxSelfRegisteredBytes = 8192
	uris := make([]string, 50)
	for i := range uris {
		uris[i] = fmt.Sprintf(`"https://rp.example/%d/%s"`, i, strings.Repeat("a", 200))
	}
	body := `{"redirect_uris":[` + strings.Join(uris, ",") + `]}`
	text := o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "POST", "/register", "", body)
	if !strings.Contains(text, "8192 are the most") {
		t.Errorf("got %q, want the limit", text)
	}
	c := o.must(http.StatusCreated, "POST", "/register", "", minimalMetadata)
	change := `{"client_id":"` + c.ClientID + `",` + body[1:]
	o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "PUT", "/register/"+c.ClientID, c.Token, change)
	// Characters that JSON escapes count as what is kept.
	escaped := `{"redirect_uris":["https://rp.example/cb?` + strings.Repeat("&", 1900) + `"]}`
	o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "POST", "/register", "", escaped)
}

// TestStrangersOfOneNetworkDoNotUseUpTheDay: a limit by IPv4 address, by /64 and by /48.
func TestStrangersOfOneNetworkDoNotUseUpTheDay(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Policy.PerDayNetwork = 2
	address := ""
	o.handler.RemoteAddress = func(*http.Request) string { return address }
	register := func(from string, want int) {
		t.Helper()
		address = from
		if w := o.do("POST", "/register", "", minimalMetadata); w.Code != want {
			t.Errorf("%s: got %d %s, want %d", from, w.Code, w.Body, want)
		}
	}
	register("192.0.2.1", http.StatusCreated)
	register("192.0.2.1", http.StatusCreated)
	register("192.0.2.1", http.StatusTooManyRequests)
	register("192.0.2.2", http.StatusCreated)
	for subnet := range 4 {
		register(fmt.Sprintf("2001:db8:1:%d::1", subnet), http.StatusCreated)
		register(fmt.Sprintf("2001:db8:1:%d::2", subnet), http.StatusCreated)
		register(fmt.Sprintf("2001:db8:1:%d::3", subnet), http.StatusTooManyRequests)
	}
	register("2001:db8:1:9::1", http.StatusTooManyRequests) // the /48 has had four times as many
	register("2001:db8:2:9::1", http.StatusCreated)
}

// TestUnusedClientsOfStrangersAreRemoved: after a day if never used, after 90 days without use.
func TestUnusedClientsOfStrangersAreRemoved(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Policy.NeverUsed, o.handler.Policy.Unused = 24*time.Hour, 90*24*time.Hour
	never := o.must(http.StatusCreated, "POST", "/register", "", minimalMetadata)
	used := o.must(http.StatusCreated, "POST", "/register", "", minimalMetadata)
	operators := storage.Client{Metadata: storage.Metadata{ClientID: "operators"}, Created: o.clock.Now()}
	if err := o.store.PutClient(t.Context(), operators); err != nil {
		t.Fatal(err)
	}
	sequence, err := o.store.Sequence(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	err = o.store.PutToken(t.Context(), storage.Token{
		Hash:     storage.HashOf("token"),
		Client:   used.ClientID,
		Issued:   o.clock.Now(),
		Expires:  o.clock.Now().Add(time.Hour),
		Sequence: sequence,
	})
	if err != nil {
		t.Fatal(err)
	}
	mustHave := func(after time.Duration, want ...string) {
		t.Helper()
		o.clock.Advance(after)
		if err := o.handler.CollectUnused(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{never.ClientID, used.ClientID, "operators"} {
			_, err := o.store.Client(t.Context(), id)
			if removed := errors.Is(err, storage.ErrNotFound); removed == strings.Contains(strings.Join(want, " "), id) {
				t.Errorf("%s: got %v, want only %v", id, err, want)
			}
		}
	}
	mustHave(23*time.Hour, never.ClientID, used.ClientID, "operators")
	mustHave(2*time.Hour, used.ClientID, "operators")
	mustHave(88*24*time.Hour, used.ClientID, "operators")
	mustHave(2*24*time.Hour, "operators")
	events, _, err := o.store.ListEvents(t.Context(), storage.EventFilter{Kind: "client.removed"}, storage.Page{})
	if err != nil || len(events) != 2 || events[0].Detail["why"] != "unused" {
		t.Errorf("got %+v (%v), want two removals in the audit trail", events, err)
	}
}

// TestStrangersAreCalledAtTheirOwnHostsOnly: otherwise anyone could make this provider call any host.
func TestStrangersAreCalledAtTheirOwnHostsOnly(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	for _, member := range []string{
		`"backchannel_logout_uri":"https://victim.example/logout"`,
		`"jwks_uri":"https://victim.example/jwks"`,
		`"request_uris":["https://victim.example/request"]`,
	} {
		body := `{"redirect_uris":["https://rp.example/cb"],` + member + `}`
		text := o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "POST", "/register", "", body)
		if !strings.Contains(text, "shares its host with no redirect URI") {
			t.Errorf("%s: got %q, want the rule", member, text)
		}
		o.must(http.StatusCreated, "POST", "/register", "", strings.ReplaceAll(body, "victim.example", "rp.example"))
	}
}

// TestStrangersURLsAreHeldToTheirOwnAllowList: egress.allow is for what an operator registered.
func TestStrangersURLsAreHeldToTheirOwnAllowList(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	o.handler.Registrar.Policy.CheckSelfRegisteredURL = o.web.CheckURL
	const inside = "https://rp.internal:8443/logout"
	o.web.Deny(inside)
	body := `{"redirect_uris":["https://rp.internal:8443/cb"],"backchannel_logout_uri":"` + inside + `"}`
	o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "POST", "/register", "", body)
	m := storage.Metadata{
		RedirectURIs:         []string{"https://rp.internal:8443/cb"},
		BackchannelLogoutURI: inside,
	}
	if _, _, err := o.handler.Registrar.NewClient(t.Context(), m, ""); err != nil {
		t.Errorf("got %v for an operator's client, want it accepted", err)
	}
}

// TestStrangersDoNotLearnWhatAURLAnswers: a missing document, one that is no JSON array and one without the redirect
// URIs give one answer.
func TestStrangersDoNotLearnWhatAURLAnswers(t *testing.T) {
	o := mustStart(t, policy.RegistrationOpen, "")
	const body = `{"redirect_uris":["https://a.example/cb"],"subject_type":"pairwise",` +
		`"sector_identifier_uri":"https://sector.example/list"}`
	answers := map[string]bool{}
	for _, document := range []string{"", `{"secret":"inside"}`, `["https://b.example/cb"]`} {
		if document != "" {
			o.web.Publish("https://sector.example/list", document)
		}
		answers[o.mustRefuse(http.StatusBadRequest, register.InvalidMetadata, "POST", "/register", "", body)] = true
	}
	if len(answers) != 1 {
		t.Errorf("got the answers %v, want one", answers)
	}
}
