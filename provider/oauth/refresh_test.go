package oauth_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/curfew-id/curfew/logout"
	"github.com/curfew-id/curfew/storage"
	"github.com/curfew-id/curfew/storage/bolt"
)

func TestRefreshRotatesAndKeepsTheSignIn(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, first := g.mustTokens("shop", "openid profile")
	g.clock.Advance(time.Hour)
	next := g.refresh("shop", first.text("refresh_token"))
	if next.status != http.StatusOK || next.text("refresh_token") == first.text("refresh_token") ||
		next.text("access_token") == first.text("access_token") {
		t.Fatalf("refresh: %d %s", next.status, next.body)
	}
	before, after := g.claims(first.text("id_token")), g.claims(next.text("id_token"))
	for _, name := range []string{"iss", "sub", "aud", "auth_time", "sid", "acr"} {
		if before[name] != after[name] {
			t.Errorf("%s was %v and is %v", name, before[name], after[name])
		}
	}
	if after["iat"] == before["iat"] || after["nonce"] != nil {
		t.Errorf("refreshed ID token: %v", after)
	}
}

func TestLostAnswerGivesTheSameSuccessor(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, first := g.mustTokens("shop", "openid")
	answers := make([]response, 20)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = g.refresh("shop", first.text("refresh_token")) })
	}
	wg.Wait()
	for _, a := range answers {
		if a.status != http.StatusOK || a.text("refresh_token") != answers[0].text("refresh_token") {
			t.Fatalf("%d %s", a.status, a.body)
		}
	}
	g.clock.Advance(10 * time.Second)
	if a := g.refresh("shop", first.text("refresh_token")); a.text(
		"refresh_token",
	) != answers[0].text(
		"refresh_token",
	) {
		t.Fatalf("within the grace: %d %s", a.status, a.body)
	}
}

// TestLateRetryOfAnOlderRefreshTokenEndsNothing: of three tabs one may be late. Only a client that authenticates gets
// the doubt, and only within the grace.
func TestLateRetryOfAnOlderRefreshTokenEndsNothing(t *testing.T) {
	for name, c := range map[string]struct {
		method string
		wait   time.Duration
		active bool
	}{
		"confidential, in time": {"", 10 * time.Second, true},
		"confidential, late":    {"", 11 * time.Second, false},
		"public, in time":       {"none", time.Second, false},
	} {
		g := newRig(t)
		g.mustMethod("shop", c.method)
		refresh := func(token string) response {
			if c.method == "none" {
				return g.do(
					g.http.Token,
					post(form("grant_type", "refresh_token", "refresh_token", token, "client_id", "shop")),
				)
			}
			return g.refresh("shop", token)
		}
		s := g.mustSession("alice")
		code := form(
			"grant_type",
			"authorization_code",
			"code",
			g.mustCode(s, "shop", "openid", nil),
			"redirect_uri",
			callback,
			"code_verifier",
			verifier,
			"client_id",
			"shop",
		)
		if c.method == "" {
			code.Set("client_secret", secret)
		}
		first := g.do(g.http.Token, post(code))
		second := refresh(first.text("refresh_token"))
		third := refresh(second.text("refresh_token"))
		g.clock.Advance(c.wait)
		g.mustRefuse(refresh(first.text("refresh_token")), 400, "invalid_grant")
		if got := refresh(third.text("refresh_token")).status == http.StatusOK; got != c.active {
			t.Errorf("%s: got the newest token taken %v, want %v", name, got, c.active)
		}
	}
}

func TestStolenRefreshTokenEndsTheClientSession(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustClient("mail", nil)
	s, shop := g.mustTokens("shop", "openid")
	mail := g.redeem("mail", g.mustCode(s, "mail", "openid", nil))
	next := g.refresh("shop", shop.text("refresh_token"))
	g.clock.Advance(11 * time.Second)
	g.mustRefuse(g.refresh("shop", shop.text("refresh_token")), 400, "invalid_grant")
	g.mustRefuse(g.refresh("shop", next.text("refresh_token")), 400, "invalid_grant")
	g.mustActive("shop", next.text("access_token"), false)
	g.mustActive("mail", mail.text("access_token"), true)
	session, err := g.store.Session(t.Context(), s.ID, g.clock.Now())
	if err != nil || session.ClientSession("shop") != nil || session.ClientSession("mail") == nil {
		t.Fatalf("members: %+v, %v", session.ClientSessions, err)
	}
	events, _, err := g.store.ListEvents(
		t.Context(),
		storage.EventFilter{Kind: "client_session.ended", Reason: storage.ReasonRefreshReuse},
		storage.Page{},
	)
	if err != nil || len(events) != 1 {
		t.Errorf("audit lines: %d, %v", len(events), err)
	}
}

