package bolt

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/curfew-id/curfew/storage"
)

// TestLogoutOfASessionWithManyGrantsIsShort: a store of an earlier build may have a session with more grants than
// MaxGrants. Its termination writes no more than for MaxGrants, so that other writers need not wait for it, and all the
// grants are revoked with it. Sweep removes the rest.
func TestLogoutOfASessionWithManyGrantsIsShort(t *testing.T) {
	const grantCount = 40_000
	s := mustOpen(t, Options{Path: filepath.Join(t.TempDir(), "curfew.db")})
	ctx := t.Context()
	must(t, s.PutUser(ctx, storage.User{Subject: "ann", Name: "ann"}))
	must(t, s.PutClient(ctx, storage.Client{Metadata: storage.Metadata{ClientID: "app"}}))
	session := storage.Session{
		ID:          "s",
		Subject:     "ann",
		SecretHash:  storage.HashOf("secret"),
		AuthTime:    benchStart,
		LastActive:  benchStart,
		IdleTimeout: time.Hour,
		Expires:     benchStart.Add(10 * time.Hour),
	}
	must(t, s.CreateSession(ctx, session, storage.Event{}))
	must(t, benchRedeem(ctx, s, "s", "app", 0))
	sid := "sid-" + benchID("s", "app", 0)
	id := func(n int) string { return fmt.Sprintf("grant-%d", n) }
	for first := 0; first < grantCount; first += 1000 {
		must(t, s.update(ctx, func(t *tx) error {
			for n := range 1000 {
				t.addGrant(storage.Grant{
					ID:          id(first + n),
					Client:      "app",
					Subject:     "ann",
					Session:     "s",
					SID:         sid,
					RefreshHash: storage.HashOf(id(first + n)),
				}, benchStart)
			}
			return nil
		}))
	}
	at := benchStart.Add(time.Minute)
	active := func() (count int) {
		for n := range grantCount {
			if _, err := s.ActiveGrant(ctx, id(n), sid, at); err == nil {
				count++
			}
		}
		return count
	}
	if got := active(); got != grantCount {
		t.Fatalf("got %d active grants before the logout, want %d", got, grantCount)
	}
	began := time.Now()
	req := storage.EndRequest{
		Selector: storage.Selector{Sessions: []storage.SessionID{"s"}},
		Cause:    storage.Cause{ID: "c", Reason: storage.ReasonAdmin},
	}
	terminations, _, err := s.EndSessions(ctx, req, at, 0, nil)
	t.Logf("the termination of a session with %d grants took %v", grantCount, time.Since(began))
	if err != nil || len(terminations) != 1 || len(terminations[0].Grants) != storage.MaxGrants {
		t.Fatalf("got %d terminations, %v; want one that collects %d grants", len(terminations), err, storage.MaxGrants)
	}
	if got := active(); got != 0 {
		t.Errorf("got %d active grants after the logout", got)
	}
	for removed := 1; removed > 0; {
		removed, err = s.Sweep(ctx, at, 5000)
		must(t, err)
	}
	must(t, s.view(ctx, func(t *tx) error {
		for _, table := range []table{grants, refreshTokens, trash} {
			for k := range t.scanPrefix(table, nil) {
				return fmt.Errorf("table %s still has %q", tableNames[table], k)
			}
		}
		for k := range t.scanPrefix(sessions, nil) {
			return fmt.Errorf("table sessions still has %q", k)
		}
		return nil
	}))
}