func TestStolenRefreshTokenEndsTheSessionWhereSetSo(t *testing.T) {
	g := newRig(t)
	g.server.Policy.RefreshReuse = "session"
	g.mustClient("shop", nil)
	s, shop := g.mustTokens("shop", "openid")
	g.refresh("shop", shop.text("refresh_token"))
	g.clock.Advance(11 * time.Second)
	g.mustRefuse(g.refresh("shop", shop.text("refresh_token")), 400, "invalid_grant")
	if _, err := g.store.Session(t.Context(), s.ID, g.clock.Now()); err == nil {
		t.Fatal("the session lives")
	}
}

func TestTheftIsActedOnThoughTheServerDiedWhenItShowed(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	s, shop := g.mustTokens("shop", "openid")
	g.refresh("shop", shop.text("refresh_token"))
	g.clock.Advance(11 * time.Second)
	terminator := g.server.Terminator
	g.server.Terminator = &logout.Terminator{Store: unavailableStore{g.store}, Now: terminator.Now, Issuer: issuer}
	g.mustRefuse(g.refresh("shop", shop.text("refresh_token")), 503, "server_error")
	g.server.Terminator = terminator
	g.mustRefuse(g.refresh("shop", shop.text("refresh_token")), 400, "invalid_grant")
	if session, err := g.store.Session(t.Context(), s.ID, g.clock.Now()); err != nil ||
		session.ClientSession("shop") != nil {
		t.Errorf("the thief's application is still a member: %+v, %v", session.ClientSessions, err)
	}
}

func TestStolenOfflineTokenIsReported(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, shop := g.mustTokens("shop", "openid offline_access")
	next := g.refresh("shop", shop.text("refresh_token"))
	g.clock.Advance(11 * time.Second)
	g.mustRefuse(g.refresh("shop", shop.text("refresh_token")), 400, "invalid_grant")
	g.mustRefuse(g.refresh("shop", next.text("refresh_token")), 400, "invalid_grant")
	g.mustReported(storage.ReasonRefreshReuse)
}

// mustReported checks that an ending of a grant stands once in the audit trail and has one report that names the line.
func (g *rig) mustReported(reason storage.Reason) {
	g.t.Helper()
	events, _, err := g.store.ListEvents(
		g.t.Context(),
		storage.EventFilter{Kind: "grant.ended", Reason: reason},
		storage.Page{},
	)
	if err != nil || len(events) != 1 {
		g.t.Fatalf("audit lines: %d, %v, want 1", len(events), err)
	}
	reports, _, err := g.store.ListReports(g.t.Context(), storage.ReportFilter{Cause: events[0].Cause}, storage.Page{})
	if err != nil || len(reports) != 1 || len(reports[0].Audit) != 1 || reports[0].Audit[0] != events[0].Seq {
		g.t.Fatalf("reports: %+v, %v, want one that names line %d", reports, err, events[0].Seq)
	}
}

// unavailableStore is a store that ends nothing, as when its disk fails.
type unavailableStore struct{ *bolt.Store }

func (unavailableStore) EndSessions(
	context.Context,
	storage.EndRequest,
	time.Time,
	int,
	func(storage.Termination) storage.Plan,
) ([]storage.Termination, bool, error) {
	return nil, false, storage.ErrUnavailable
}

func TestRefreshTokenOfAnotherClientIsUnknown(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	g.mustClient("thief", nil)
	_, a := g.mustTokens("shop", "openid")
	g.mustRefuse(g.refresh("thief", a.text("refresh_token")), 400, "invalid_grant")
	if got := g.refresh("shop", a.text("refresh_token")); got.status != http.StatusOK {
		t.Fatalf("the attempt did harm: %d %s", got.status, got.body)
	}
}

func TestScopeNarrowsForOneTokenOnly(t *testing.T) {
	g := newRig(t)
	g.mustClient("shop", nil)
	_, a := g.mustTokens("shop", "openid profile email")
	g.mustRefuse(g.refresh("shop", a.text("refresh_token"), "scope", "openid phone"), 400, "invalid_scope")
	narrow := g.refresh("shop", a.text("refresh_token"), "scope", "openid email")
	if narrow.text("scope") != "openid email" {
		t.Fatalf("narrowed: %d %s", narrow.status, narrow.body)
	}
	if info := g.userInfo(narrow.text("access_token")); info.text("name") != "" || info.text("email") == "" {
		t.Errorf("userinfo of the narrow token: %s", info.body)
	}
	bare := g.refresh("shop", narrow.text("refresh_token"), "scope", "email")
	if bare.text("id_token") != "" || bare.text("scope") != "email" {
		t.Errorf("without openid: %s", bare.body)
	}
	// An empty scope is none.
	if wide := g.refresh("shop", bare.text("refresh_token"), "scope", ""); wide.text(
		"scope",
	) != "openid profile email" {
		t.Errorf("afterwards: %d %s", wide.status, wide.body)
	}
}

func TestOfflineGrantSurvivesTheSessionAndItsAccessTokenDoesNot(t *testing.T) {
	for _, format := range []string{"opaque", "jwt"} {
		t.Run(format, func(t *testing.T) {
			g := newRig(t)
			g.mustClient("shop", func(c *storage.Client) { c.AccessTokenFormat = format })
			s, a := g.mustTokens("shop", "openid offline_access")
			g.clock.Advance(time.Second)
			g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}})
			g.mustActive("shop", a.text("access_token"), false)
			next := g.refresh("shop", a.text("refresh_token"))
			if next.status != http.StatusOK {
				t.Fatalf("refresh after logout: %d %s", next.status, next.body)
			}
			if id := g.claims(next.text("id_token")); id["sid"] != nil ||
				id["auth_time"] != g.claims(a.text("id_token"))["auth_time"] {
				t.Errorf("ID token of an offline grant: %v", id)
			}
			if info := g.mustActive("shop", next.text("access_token"), true); info.data["sid"] != nil {
				t.Errorf("introspection of an offline token: %s", info.body)
			}
			g.clock.Advance(91 * 24 * time.Hour)
			g.mustRefuse(g.refresh("shop", next.text("refresh_token")), 400, "invalid_grant")
		})
	}
}

func TestRefreshTokensAreOfTheKindTheClientMayHold(t *testing.T) {
	for _, c := range []struct {
		holds, scope  string
		token, sticky bool
	}{
		{"session", "openid offline_access", true, false},
		{"offline", "openid offline_access", true, true},
		{"offline", "openid", false, false},
	} {
		g := newRig(t)
		g.mustClient("shop", func(r *storage.Client) { r.RefreshTokens = c.holds })
		s, a := g.mustTokens("shop", c.scope)
		if got := a.text("refresh_token") != ""; got != c.token {
			t.Fatalf("%s with %q: refresh token %t", c.holds, c.scope, got)
		}
		if !c.token {
			continue
		}
		g.clock.Advance(time.Second)
		g.endSessions(storage.Selector{Sessions: []storage.SessionID{s.ID}})
		if got := g.refresh("shop", a.text("refresh_token")).status == http.StatusOK; got != c.sticky {
			t.Errorf("%s with %q: refresh after logout %t", c.holds, c.scope, got)
		}
	}
}

// TestOfflineAccessHasAnAbsoluteEnd: use keeps offline access from being idle, but nothing extends it beyond its
// absolute end.
func TestOfflineAccessHasAnAbsoluteEnd(t *testing.T) {
	g := newRig(t)
	const day = 24 * time.Hour
	g.server.Minter.Lifetimes.OfflineAbsolute = 180 * day
	g.mustClient("mail", nil)
	_, answer := g.mustTokens("mail", "openid offline_access")
	for range 2 { // each within the idle time of 90 days
		g.clock.Advance(80 * day)
		if answer = g.refresh("mail", answer.text("refresh_token")); answer.status != http.StatusOK {
			t.Fatalf("got %d %s, want tokens", answer.status, answer.body)
		}
	}
	g.clock.Advance(20*day - 10*time.Minute)
	last := g.refresh("mail", answer.text("refresh_token"))
	g.mustActive("mail", last.text("access_token"), true)
	g.clock.Advance(10 * time.Minute)
	g.mustActive("mail", last.text("access_token"), false)
	g.mustRefuse(g.refresh("mail", last.text("refresh_token")), 400, "invalid_grant")
}
